"""Models are retrained by a job that can be broken off anywhere: its runs, its lock, its frozen windows, promotions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLES = ("frozen_windows", "retraining_tasks", "retraining_runs", "retraining_lock", "promotions")


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "frozen_windows",
        sa.Column("id", number, primary_key=True),
        sa.Column("point_id", sa.String(length=200), sa.ForeignKey("points.id"), nullable=False),
        sa.Column("after", sa.BigInteger(), nullable=False),
        sa.Column("contract", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("level", sa.Float(), nullable=True),
        sa.Column("window_id", sa.BigInteger(), nullable=True),
        sa.Column("features", sa.LargeBinary(), nullable=False),
    )
    op.create_index("frozen_by_point", "frozen_windows", ["point_id", "after"])
    op.create_table(
        "retraining_runs",
        sa.Column("id", sa.String(length=40), primary_key=True),
        sa.Column("started_ns", sa.BigInteger(), nullable=False),
        sa.Column("ended_ns", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("options", sa.String(), nullable=False),
    )
    op.create_table(
        "retraining_tasks",
        sa.Column("run_id", sa.String(length=40), sa.ForeignKey("retraining_runs.id"), primary_key=True),
        sa.Column("role", sa.String(length=32), primary_key=True),
        sa.Column("point_id", sa.String(length=200), primary_key=True),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("champion", sa.String(length=200), nullable=True),
        sa.Column("challenger", sa.String(length=200), nullable=True),
        sa.Column("findings", sa.String(), nullable=False),
    )
    lock = op.create_table(
        "retraining_lock",
        sa.Column("name", sa.String(length=32), primary_key=True),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("beat_ns", sa.BigInteger(), nullable=False),
    )
    op.bulk_insert(lock, [{"name": "retraining", "holder": "", "beat_ns": 0}])
    op.create_table(
        "promotions",
        sa.Column("id", number, primary_key=True),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("point_id", sa.String(length=200), nullable=False),
        sa.Column("bundle", sa.String(length=200), nullable=False),
        sa.Column("former", sa.String(length=200), nullable=True),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.String(length=40), nullable=False),
        sa.Column("undone_ns", sa.BigInteger(), nullable=True),
        sa.Column("undone_why", sa.String(), nullable=True),
    )
    op.create_index("promotions_by_model", "promotions", ["role", "point_id", "id"])


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
