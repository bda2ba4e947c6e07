#!/bin/sh
# Creates random secrets that compose.yaml mounts, in docker/secrets/ (or in $WHORL_SECRETS). Existing files are kept,
# so the script can run again. The folder is private. The files in it are readable, because Compose mounts them
# unchanged and every container reads them as a different user.
set -eu
umask 077

folder=${WHORL_SECRETS:-$(dirname "$0")/secrets}
mkdir -p "$folder"
chmod 700 "$folder"

random_hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

# keep NAME VALUE
keep() {
    if [ -s "$folder/$1" ]; then
        echo "kept  $folder/$1"
        return
    fi
    printf '%s' "$2" > "$folder/$1"
    chmod 444 "$folder/$1"
    echo "made  $folder/$1"
}

if [ -s "$folder/database_url" ] && [ ! -s "$folder/postgres_password" ]; then
    echo "$folder/database_url exists without postgres_password: the right password is unknown." >&2
    exit 1
fi
keep postgres_password "$(random_hex 24)"
keep database_url "postgresql://whorl:$(cat "$folder/postgres_password")@postgres:5432/whorl"
keep whorl_metrics_token "$(random_hex 24)"
# The public key of the first project, whose id is 1: the DSN is <scheme>://<key>@<host>/1.
keep whorl_bootstrap_key "$(random_hex 16)"
keep whorl_bootstrap_token "sntryu_$(random_hex 32)"

if [ ! -s "$folder/alertmanager_webhook_url" ]; then
    if [ -n "${ALERTMANAGER_WEBHOOK_URL:-}" ]; then
        keep alertmanager_webhook_url "$ALERTMANAGER_WEBHOOK_URL"
    else
        echo "write the URL that alerts are posted to into $folder/alertmanager_webhook_url (mode 444)" >&2
        exit 1
    fi
fi
