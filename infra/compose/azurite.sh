#!/bin/sh
# Azurite takes accounts from its environment: the key goes from its file to this one process.
# Without the check of API versions: clients are newer than it. Path style: its name in the network has no account in it.
set -eu
AZURITE_ACCOUNTS="c360lake:$(cat /run/secrets/lake_account_key)"
export AZURITE_ACCOUNTS
exec azurite-blob --blobHost 0.0.0.0 --blobPort 10000 --location /data --silent --skipApiVersionCheck --disableTelemetry --disableProductStyleUrl
