import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';

const program = ['session', 'packing', 'encryption']
  .map((name) => readFileSync(new URL(`../../src/host/programs/${name}.sh`, import.meta.url), 'utf8'))
  .join('\n');
const SHELLS = [['dash'], ['bash'], ['busybox', 'sh'], ['mksh'], ['ksh93']];
const plain = Buffer.from('what was packed\n'.repeat(100_000));

/** Runs lines of shell after the functions, on stdin, under a shell. */
function run([shell = '', ...args]: string[], lines: string, input: Buffer) {
  const folder = mkdtempSync(join(tmpdir(), 'dbb-packing-'));
  const script = `mark=mark program=''\n${program}\ntmp=${folder}\n${lines}\n`;
  const options = { input, maxBuffer: 1 << 26, cwd: folder };
  const { status, stdout, stderr } = spawnSync(shell, [...args, '-c', script], options);
  rmSync(folder, { recursive: true });
  return { status, stdout, stderr: String(stderr) };
}

describe.each(SHELLS)('under %s %s', (...words) => {
  const shell = words.filter((word) => typeof word === 'string');

  test.each([
    ['', plain],
    ['gzip', gzipSync(plain)],
    ['zstd', zstdCompressSync(plain)],
    ['gzip zstd', zstdCompressSync(gzipSync(plain))],
    ['zstd gzip', gzipSync(zstdCompressSync(plain))],
    ['gzip zstd gzip', gzipSync(zstdCompressSync(gzipSync(plain)))],
  ])('unpacks "%s", the last stage first', (stages, packed) => {
    const { status, stdout } = run(shell, `packing='${stages}'\n(unpack)`, packed);
    expect(status).toBe(0);
    expect(stdout.equals(plain)).toBe(true);
  });

  test.each([
    ['the outer stage', 'gzip zstd', gzipSync(plain)],
    ['the inner stage', 'gzip zstd', zstdCompressSync(plain)],
    ['the only stage', 'zstd', plain],
    ['the outer stage at its end', 'gzip zstd', zstdCompressSync(gzipSync(plain)).subarray(0, -5)],
    ['the inner stage at its end', 'gzip zstd', zstdCompressSync(gzipSync(plain).subarray(0, -5))],
    ['a stage that nobody knows', 'rot13', plain],
    ['a stage that nobody knows, of two', 'gzip rot13', plain],
  ])('fails when %s does', (_, stages, packed) => {
    expect(run(shell, `packing='${stages}'\n(unpack) >/dev/null`, packed).status).not.toBe(0);
    // also under a reader that is content
    expect(run(shell, `packing='${stages}'\nunpack_into cat >/dev/null`, packed).status).not.toBe(0);
  });

  test('a reader may leave before the end, and its own status counts', () => {
    const packed = zstdCompressSync(Buffer.concat([plain, plain, plain]));
    const { status, stdout } = run(shell, `packing=zstd\nunpack_into head -c 15`, packed);
    expect([status, String(stdout)]).toEqual([0, 'what was packed']);
    expect(run(shell, `packing=zstd\nfive() { head -c 15; return 5; }\nunpack_into five`, packed).status).toBe(5);
    expect(run(shell, `packing=zstd\nfive() { cat >/dev/null; return 5; }\nunpack_into five`, packed).status).toBe(5);
  });

  test('a stream that breaks off under a reader that reads all of it is none', () => {
    const torn = zstdCompressSync(plain).subarray(0, -5);
    expect(run(shell, 'packing=zstd\nunpack_into wc -c', torn).status).not.toBe(0);
  });
});
