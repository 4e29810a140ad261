#!/bin/sh
# Runs the tests; arguments go to jest (npm test -- __tests__/host). The last line is "N passed, N failed".
set -eu
cd "$(dirname "$0")/.."

# podman's usual runtime, crun, refuses the hybrid cgroups of older systems. Only there, since Docker's packages have a runc of their
# own, with which Debian's conflicts.
runc=
[ -e /sys/fs/cgroup/cgroup.controllers ] || command -v runc >/dev/null || runc=runc
# shellcheck disable=SC2086 # a package or none
sh scripts/setup.sh openssh-server openssh-client sqlite3 postgresql locales pgbouncer python3 zstd pigz busybox-static fish tcsh sudo \
  mksh ksh93u+m shellcheck util-linux procps iproute2 git openssl curl podman radosgw ceph-mon ceph-osd ceph-common $runc

# A directory of its own: in a sticky /tmp the kernel keeps even root from writing to a file of another user.
report=$(mktemp -d)
trap 'rm -rf "$report"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# useradd and mount are in sbin, which Debian leaves out of the PATH of ordinary users.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
# The tests make users, chroots and mount namespaces, so jest runs as root.
as_root=
[ "$(id -u)" = 0 ] || as_root='sudo -E'
# run_jest REPORT ARGUMENTS
run_jest() {
  json=$1
  shift
  $as_root env "PATH=$PATH" NODE_OPTIONS='--experimental-vm-modules --disable-warning=ExperimentalWarning' \
    node_modules/.bin/node node_modules/jest/bin/jest.js --json --outputFile="$json" "$@"
}

# Four workers on whatever number of processors: the tests wait more than they compute.
run_jest "$report/first.json" --maxWorkers=4 "$@" || :

# Tests of kills and timeouts can fail where the machine is slower than they allow for. A real failure fails alone as well.
again=
[ $# -gt 0 ] || [ ! -e "$report/first.json" ] || again=$(node_modules/.bin/node scripts/test-report.mjs failed "$report/first.json")
if [ -n "$again" ]; then
  printf '\ntest: these failed, and are run once more, alone:\n%s\n\n' "$again"
  # shellcheck disable=SC2086 # names without blanks
  run_jest "$report/later.json" --runInBand --runTestsByPath $again || :
fi

node_modules/.bin/node scripts/test-report.mjs total "$report/first.json" "$report/later.json"
