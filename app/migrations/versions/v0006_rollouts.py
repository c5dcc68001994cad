"""Roll-outs of models to nodes, with their nodes and every step."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "rollouts",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("image", sa.LargeBinary(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("forgiven", sa.Integer(), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "rollout_members",
        sa.Column("rollout_id", _ID, sa.ForeignKey("rollouts.id"), primary_key=True),
        sa.Column("place", sa.Integer(), primary_key=True),
        sa.Column("point_id", sa.String(length=200), sa.ForeignKey("points.id"), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("since_ns", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("former_version", sa.BigInteger(), nullable=False),
        sa.Column("former_boot", sa.BigInteger(), nullable=True),
        sa.Column("former_alarm", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "rollout_log",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("rollout_id", _ID, sa.ForeignKey("rollouts.id"), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=24), nullable=False),
        sa.Column("point_id", sa.String(length=200), nullable=True),
        sa.Column("why", sa.String(), nullable=False),
    )
    op.create_index("rollout_log_by_rollout", "rollout_log", ["rollout_id", "id"])


def downgrade() -> None:
    op.drop_table("rollout_log")
    op.drop_table("rollout_members")
    op.drop_table("rollouts")
