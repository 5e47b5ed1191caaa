"""Tables `http_client` and `http_request`: keys, quotas and requests of the HTTP service's clients."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "http_client",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("characters_per_day", sa.BigInteger(), nullable=True),
        sa.Column("jobs_at_once", sa.BigInteger(), nullable=True),
        sa.Column("requests_per_minute", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name="http_client_pkey"),
        sa.UniqueConstraint("key_hash", name="http_client_key_hash_key"),
        comment="One row per client of the HTTP service.",
    )
    op.create_table(
        "http_request",
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("chars_in", sa.BigInteger(), nullable=True),
        sa.Column("requested_epoch", sa.BigInteger(), nullable=True),
        sa.Column("ended_epoch", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("task_id", name="http_request_pkey"),
        comment="One row per request of a client with a key.",
    )
    op.create_index(
        "http_request_client_requested_epoch_idx", "http_request", ["client", "requested_epoch"], unique=False
    )
    op.create_index("http_request_requested_epoch_idx", "http_request", ["requested_epoch"], unique=False)
