"""Channels that tell people of alarms remember how far in the journal they are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notice_channels",
        sa.Column("channel", sa.String(length=200), primary_key=True),
        sa.Column("told", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_ns", sa.BigInteger(), nullable=False),
        sa.Column("failure", sa.String(), nullable=True),
    )


def downgrade() -> None:
    op.drop_table("notice_channels")
