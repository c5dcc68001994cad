"""What people do is written down: deeds, labels, work orders; a point says itself when it alarms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("asset_points", sa.Column("alarming", sa.String(), nullable=True))
    op.create_table(
        "audit",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
    )
    op.create_index("audit_by_target", "audit", ["target", "id"])
    op.create_table(
        "labels",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("point_id", sa.String(length=200), sa.ForeignKey("points.id"), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("first_ns", sa.BigInteger(), nullable=False),
        sa.Column("last_ns", sa.BigInteger(), nullable=False),
        sa.Column("alarm_id", sa.BigInteger(), nullable=True),
        sa.Column("named", sa.String(length=32), nullable=True),
        sa.Column("said", sa.String(length=32), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("threshold", sa.Float(), nullable=True),
        sa.Column("bundle", sa.String(length=200), nullable=True),
        sa.Column("diagnosis_bundle", sa.String(length=200), nullable=True),
        sa.Column("contract", sa.String(length=32), nullable=True),
        sa.Column("origin", sa.String(length=200), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
    )
    op.create_index("labels_by_point", "labels", ["point_id", "first_ns"])
    op.create_table(
        "work_orders",
        sa.Column("key", sa.String(length=64), primary_key=True),
        sa.Column("point_id", sa.String(length=200), sa.ForeignKey("points.id"), nullable=False),
        sa.Column("alarm_id", sa.BigInteger(), nullable=True),
        sa.Column("asked_ns", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_ns", sa.BigInteger(), nullable=False),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("number", sa.String(length=200), nullable=True),
        sa.Column("closed_ns", sa.BigInteger(), nullable=True),
        sa.Column("closure", sa.String(length=64), nullable=True),
    )
    op.create_index("work_orders_by_point", "work_orders", ["point_id", "asked_ns"])


def downgrade() -> None:
    op.drop_table("work_orders")
    op.drop_table("labels")
    op.drop_table("audit")
    with op.batch_alter_table("asset_points") as batch:
        batch.drop_column("alarming")
