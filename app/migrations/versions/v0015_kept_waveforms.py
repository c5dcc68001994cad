"""Blocks that still hold their samples are found among all that do not: by their time, and by when they arrived."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0013"
branch_labels = None
depends_on = None

_KEPT = sa.text("waveform IS NOT NULL")


def upgrade() -> None:
    for name, columns in (("kept_by_end", ["point_id", "end_ns"]), ("kept_by_arrival", ["arrived_ns"])):
        op.create_index(name, "blocks", columns, sqlite_where=_KEPT, postgresql_where=_KEPT)


def downgrade() -> None:
    op.drop_index("kept_by_arrival", "blocks")
    op.drop_index("kept_by_end", "blocks")
