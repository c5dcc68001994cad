"""When indicators reach their limits is computed once and kept for all who look."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "forecasts",
        sa.Column("point_id", sa.String(length=200), sa.ForeignKey("points.id"), primary_key=True),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("indicator", sa.String(length=32), nullable=True),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("bound", sa.Float(), nullable=True),
        sa.Column("unit", sa.String(length=8), nullable=True),
        sa.Column("growth_per_day", sa.Float(), nullable=True),
        sa.Column("onset_ns", sa.BigInteger(), nullable=True),
        sa.Column("earliest_ns", sa.BigInteger(), nullable=True),
        sa.Column("likely_ns", sa.BigInteger(), nullable=True),
        sa.Column("latest_ns", sa.BigInteger(), nullable=True),
    )


def downgrade() -> None:
    op.drop_table("forecasts")
