#!/bin/sh
# Installs a tool that checks or runs workflows into the cache, unless it is there, and prints where it is. Here are their versions.
# usage: workflow-tools.sh [--cached] actionlint|zizmor|act
# Exit status 3: it can not be had here (no Go, no pip, no network; with --cached: nobody has installed it). Why is on stderr.
set -eu

ACTIONLINT=1.7.12
ZIZMOR=1.32.0
ACT=0.2.89

cached=
if [ "${1-}" = --cached ]; then
  cached=1
  shift
fi
tool=${1-}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/db-backup-action

absent() { printf 'workflow-tools: %s can not be had here: %s\n' "$tool" "$*" >&2; exit 3; }

# go_install MODULE VERSION: into $new, as $tool
go_install() {
  command -v go >/dev/null || absent 'go is missing'
  GOBIN=$new go install "$1@v$2" >&2 || absent "go install $1@v$2 failed"
}

case $tool in
  actionlint) place=actionlint-$ACTIONLINT program=actionlint ;;
  zizmor) place=zizmor-$ZIZMOR program=bin/zizmor ;;
  act) place=act-$ACT program=act ;;
  *) printf 'usage: workflow-tools.sh [--cached] actionlint|zizmor|act\n' >&2; exit 2 ;;
esac

if [ ! -x "$cache/$place/$program" ]; then
  [ -z "$cached" ] || absent "it is not in $cache; sh scripts/workflow-tools.sh $tool installs it"
  mkdir -p "$cache"
  # Beside its place and renamed: another process may look at the same time, and one that is killed leaves no half of it.
  new=$(mktemp -d "$cache/new.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  case $tool in
    actionlint) go_install github.com/rhysd/actionlint/cmd/actionlint $ACTIONLINT ;;
    act) go_install github.com/nektos/act $ACT ;;
    zizmor)
      python3 -m pip --version >/dev/null 2>&1 || absent 'python3 with pip is missing'
      # A program of its own in a wheel: no virtual environment is needed to keep it apart.
      PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-input --only-binary :all: --no-deps \
        --target "$new" "zizmor==$ZIZMOR" >&2 || absent "pip install zizmor==$ZIZMOR failed"
      ;;
  esac
  [ -x "$new/$program" ] || absent "it was installed without $program"
  mv -T "$new" "$cache/$place" 2>/dev/null || [ -x "$cache/$place/$program" ] || absent "it could not be put into $cache"
fi
printf '%s\n' "$cache/$place/$program"
