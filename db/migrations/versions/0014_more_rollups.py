"""Aggregates for `busy`, `clients`, `memory` and `takes`, with a mark of their own.

Indexes that only served queries which read aggregates now are dropped: writing is faster, and 10,000,000 rows
need 5 GB less. PostgreSQL vacuums after 2 % of new rows, so that scans of an index alone remain possible.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _rollup(
        "memory",
        "Aggregates by hour and peak memory, for percentiles in MiB; rows of one key add up.",
        sa.Column("task_name", sa.Text(), nullable=True),
        sa.Column("peak_mib", sa.BigInteger(), nullable=True),
        sa.Column("n", sa.BigInteger(), nullable=True),
        sa.Column("rss_peak_max_bytes", sa.BigInteger(), nullable=True),
        sa.Column("limit_max_pct", sa.Float(precision=53), nullable=True),
    )
    _rollup(
        "request_cost",
        "Aggregates by hour and request; rows of one key add up.",
        sa.Column("root_id", sa.Text(), nullable=True),
        sa.Column("job", sa.Text(), nullable=True),
        sa.Column("n", sa.BigInteger(), nullable=True),
        sa.Column("run_sum_s", sa.Float(precision=53), nullable=True),
        sa.Column("cpu_sum_s", sa.Float(precision=53), nullable=True),
        sa.Column("audio_sum_s", sa.Float(precision=53), nullable=True),
        sa.Column("gpu_active_sum_s", sa.Float(precision=53), nullable=True),
    )
    _rollup(
        "take",
        "Permanent aggregates of takes by hour and findings; rows of one key add up.",
        sa.Column("engine", sa.Text(), nullable=True),
        sa.Column("findings", sa.Text(), nullable=True),
        sa.Column("n", sa.BigInteger(), nullable=True),
        sa.Column("n_score", sa.BigInteger(), nullable=True),
        sa.Column("score_sum", sa.Float(precision=53), nullable=True),
        sa.Column("n_made_again", sa.BigInteger(), nullable=True),
        sa.Column("n_replaced", sa.BigInteger(), nullable=True),
        sa.Column("next_run_sum_s", sa.Float(precision=53), nullable=True),
        sa.Column("next_cpu_sum_s", sa.Float(precision=53), nullable=True),
    )
    _rollup(
        "worker",
        "Aggregates by hour and worker; rows of one key add up.",
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("n", sa.BigInteger(), nullable=True),
        sa.Column("busy_sum_s", sa.Float(precision=53), nullable=True),
        sa.Column("concurrency_max", sa.Integer(), nullable=True),
    )
    for each in ("bound", "energy", "leaks", "memory", "sizing", "takes"):
        op.drop_index(f"task_run_{each}_idx", "task_run")
    _partial_index(
        "task_run_releases_idx",
        ["app_version", "task_name", "engine", "device", "rtf", "started_epoch"],
        "state = 'SUCCESS' AND rtf IS NOT NULL AND cold_start = 0",
    )
    _partial_index("task_run_segment_takes_idx", ["job", "segment"], "take < 100 AND state = 'SUCCESS'")
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE task_run SET (autovacuum_vacuum_insert_scale_factor = 0.02)")
    mark = sa.Column("figures_through_id", sa.BigInteger(), server_default="0", nullable=False)
    op.add_column("rollup_mark", mark)


def _rollup(name: str, comment: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        f"rollup_{name}",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("hour_epoch", sa.BigInteger(), nullable=True),
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"rollup_{name}_pkey"),
        comment=comment,
    )
    op.create_index(f"rollup_{name}_hour_epoch_idx", f"rollup_{name}", ["hour_epoch"], unique=False)


def _partial_index(name: str, columns: list[str], where: str) -> None:
    op.create_index(
        name, "task_run", columns, unique=False, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )
