"""Index of attempts in thread pools, for the busy time of devices in the query `sizing`."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    columns = ["task_name", "engine", "device", "worker", "started_epoch", "finished_epoch", "run_s"]
    op.create_index(
        "task_run_threads_idx",
        "task_run",
        columns,
        unique=False,
        sqlite_where=sa.text("pool = 'threads'"),
        postgresql_where=sa.text("pool = 'threads'"),
    )
