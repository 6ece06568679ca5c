#!/bin/sh
# Makes the secrets of docker-compose.yml, random ones, beside this file in secrets/. Those that are there stay as they are.
# The folder is closed to everybody but its owner. The files in it can be read by all: Compose mounts them as they are, and containers
# run under other accounts.
set -eu
umask 077
folder=$(dirname -- "$0")/secrets
mkdir -p "$folder"
chmod 0700 "$folder"

random() { # COUNT: so many random bytes, in letters that need no quoting in an address
    head -c "$1" /dev/urandom | base64 | tr -d '\n=' | tr '+/' '-_'
}

keep() { # NAME: standard input, unless the file is there and not empty; without a line end, which some programs would take for a part
    content=$(cat)
    if [ ! -s "$folder/$1" ]; then
        printf '%s' "$content" > "$folder/$1.part"
        chmod 0444 "$folder/$1.part"
        mv "$folder/$1.part" "$folder/$1"
        echo "made $folder/$1"
    fi
}

for name in postgres_superuser postgres_shop postgres_debezium postgres_airflow mongo_root mongo_shop grafana_admin \
    airflow_jwt_secret airflow_api_secret; do
    random 32 | keep "$name"
done
head -c 756 /dev/urandom | base64 | tr -d '\n' | keep mongo_keyfile
head -c 64 /dev/urandom | base64 | tr -d '\n' | keep lake_account_key
head -c 32 /dev/urandom | base64 | tr -d '\n' | tr '+/' '-_' | keep airflow_fernet_key

printf 'mongodb://c360:%s@mongo:27017/?replicaSet=rs0&authSource=admin' "$(cat "$folder/mongo_shop")" | keep mongo_uri
printf 'postgresql+psycopg2://airflow:%s@postgres:5432/airflow' "$(cat "$folder/postgres_airflow")" | keep airflow_database
printf '{"admin": "%s"}' "$(random 18)" | keep airflow_passwords
