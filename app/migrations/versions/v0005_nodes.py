"""Nodes speak for points: who they are, what they reported and said, and alarms that are a node's own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("alarms", sa.Column("tag", sa.String(length=32), nullable=False, server_default="health"))
    op.create_table(
        "gateways",
        sa.Column("id", sa.String(length=200), primary_key=True),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("since_ns", sa.BigInteger(), nullable=False),
    )
    _make_nodes()
    _make_reports()
    _make_events()


def _make_nodes() -> None:
    op.create_table(
        "nodes",
        sa.Column("point_id", sa.String(length=200), sa.ForeignKey("points.id"), primary_key=True),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("gateway", sa.String(length=200), nullable=True),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("since_ns", sa.BigInteger(), nullable=True),
        sa.Column("seen_ns", sa.BigInteger(), nullable=True),
        sa.Column("firmware", sa.String(length=32), nullable=True),
        sa.Column("model", sa.BigInteger(), nullable=False),
        sa.Column("contract", sa.String(length=32), nullable=True),
        sa.Column("boot", sa.BigInteger(), nullable=True),
        sa.Column("reset", sa.String(length=16), nullable=True),
        sa.Column("slot", sa.String(length=16), nullable=True),
        sa.Column("rate_hz", sa.Float(), nullable=True),
        sa.Column("window", sa.Integer(), nullable=True),
        sa.Column("period_ms", sa.BigInteger(), nullable=True),
        sa.Column("update_image", sa.String(length=32), nullable=True),
        sa.Column("update_offset", sa.BigInteger(), nullable=False),
        sa.Column("update_size", sa.BigInteger(), nullable=False),
        sa.Column("update_reason", sa.String(length=32), nullable=True),
        sa.Column("candidate", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("reported_ns", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=True),
        sa.Column("alarm", sa.Boolean(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("threshold", sa.Float(), nullable=True),
        sa.Column("diagnosis", sa.String(length=16), nullable=True),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("lost", sa.BigInteger(), nullable=False),
    )
    op.create_index("nodes_by_name", "nodes", ["name"])


def _make_reports() -> None:
    op.create_table(
        "node_reports",
        sa.Column("id", _NUMBER, primary_key=True),
        sa.Column("point_id", sa.String(length=200), sa.ForeignKey("points.id"), nullable=False),
        sa.Column("node", sa.String(length=32), nullable=False),
        sa.Column("boot", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("uptime_ms", sa.BigInteger(), nullable=False),
        sa.Column("time_ns", sa.BigInteger(), nullable=True),
        sa.Column("arrived_ns", sa.BigInteger(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("alarm", sa.Boolean(), nullable=False),
        sa.Column("model", sa.BigInteger(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("threshold", sa.Float(), nullable=True),
        sa.Column("diagnosis", sa.String(length=16), nullable=True),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("shaft_hz", sa.Float(), nullable=True),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        sa.Column("contract", sa.String(length=32), nullable=True),
        sa.Column("features", sa.LargeBinary(), nullable=False),
        sa.Column("known", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=False),
        sa.UniqueConstraint("point_id", "boot", "number", "digest", name="one_report"),
    )
    op.create_index("node_reports_by_time", "node_reports", ["point_id", "at_ns"])


def _make_events() -> None:
    op.create_table(
        "node_events",
        sa.Column("id", _NUMBER, primary_key=True),
        sa.Column("point_id", sa.String(length=200), sa.ForeignKey("points.id"), nullable=False),
        sa.Column("node", sa.String(length=32), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("entries", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=False),
        sa.UniqueConstraint("point_id", "digest", name="one_event"),
    )
    op.create_index("node_events_by_time", "node_events", ["point_id", "at_ns"])


def downgrade() -> None:
    for table in ("node_events", "node_reports", "nodes", "gateways"):
        op.drop_table(table)
    op.drop_column("alarms", "tag")
