#!/bin/sh
# The role that dashboards read the history with: it can change nothing, and no question of its runs for long.
# PostgreSQL's image runs this once, when it makes the database; for one that exists, run it by hand.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$GRAFANA_DATABASE_PASSWORD" -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
CREATE ROLE grafana LOGIN PASSWORD :'password' CONNECTION LIMIT 20;
GRANT pg_read_all_data TO grafana;
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '30s';
SQL
