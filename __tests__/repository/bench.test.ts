import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

/** The figures are not tested: they are those of the machine. */
test('npm run bench measures every pipeline', async () => {
  const { stdout } = await promisify(execFile)('sh', ['scripts/bench.sh', '20', '1'], {
    cwd: fileURLToPath(new URL('../../', import.meta.url)),
    // as outside of jest
    env: { ...process.env, NODE_OPTIONS: '', TEST_FOLDER: undefined, BENCH_UPLOAD_MIB: '20' },
  });
  const rows = stdout
    .split('\n')
    .filter((line) => /^\|.*\| [\d.]+ \| [\d.]+ \| [\d.]+ times as fast \| [\d.]+ of its time/.test(line));
  expect(rows).toHaveLength(12); // seven of backups, five of restores
  expect(stdout).toMatch(
    /^seconds of the stages in the last run: connect [\d.]+, dump [\d.]+, row counts [\d.]+, read back [\d.]+$/m,
  );
  const encrypted = stdout.split('\n').filter((line) => /^\|.*\| [\d.]+ \| [\d.]+ \| [\d.]+ times \|$/.test(line));
  expect(encrypted).toHaveLength(6); // two databases: without, age, gpg
  const uploads = stdout
    .split('\n')
    .filter((line) => /^\|.*\| [\d.]+ \| \d+ \| (\d+ MB)? ?\| [\d.]+ of its time/.test(line));
  expect(uploads).toHaveLength(4);
  const cluster = stdout.split('\n').filter((line) => /^\|.*\| [\d.]+ \| [\d.]+ \| [\d.]+ \| [\d.]+ \|$/.test(line));
  expect(cluster).toHaveLength(4); // full, two of what has changed, a dump
  expect(stdout).toMatch(/^largest memory of the runner's process: \d+ MB/m);
}, 600_000); // it says what it costs on this machine, also on a slow one
