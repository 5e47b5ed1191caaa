"""Table `job_action`: who retried or cancelled a job."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job_action",
        sa.Column("action_uid", sa.Text(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("via", sa.Text(), nullable=True),
        sa.Column("segment", sa.BigInteger(), nullable=True),
        sa.Column("acted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acted_epoch", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("action_uid", name="job_action_pkey"),
        comment="One row per action of a person on a job.",
    )
    op.create_index("job_action_job_idx", "job_action", ["job"], unique=False)
    op.create_index("job_action_acted_epoch_idx", "job_action", ["acted_epoch"], unique=False)
