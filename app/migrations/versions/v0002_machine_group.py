"""Points know the machine group whose severity zones they are judged by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("points", sa.Column("iso_group", sa.String(length=64), nullable=True))


def downgrade() -> None:
    # Not as a batch: that makes the table anew, which SQLite refuses while blocks refer to its rows.
    op.drop_column("points", "iso_group")
