"""Column `graphs_refused`: parts of a decoder that run without CUDA graphs."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("task_run", sa.Column("graphs_refused", sa.Integer(), nullable=True))
