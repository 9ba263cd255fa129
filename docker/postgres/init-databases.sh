#!/usr/bin/env bash
# Run once by the image of PostgreSQL, on an empty data folder: two databases, each with an owner of
# its own, because Dagster and the platform migrate their schemas independently.
set -euo pipefail

secrets="${SECRETS_DIR:-/run/secrets}"

for name in platform dagster; do
  # the password goes through standard input, so that no list of processes shows it
  psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<SQL
\set password \`cat "$secrets/${name}_password"\`
CREATE ROLE $name LOGIN PASSWORD :'password';
CREATE DATABASE $name OWNER $name;
REVOKE CONNECT ON DATABASE $name FROM PUBLIC;
SQL
done

# Grafana may read what Dagster keeps, so that a dashboard can show its runs, and nothing else.
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname dagster <<SQL
\set password \`cat "$secrets/grafana_database_password"\`
CREATE ROLE grafana LOGIN PASSWORD :'password';
GRANT CONNECT ON DATABASE dagster TO grafana;
GRANT USAGE ON SCHEMA public TO grafana;
ALTER DEFAULT PRIVILEGES FOR ROLE dagster IN SCHEMA public GRANT SELECT ON TABLES TO grafana;
SQL
