#!/bin/sh
# Runs the tests; arguments go to jest (npm test -- __tests__/host). The last line is "N passed, N failed".
set -eu
cd "$(dirname "$0")/.."

# podman's usual runtime, crun, refuses the hybrid cgroups of older systems. Only there, since Docker's packages have a runc of their
# own, with which Debian's conflicts.
runc=
[ -e /sys/fs/cgroup/cgroup.controllers ] || command -v runc >/dev/null || runc=runc
# shellcheck disable=SC2086 # a package or none
sh scripts/setup.sh openssh-server openssh-client sqlite3 postgresql python3 zstd pigz busybox-static fish tcsh sudo \
  shellcheck util-linux procps iproute2 git openssl curl podman radosgw ceph-mon ceph-osd ceph-common $runc

# A directory of its own: in a sticky /tmp the kernel keeps even root from writing to a file of another user.
report=$(mktemp -d)
trap 'rm -rf "$report"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

status=0
# useradd and mount are in sbin, which Debian leaves out of the PATH of ordinary users.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
# Four workers on whatever number of processors: the tests wait more than they compute.
# The tests make users, chroots and mount namespaces, so jest runs as root.
as_root=
[ "$(id -u)" = 0 ] || as_root='sudo -E'
$as_root env "PATH=$PATH" NODE_OPTIONS='--experimental-vm-modules --disable-warning=ExperimentalWarning' \
  node_modules/.bin/node node_modules/jest/bin/jest.js --maxWorkers=4 --json --outputFile="$report/jest.json" "$@" ||
  status=$?

node_modules/.bin/node - "$report/jest.json" "$status" <<'JS'
const [, , file, status] = process.argv;
let passed = 0;
let failed = 0;
try {
  const report = JSON.parse(require('node:fs').readFileSync(file, 'utf8'));
  passed = report.numPassedTests;
  failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
} catch (error) {
  console.log(`jest left no report: ${error.message}`);
}
if (failed === 0 && (status !== '0' || passed === 0)) {
  console.log(passed === 0 ? 'no test was run' : `no test failed, but jest ended with status ${status}`);
  failed = 1;
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
JS
