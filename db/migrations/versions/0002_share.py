"""Column `share_s`: an attempt's share of the time of its process."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("task_run", sa.Column("share_s", sa.Float(precision=53), nullable=True))
    # where others ran beside it, only the device's figures still tell its part
    op.execute("""
        UPDATE task_run
        SET share_s = CASE
            WHEN cpu_scope = 'process' THEN run_s
            WHEN gpu_util_mean_pct > 0 THEN gpu_active_s * 100 / gpu_util_mean_pct
        END
        WHERE cpu_scope IS NOT NULL
    """)
    op.drop_index("task_run_bound_idx", "task_run")
    op.create_index(
        "task_run_bound_idx",
        "task_run",
        [
            "task_name",
            "started_epoch",
            "run_s",
            "cpu_user_s",
            "cpu_system_s",
            "cpu_children_s",
            "cpu_wait_s",
            "gpu_active_s",
            "share_s",
        ],
        unique=False,
    )
