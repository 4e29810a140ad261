#!/bin/sh
# Prints the path of schemathesis, which calls an API in all ways that its OpenAPI document allows, and in many that it does not: that on
# the PATH, or that of PyPI. Fetched once, in some seconds, into ${XDG_CACHE_HOME:-~/.cache}/db-backup-action; nothing is installed.
# usage: schemathesis.sh
set -eu

version=4.32.5
folder=${XDG_CACHE_HOME:-$HOME/.cache}/db-backup-action
place=$folder/schemathesis-$version
program=$place/bin/schemathesis

say() { printf 'schemathesis: %s\n' "$*" >&2; }

if command -v schemathesis; then exit; fi
if [ -e "$place/complete" ]; then
  echo "$program"
  exit
fi
if ! command -v python3 >/dev/null || ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
  say 'there is no Python 3 with venv and pip; put schemathesis on the PATH (https://schemathesis.io)'
  exit 1
fi
mkdir -p "$folder"
trap 'rm -rf "$place"' EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM
say "fetching schemathesis $version for $place"
# where it is to stay: its programs begin with the path of their Python
rm -rf "$place"
python3 -m venv "$place"
"$place/bin/pip" install --quiet --disable-pip-version-check --no-input "schemathesis==$version" >&2
touch "$place/complete"
trap - EXIT
echo "$program"
