#!/bin/sh
# Asks the registries for the digest of every image that docker-compose.yml names with its tag, and writes digests.env. Needs buildx.
set -eu
here=$(dirname -- "$0")
part=$here/digests.env.part
echo '# Made by infra/compose/digests.sh, for: docker compose --env-file infra/compose/digests.env ...' > "$part"
sed -n 's/.*[ "]\([a-z0-9./_-]*:[A-Za-z0-9._-]*\)\${\([A-Z0-9_]*\)_DIGEST:-}.*/\2 \1/p' "$here/../../docker-compose.yml" | sort -u |
    while read -r name image; do
        digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$image")
        case $digest in
            sha256:*) printf '%s_DIGEST=@%s\n' "$name" "$digest" >> "$part" ;;
            *) echo "error: $image has no digest: $digest" >&2; exit 1 ;;
        esac
        echo "$image@$digest"
    done
mv "$part" "$here/digests.env"
