#!/bin/sh
# Takes a backup in a container of an image, lists it, proves it by a restore, and puts it back: as a user who is not root, in a file system
# that can not be written but for the volume. Before the image is published, and by hand.
# usage: try-image.sh IMAGE   (CONTAINERS=podman: with that instead of docker)
set -eu
image=${1:?usage: try-image.sh IMAGE}
containers=${CONTAINERS:-docker}

folder=$(mktemp -d)
volume=db-backup-try-$$
trap '"$containers" volume rm "$volume" >/dev/null || :; rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM
mkdir "$folder/data"
chmod 777 "$folder" "$folder/data"

in_image() {
  "$containers" run --rm --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges "$@"
}
db_backup() {
  command=$1
  shift
  in_image -v "$volume:/backups" -v "$folder/data:/data" "$image" "$command" \
    --transport local --database /data/app.db --directory /backups "$@"
}
in_volume() {
  in_image -v "$folder/data:/data" --entrypoint "$1" "$image" /data/app.db "$2"
}

in_volume sqlite3 "create table t(a); insert into t values ('here');"
db_backup backup
db_backup list
db_backup verify --verify restore
in_volume sqlite3 "update t set a = 'gone';"
db_backup restore --confirm app.db
[ "$(in_volume sqlite3 'select a from t;')" = here ]
# every client that it promises
for version in ${POSTGRES_VERSIONS:-15 16 17 18}; do
  in_image --entrypoint "/usr/lib/postgresql/$version/bin/pg_dump" "$image" --version
done
for tool in age gpg curl zstd openssl; do
  in_image --entrypoint "$tool" "$image" --version
done
[ "$(in_image --entrypoint id "$image" -u)" != 0 ]
echo 'try-image: well'
