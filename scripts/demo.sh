#!/bin/sh
# The main job, on this machine and in a minute: npm run demo
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh openssh-server openssh-client sqlite3 zstd
exec node_modules/.bin/node --disable-warning=ExperimentalWarning --experimental-transform-types \
  --import ./scripts/typescript.mjs scripts/demo.ts
