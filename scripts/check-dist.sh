#!/bin/sh
# Builds dist again from a clean install, and fails when it is not what is committed. Throws away changes in dist.
set -eu
cd "$(dirname "$0")/.."
npm ci --no-audit --no-fund
npm run build
# Not `git diff`, which does not see new files.
changes=$(git status --porcelain dist)
[ -z "$changes" ] || {
  printf 'dist is not what the sources build to; run npm run build and commit it:\n%s\n' "$changes" >&2
  exit 1
}
