#!/bin/sh
# Builds MinIO, a real S3 server for the tests and the benchmark, from its source, as the Go module proxy has it, and prints its path.
# Once, in some minutes; needs Go. It is kept in ${XDG_CACHE_HOME:-~/.cache}/db-backup-action; nothing else is installed.
# usage: minio.sh [find]     find: builds nothing; fails when there is neither the one of before nor a `minio` on the PATH
set -eu

# Its last one: the repository is archived. The proxy has it by this name alone, not by those of its releases.
version=v0.0.0-20260212201848-7aac2a2c5b7c
folder=${XDG_CACHE_HOME:-$HOME/.cache}/db-backup-action
program=$folder/minio-$version

say() { printf 'minio: %s\n' "$*" >&2; }

if [ -x "$program" ]; then
  echo "$program"
  exit
fi
if [ "${1:-}" = find ]; then
  command -v minio
  exit
fi
if ! command -v go >/dev/null; then
  say 'Go is missing (https://go.dev/dl, 1.24 or newer); nothing was built'
  exit 1
fi
say "building github.com/minio/minio@$version into $folder"
mkdir -p "$folder"
new=$(mktemp -d "$folder/new.XXXXXX")
trap 'rm -rf "$new"' EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM
GOBIN=$new CGO_ENABLED=0 go install -trimpath -ldflags '-s -w' "github.com/minio/minio@$version"
mv "$new/minio" "$program"
echo "$program"
