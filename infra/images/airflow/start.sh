#!/bin/sh
# Entry point of the image: becomes `airflow ARGS`. Airflow wants to write to the file of its users' passwords, which is a secret that
# nobody may write to: it gets a copy.
set -eu
umask 077
if [ -n "${AIRFLOW_PASSWORDS_FILE:-}" ]; then
    cat "$AIRFLOW_PASSWORDS_FILE" > "$AIRFLOW_HOME/passwords.json"
    export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE="$AIRFLOW_HOME/passwords.json"
fi
PATH=/opt/airflow/bin:$PATH
export PATH
exec airflow "$@"
