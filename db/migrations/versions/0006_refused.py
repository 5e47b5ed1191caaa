"""Column `refused`: requests that were refused before they were planned."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("refused", sa.SmallInteger(), nullable=True))
    op.create_index(
        "job_refused_idx",
        "job",
        ["created_epoch", "id"],
        unique=False,
        sqlite_where=sa.text("refused = 1"),
        postgresql_where=sa.text("refused = 1"),
    )
