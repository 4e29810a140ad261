#!/bin/sh
# Speed and memory against what one would type by hand, on this machine: npm run bench [-- MEGABYTES [RUNS]]
# BENCH_UPLOAD_MIB: size of the upload to S3, else 1024. It goes to MinIO when scripts/minio.sh has built it, else to Ceph.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh openssh-server openssh-client postgresql pgbackrest sudo zstd pigz gzip age gnupg sqlite3 curl radosgw ceph-mon ceph-osd ceph-common
[ "$(id -u)" = 0 ] || { echo 'npm run bench needs root: PostgreSQL is started as another user' >&2; exit 1; }
exec node_modules/.bin/node --disable-warning=ExperimentalWarning --experimental-transform-types \
  --import ./scripts/typescript.mjs scripts/bench.ts "$@"
