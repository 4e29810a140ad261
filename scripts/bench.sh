#!/bin/sh
# Speed and memory against what one would type by hand, on this machine: npm run bench [-- MEGABYTES [RUNS]]
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh openssh-server openssh-client postgresql zstd pigz gzip
[ "$(id -u)" = 0 ] || { echo 'npm run bench needs root: PostgreSQL is started as another user' >&2; exit 1; }
exec node_modules/.bin/node --disable-warning=ExperimentalWarning --experimental-transform-types \
  --import ./scripts/typescript.mjs scripts/bench.ts "$@"
