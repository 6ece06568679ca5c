#!/bin/sh
# MongoDB takes a key file only from its own account, with nobody else's rights; secrets are mounted otherwise.
set -eu
install -m 0400 -o mongodb -g mongodb /run/secrets/mongo_keyfile /data/configdb/keyfile
exec docker-entrypoint.sh "$@"
