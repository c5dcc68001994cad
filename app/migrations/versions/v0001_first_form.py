"""The first form of the store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _champions()
    _counters()
    _points()
    _quarantine()
    _alarms()
    _blocks()
    _windows()


def downgrade() -> None:
    with op.batch_alter_table("windows", schema=None) as batch_op:
        batch_op.drop_index("windows_by_start")

    op.drop_table("windows")
    with op.batch_alter_table("blocks", schema=None) as batch_op:
        batch_op.drop_index("blocks_by_end")

    op.drop_table("blocks")
    with op.batch_alter_table("alarms", schema=None) as batch_op:
        batch_op.drop_index("alarms_by_raise")

    op.drop_table("alarms")
    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.drop_index("quarantine_by_arrival")

    op.drop_table("quarantine")
    op.drop_table("points")
    op.drop_table("counters")
    op.drop_table("champions")


def _champions() -> None:
    op.create_table(
        "champions",
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("bundle", sa.String(length=200), nullable=False),
        sa.Column("since_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("role"),
    )


def _counters() -> None:
    op.create_table(
        "counters",
        sa.Column("point_id", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("point_id", "name"),
    )


def _points() -> None:
    op.create_table(
        "points",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("bearing", sa.String(), nullable=True),
        sa.Column("nominal_shaft_hz", sa.Float(), nullable=True),
        sa.Column("rate_hz", sa.Float(), nullable=True),
        sa.Column("unit", sa.String(length=8), nullable=True),
        sa.Column("channels", sa.String(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("baseline_have", sa.Integer(), nullable=False),
        sa.Column("baseline_after", sa.BigInteger(), nullable=False),
        sa.Column("contract", sa.String(length=32), nullable=True),
        sa.Column("bundle", sa.String(length=200), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("windower", sa.LargeBinary(), nullable=True),
        sa.Column("alarm", sa.String(), nullable=True),
        sa.Column("seen_ns", sa.BigInteger(), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("threshold", sa.Float(), nullable=True),
        sa.Column("window_start_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def _quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("arrived_ns", sa.BigInteger(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.create_index("quarantine_by_arrival", ["arrived_ns"], unique=False)


def _alarms() -> None:
    op.create_table(
        "alarms",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("point_id", sa.String(length=200), nullable=False),
        sa.Column("raised_ns", sa.BigInteger(), nullable=False),
        sa.Column("cleared_ns", sa.BigInteger(), nullable=True),
        sa.Column("window_start_ns", sa.BigInteger(), nullable=False),
        sa.Column("ratio", sa.Float(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=True),
        sa.Column("probabilities", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["point_id"],
            ["points.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("alarms", schema=None) as batch_op:
        batch_op.create_index("alarms_by_raise", ["point_id", "raised_ns"], unique=False)


def _blocks() -> None:
    op.create_table(
        "blocks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("point_id", sa.String(length=200), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("end_ns", sa.BigInteger(), nullable=False),
        sa.Column("arrived_ns", sa.BigInteger(), nullable=False),
        sa.Column("rate_hz", sa.Float(), nullable=False),
        sa.Column("sample_type", sa.String(length=4), nullable=False),
        sa.Column("scale", sa.Float(), nullable=False),
        sa.Column("n_samples", sa.Integer(), nullable=False),
        sa.Column("n_channels", sa.Integer(), nullable=False),
        sa.Column("shaft_hz", sa.Float(), nullable=True),
        sa.Column("load", sa.Float(), nullable=True),
        sa.Column("temperature_c", sa.Float(), nullable=True),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("waveform", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["point_id"],
            ["points.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("point_id", "sequence", "start_ns", name="one_block"),
    )
    with op.batch_alter_table("blocks", schema=None) as batch_op:
        batch_op.create_index("blocks_by_end", ["point_id", "end_ns"], unique=False)


def _windows() -> None:
    op.create_table(
        "windows",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("point_id", sa.String(length=200), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("end_ns", sa.BigInteger(), nullable=False),
        sa.Column("rate_hz", sa.Float(), nullable=False),
        sa.Column("shaft_hz", sa.Float(), nullable=True),
        sa.Column("load", sa.Float(), nullable=True),
        sa.Column("rms", sa.Float(), nullable=False),
        sa.Column("contract", sa.String(length=32), nullable=False),
        sa.Column("features", sa.LargeBinary(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("threshold", sa.Float(), nullable=True),
        sa.Column("bundle", sa.String(length=200), nullable=True),
        sa.Column("probabilities", sa.String(), nullable=True),
        sa.Column("diagnosis_bundle", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(
            ["point_id"],
            ["points.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("windows", schema=None) as batch_op:
        batch_op.create_index("windows_by_start", ["point_id", "start_ns"], unique=False)
