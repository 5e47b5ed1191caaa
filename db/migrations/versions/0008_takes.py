"""Columns `take`, `findings` and `score`: the verdict of a check on a take."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("task_run", sa.Column("take", sa.Integer(), nullable=True))
    op.add_column("task_run", sa.Column("findings", sa.Text(), nullable=True))
    op.add_column("task_run", sa.Column("score", sa.Float(precision=53), nullable=True))
