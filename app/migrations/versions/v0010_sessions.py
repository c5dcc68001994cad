"""Who is logged in to the console: the hash of each session's token, and until when it counts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=64), primary_key=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("opened_ns", sa.BigInteger(), nullable=False),
        sa.Column("ends_ns", sa.BigInteger(), nullable=False),
    )
    op.create_index("sessions_by_name", "sessions", ["name"])
    op.create_index("audit_by_time", "audit", ["at_ns"])


def downgrade() -> None:
    op.drop_index("audit_by_time", "audit")
    op.drop_table("sessions")
