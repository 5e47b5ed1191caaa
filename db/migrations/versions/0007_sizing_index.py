"""Index that covers the query `sizing`, in the order of its groups."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    columns = ["task_name", "engine", "device", "pool", "worker", "started_epoch", "finished_epoch", "run_s"]
    op.create_index(
        "task_run_sizing_idx", "task_run", [*columns, "audio_s", "state", "cache_hit"], unique=False
    )
