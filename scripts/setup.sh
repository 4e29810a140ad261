#!/bin/sh
# Installs what is missing to work on this repository, and says what it installs.
# usage: setup.sh [apt package]...
# Needs Node >= 20 with npm; for missing apt packages a Debian or Ubuntu with root or sudo.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

command -v npm >/dev/null || die 'npm is missing; install Node.js 20 or newer (https://nodejs.org), nothing was installed'
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 20 ] || die "Node.js $(node --version) is too old; install 20 or newer, nothing was installed"

# .npmrc turns install scripts off: those of ssh2 compile native add-ons, which would get into dist.
if [ ! -e node_modules/.package-lock.json ] || [ -n "$(find package-lock.json -newer node_modules/.package-lock.json)" ]; then
  say 'installing the npm packages of package-lock.json'
  npm ci --no-audit --no-fund
fi

# The one exception: the package `node` fetches its binary, the Node that runs actions, by an install script.
if [ ! -x node_modules/.bin/node ]; then
  say 'installing Node.js 24 into node_modules'
  npm rebuild node --ignore-scripts=false --foreground-scripts
  [ -x node_modules/.bin/node ] || die 'node_modules/.bin/node is missing after npm rebuild node; see the lines above'
fi

[ $# -gt 0 ] || exit 0
command -v dpkg-query >/dev/null || die "this is no Debian or Ubuntu; install by hand what these packages hold: $*"

missing=
for package; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
  sudo=
elif command -v sudo >/dev/null; then
  sudo=sudo
else
  die "apt packages are missing:$missing; run this as root, or install sudo"
fi
say "installing apt packages:$missing"
# RUNLEVEL=1 keeps packages from starting their services where there is no systemd; the tests start their own sshd.
apt() { $sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -o DPkg::Lock::Timeout=120 -qq "$@"; }
apt update || say 'apt-get update failed; trying with the package lists that are here'
# shellcheck disable=SC2086 # a list of package names
apt install -y --no-install-recommends $missing
