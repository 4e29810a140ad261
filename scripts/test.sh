#!/bin/sh
# Runs the tests; arguments go to jest (npm test -- __tests__/host). The last line is "N passed, N failed".
# TEST_SWEEP=1: every point of each sweep, not a sample (npm run test:sweep).
# TEST_STRICT=1: a file that failed and passed alone is counted as failed, not only warned of.
set -eu
cd "$(dirname "$0")/.."

# podman's usual runtime, crun, refuses the hybrid cgroups of older systems. Only there, since Docker's packages have a runc of their
# own, with which Debian's conflicts.
runc=
[ -e /sys/fs/cgroup/cgroup.controllers ] || command -v runc >/dev/null || runc=runc
# shellcheck disable=SC2086 # a package or none
sh scripts/setup.sh openssh-server openssh-client sqlite3 postgresql pgbackrest locales pgbouncer python3 zstd pigz busybox-static fish tcsh sudo \
  mksh ksh93u+m shellcheck util-linux procps iproute2 age gnupg git openssl curl cron systemd podman zsh mandoc radosgw ceph-mon ceph-osd ceph-common $runc

# A server newer than the system's, where there is one for this machine. No package of ours: who installs us would get it as well.
if [ ! -e scripts/postgres-18/node_modules/.package-lock.json ] ||
  [ -n "$(find scripts/postgres-18/package-lock.json -newer scripts/postgres-18/node_modules/.package-lock.json)" ]; then
  npm ci --prefix scripts/postgres-18 --ignore-scripts --no-audit --no-fund
fi

# The tests make users, chroots and mount namespaces, so jest runs as root.
as_root=
[ "$(id -u)" = 0 ] || as_root='sudo -E'

# A directory of its own: in a sticky /tmp the kernel keeps even root from writing to a file of another user.
report=$(mktemp -d)
chmod 755 "$report"
trap '$as_root umount -l "$report/tmp" 2>/dev/null || :; rm -rf "$report"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# The temporary folder is memory: clusters, homes and databases come and go by the hundred, and a file system on a disk takes a
# quarter of the time for it.
mkdir "$report/tmp"
$as_root mount -t tmpfs -o mode=1777 tmpfs "$report/tmp" || chmod 1777 "$report/tmp" # where nobody may mount, on the disk

# useradd and mount are in sbin, which Debian leaves out of the PATH of ordinary users.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
# run_jest REPORT ARGUMENTS
run_jest() {
  json=$1
  shift
  $as_root env "PATH=$PATH" "TMPDIR=$report/tmp" NODE_OPTIONS='--experimental-vm-modules --disable-warning=ExperimentalWarning' \
    node_modules/.bin/node node_modules/jest/bin/jest.js --json --outputFile="$json" "$@"
}
say() { node_modules/.bin/node scripts/test-report.mjs "$@"; }

# Four workers on whatever number of processors: the tests wait more than they compute.
run_jest "$report/first.json" --maxWorkers=4 "$@" || :

# Tests of kills and timeouts can fail where the machine is slower than they allow for. A real failure fails alone as well.
# Who asks for some tests alone looks at them anyway.
again=
case $* in
  '' | --shard=*) [ ! -e "$report/first.json" ] || again=$(say failed "$report/first.json") ;;
esac
if [ -n "$again" ]; then
  printf '\ntest: these failed, and are run once more, alone:\n%s\n\n' "$again"
  # shellcheck disable=SC2086 # names without blanks
  run_jest "$report/later.json" --runInBand --runTestsByPath $again || :
fi

say total "$report/first.json" "$report/later.json"
