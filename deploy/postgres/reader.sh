#!/bin/sh
# Create the role that dashboards use to read the history: read-only, with a statement timeout.
# PostgreSQL's image runs this once, when it creates the database; for an existing database, run it by hand.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$GRAFANA_DATABASE_PASSWORD" -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
CREATE ROLE grafana LOGIN PASSWORD :'password' CONNECTION LIMIT 20;
GRANT pg_read_all_data TO grafana;
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '30s';
SQL
