#!/bin/sh
# Once, when PostgreSQL makes its data folder: Airflow's own role and database. Everything of the platform is made by `c360 provision`.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$(cat /run/secrets/postgres_airflow)" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE airflow LOGIN PASSWORD :'password';
CREATE DATABASE airflow OWNER airflow;
SQL
