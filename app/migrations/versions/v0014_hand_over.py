"""People ask for a retraining, and a retrained network of nodes waits as a roll-out to be signed and begun."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0009"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "retraining_asks",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("point_id", sa.String(length=200), sa.ForeignKey("points.id"), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(length=40), sa.ForeignKey("retraining_runs.id"), nullable=True),
    )
    op.create_index("asks_by_run", "retraining_asks", ["run_id"])
    op.add_column("rollouts", sa.Column("bundle", sa.String(length=200), nullable=True))
    # A run that is gone on with hands a network over once.
    op.create_index("rollout_of_bundle", "rollouts", ["bundle"], unique=True)


def downgrade() -> None:
    op.drop_index("rollout_of_bundle", "rollouts")
    with op.batch_alter_table("rollouts") as batch:
        batch.drop_column("bundle")
    op.drop_table("retraining_asks")
