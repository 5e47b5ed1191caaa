"""Index that covers the query `takes`, in the order of its groups."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    columns = ["job", "segment", "take", "task_name", "engine", "findings", "score", "started_epoch", "run_s"]
    op.create_index(
        "task_run_takes_idx",
        "task_run",
        [*columns, "cpu_user_s", "cpu_system_s", "cpu_children_s", "state"],
        unique=False,
        sqlite_where=sa.text("take < 100 AND state = 'SUCCESS'"),
        postgresql_where=sa.text("take < 100 AND state = 'SUCCESS'"),
    )
