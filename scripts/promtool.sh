#!/bin/sh
# Prints the path of promtool, which checks metrics and alert rules: that on the PATH, or that of Debian's package prometheus, of which
# nothing else is kept. Fetched once, in some seconds, into ${XDG_CACHE_HOME:-~/.cache}/db-backup-action; nothing is installed.
# usage: promtool.sh
set -eu

folder=${XDG_CACHE_HOME:-$HOME/.cache}/db-backup-action
program=$folder/promtool

say() { printf 'promtool: %s\n' "$*" >&2; }

if command -v promtool; then exit; fi
if [ -x "$program" ]; then
  echo "$program"
  exit
fi
if ! command -v dpkg >/dev/null || ! command -v apt-get >/dev/null; then
  say 'this is no Debian or Ubuntu; put promtool on the PATH (https://prometheus.io/download)'
  exit 1
fi
mkdir -p "$folder"
new=$(mktemp -d "$folder/new.XXXXXX")
trap 'rm -rf "$new"' EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM
cd "$new"
say "fetching the package prometheus for $program"
apt-get -qq download prometheus >&2
dpkg -x prometheus_*.deb unpacked
mv unpacked/usr/bin/promtool "$program"
echo "$program"
