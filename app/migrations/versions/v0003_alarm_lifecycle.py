"""Alarms have a lifecycle that people take part in, and a journal of every step; open ones begin unacknowledged."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tags = op.create_table(
        "alarm_tags",
        sa.Column("point_id", sa.String(length=200), sa.ForeignKey("points.id"), primary_key=True),
        sa.Column("tag", sa.String(length=32), primary_key=True),
        sa.Column("priority", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("since_ns", sa.BigInteger(), nullable=False),
        sa.Column("until_ns", sa.BigInteger(), nullable=True),
    )
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    journal = op.create_table(
        "alarm_journal",
        sa.Column("id", number, primary_key=True),
        sa.Column("point_id", sa.String(length=200), sa.ForeignKey("points.id"), nullable=False),
        sa.Column("tag", sa.String(length=32), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(length=24), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("before", sa.String(length=24), nullable=False),
        sa.Column("after", sa.String(length=24), nullable=False),
        sa.Column("until_ns", sa.BigInteger(), nullable=True),
    )
    op.create_index("alarm_journal_by_point", "alarm_journal", ["point_id", "tag", "at_ns"])
    op.create_index("alarm_journal_by_time", "alarm_journal", ["at_ns"])
    _take_over(tags, journal)


def _take_over(tags: sa.Table, journal: sa.Table) -> None:
    """Alarms that are open while the store is brought to this form go on as new ones."""
    open_ones = sa.text("SELECT point_id, MAX(raised_ns) FROM alarms WHERE cleared_ns IS NULL GROUP BY point_id")
    for point_id, raised_ns in op.get_bind().execute(open_ones).all():
        stands = {"state": "unacknowledged", "active": True, "since_ns": raised_ns, "priority": "high"}
        step = {"action": "raise", "who": "raceway", "why": "", "before": "normal", "after": "unacknowledged"}
        op.bulk_insert(tags, [{"point_id": point_id, "tag": "health", "until_ns": None} | stands])
        op.bulk_insert(journal, [{"point_id": point_id, "tag": "health", "at_ns": raised_ns, "until_ns": None} | step])


def downgrade() -> None:
    op.drop_table("alarm_journal")
    op.drop_table("alarm_tags")
