#!/bin/sh
# On a throw-away Ubuntu of the continuous integration: this version of PostgreSQL, server and clients, and no other.
# usage: ci-postgres.sh VERSION
set -eu
version=$1
[ -n "${CI-}" ] || { echo 'ci-postgres.sh removes every PostgreSQL here; it is for the continuous integration' >&2; exit 1; }

sudo apt-get -qq purge -y 'postgresql-[0-9]*' 'postgresql-client-[0-9]*' postgresql
sudo apt-get -qq update
sudo apt-get -qq install -y postgresql-common equivs
sudo /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y
sudo env RUNLEVEL=1 apt-get -qq install -y "postgresql-$version"

# scripts/test.sh asks for the package `postgresql`, which would bring the newest version: an empty one takes its place.
folder=$(mktemp -d)
cd "$folder"
printf 'Package: postgresql\nVersion: 999\nDescription: stands for postgresql-%s\n' "$version" >control
equivs-build control >/dev/null
sudo dpkg -i postgresql_999_all.deb
ls /usr/lib/postgresql
