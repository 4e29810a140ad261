#!/bin/sh
# The pictures of the documentation, and the check of the job summary in a browser: npm run screenshots
# With --check nothing is written.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh openssh-server openssh-client sqlite3 zstd chromium-headless-shell fonts-dejavu-core fonts-noto-color-emoji

# Packages of their own: the renderer and mermaid are large, and neither the action nor its tests need them.
if [ ! -e scripts/screenshots/node_modules/.package-lock.json ] ||
  [ -n "$(find scripts/screenshots/package-lock.json -newer scripts/screenshots/node_modules/.package-lock.json)" ]; then
  echo 'screenshots: installing the npm packages of scripts/screenshots/package-lock.json'
  npm ci --prefix scripts/screenshots --ignore-scripts --no-audit --no-fund
fi

summaries=$(mktemp -d)
trap 'rm -rf "$summaries"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
run() {
  node_modules/.bin/node --disable-warning=ExperimentalWarning --experimental-transform-types \
    --import ./scripts/typescript.mjs "$@"
}
echo 'screenshots: the demonstration, with seven backups'
DEMO_BACKUPS=7 DEMO_SUMMARIES=$summaries run scripts/demo.ts >"$summaries/log" || { cat "$summaries/log"; exit 1; }
run scripts/screenshots/main.mjs "$summaries" "$@"
