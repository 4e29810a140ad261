#!/bin/sh
# What a release has besides its tag: the action as it is at HEAD, all that the runner starts and all that it sends to a host, in one
# archive; and SHA256SUMS, with the checksum of the archive and of each file in it.
# usage: release-files.sh VERSION FOLDER
set -eu
version=${1:?usage: release-files.sh VERSION FOLDER}
mkdir -p "${2:?usage: release-files.sh VERSION FOLDER}"
folder=$(cd "$2" && pwd)
cd "$(dirname "$0")/.."

name=db-backup-action-$version
git archive --format=tar.gz --prefix="$name/" --output="$folder/$name.tar.gz" HEAD action.yml step dist LICENSE

# Of the archive, not of the folder: what is not committed is not in it.
unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT
tar -xzf "$folder/$name.tar.gz" -C "$unpacked"
(cd "$folder" && sha256sum "$name.tar.gz") >"$folder/SHA256SUMS"
(cd "$unpacked/$name" && find . -type f | sed 's|^\./||' | LC_ALL=C sort | xargs -d '\n' sha256sum) >>"$folder/SHA256SUMS"
