#!/bin/sh
# Entry point of the image: fills the worker's settings from CONNECT_*, and takes secrets out of their files.
#   C360_SOURCE_NAME_FILE=/run/secrets/name  becomes  C360_SOURCE_NAME=<what is in the file>
# which is what connector JSON asks for as ${env:C360_SOURCE_NAME}. Then it becomes the command.
set -eu

for name in $(env | sed -n 's/^\(C360_SOURCE_[A-Z0-9_]*\)_FILE=.*/\1/p'); do
    file=
    eval "file=\$${name}_FILE"
    [ -r "$file" ] || { echo "error: ${name}_FILE: cannot read $file" >&2; exit 2; }
    value=$(cat "$file")
    export "$name=$value"
    unset "${name}_FILE"
done

template=${CONNECT_TEMPLATE:-/opt/c360/connect.properties}
properties=${CONNECT_PROPERTIES:-/tmp/connect.properties}
sed -e "s|\$bootstrap|${CONNECT_BOOTSTRAP:?}|" \
    -e "s|\$listen|0.0.0.0|" \
    -e "s|\$host|${CONNECT_HOST:?}|" \
    -e "s|\$port|${CONNECT_PORT:-8083}|" \
    -e "s|\$registry|${CONNECT_REGISTRY:?}|" \
    -e "s|\$extensions||" \
    -e "s|\$replication|${CONNECT_REPLICATION_FACTOR:-1}|" \
    -e "s|\$plugins|${CONNECT_PLUGINS:-/opt/c360/plugins}|" \
    "$template" > "$properties"

exec "$@"
