"""Aggregates that follow `task_run` by its id: `rollup_outcome`, `rollup_process`, `rollup_request`."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "rollup_outcome",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("hour_epoch", sa.BigInteger(), nullable=True),
        sa.Column("task_name", sa.Text(), nullable=True),
        sa.Column("engine", sa.Text(), nullable=True),
        sa.Column("device", sa.Text(), nullable=True),
        sa.Column("pool", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("exc_type", sa.Text(), nullable=True),
        sa.Column("energy_scope", sa.Text(), nullable=True),
        sa.Column("cold_start", sa.SmallInteger(), nullable=True),
        sa.Column("bound_by", sa.Text(), nullable=True),
        sa.Column("has_audio", sa.SmallInteger(), nullable=True),
        sa.Column("n", sa.BigInteger(), nullable=True),
        sa.Column("n_run", sa.BigInteger(), nullable=True),
        sa.Column("run_sum_s", sa.Float(precision=53), nullable=True),
        sa.Column("n_ended", sa.BigInteger(), nullable=True),
        sa.Column("ended_run_sum_s", sa.Float(precision=53), nullable=True),
        sa.Column("cpu_sum_s", sa.Float(precision=53), nullable=True),
        sa.Column("n_gpu_active", sa.BigInteger(), nullable=True),
        sa.Column("gpu_active_sum_s", sa.Float(precision=53), nullable=True),
        sa.Column("n_energy", sa.BigInteger(), nullable=True),
        sa.Column("energy_sum_j", sa.Float(precision=53), nullable=True),
        sa.Column("audio_sum_s", sa.Float(precision=53), nullable=True),
        sa.Column("made_audio_sum_s", sa.Float(precision=53), nullable=True),
        sa.Column("n_model_load", sa.BigInteger(), nullable=True),
        sa.Column("model_load_sum_s", sa.Float(precision=53), nullable=True),
        sa.Column("model_load_max_s", sa.Float(precision=53), nullable=True),
        sa.Column("n_gpu_mem", sa.BigInteger(), nullable=True),
        sa.Column("gpu_mem_reserved_sum_bytes", sa.BigInteger(), nullable=True),
        sa.Column("gpu_mem_reserved_max_bytes", sa.BigInteger(), nullable=True),
        sa.Column("gpu_mem_alloc_sum_bytes", sa.BigInteger(), nullable=True),
        sa.Column("gpu_mem_total_max_bytes", sa.BigInteger(), nullable=True),
        sa.Column("gpu_alloc_retries_sum", sa.BigInteger(), nullable=True),
        sa.Column("gpu_ooms_sum", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="rollup_outcome_pkey"),
        comment="Permanent aggregates by hour and outcome; several rows of one hour and outcome add up.",
    )
    op.create_index("rollup_outcome_hour_epoch_idx", "rollup_outcome", ["hour_epoch"], unique=False)
    op.create_table(
        "rollup_process",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("hour_epoch", sa.BigInteger(), nullable=True),
        sa.Column("task_name", sa.Text(), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("worker_pid", sa.Integer(), nullable=True),
        sa.Column("n", sa.BigInteger(), nullable=True),
        sa.Column("seq_sum", sa.Numeric(), nullable=True),
        sa.Column("rss_start_sum", sa.Numeric(), nullable=True),
        sa.Column("seq_rss_sum", sa.Numeric(), nullable=True),
        sa.Column("seq_seq_sum", sa.Numeric(), nullable=True),
        sa.Column("rss_start_max_bytes", sa.BigInteger(), nullable=True),
        sa.Column("rss_start_min_bytes", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="rollup_process_pkey"),
        comment="Aggregates by hour and process, for the slope of its memory; rows of one key add up.",
    )
    op.create_index("rollup_process_hour_epoch_idx", "rollup_process", ["hour_epoch"], unique=False)
    op.create_table(
        "rollup_request",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("hour_epoch", sa.BigInteger(), nullable=True),
        sa.Column("root_id", sa.Text(), nullable=True),
        sa.Column("first_epoch", sa.BigInteger(), nullable=True),
        sa.Column("last_epoch", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="rollup_request_pkey"),
        comment="First start and last end by hour and request; several rows of one key add up.",
    )
    op.create_index("rollup_request_hour_epoch_idx", "rollup_request", ["hour_epoch"], unique=False)
    op.create_table(
        "rollup_mark",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("through_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="rollup_mark_pkey"),
        comment="Progress of the aggregates that follow task_run by its id.",
    )
    op.execute("INSERT INTO rollup_mark (name, through_id) VALUES ('task_run', 0)")
