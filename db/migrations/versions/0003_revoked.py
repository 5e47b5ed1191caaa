"""Recording times for attempts that were revoked before they started, so that they can be trimmed."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run = sa.table(
        "task_run",
        sa.column("started_epoch", sa.BigInteger()),
        sa.column("recorded_at", sa.DateTime(timezone=True)),
    )
    timeless = run.c.started_epoch.is_(None) & run.c.recorded_at.is_(None)
    op.execute(run.update().where(timeless).values(recorded_at=datetime.now(UTC)))
