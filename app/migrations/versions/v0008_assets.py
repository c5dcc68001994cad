"""People enter machines and points; what a point said of itself is kept beside it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "asset_machines",
        sa.Column("site", sa.String(length=64), primary_key=True),
        sa.Column("asset", sa.String(length=64), primary_key=True),
        sa.Column("area", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("speed_rpm", sa.Float(), nullable=True),
        sa.Column("iso_group", sa.String(length=64), nullable=True),
    )
    op.create_table(
        "asset_points",
        sa.Column("point_id", sa.String(length=200), sa.ForeignKey("points.id"), primary_key=True),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("bearing", sa.String(), nullable=True),
        sa.Column("speed_rpm", sa.Float(), nullable=True),
        sa.Column("mounting", sa.String(length=16), nullable=True),
        sa.Column("said", sa.String(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("asset_points")
    op.drop_table("asset_machines")
