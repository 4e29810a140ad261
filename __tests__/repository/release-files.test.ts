import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = (program: string, args: string[], cwd = root) => execFileSync(program, args, { cwd, encoding: 'utf8' });

test('a release has every file that runners start or send to hosts, and its checksum', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dbb-release-'));
  try {
    run('sh', ['scripts/release-files.sh', 'v1.2.3', join(folder, 'release')]);
    const name = 'db-backup-action-v1.2.3';
    expect(readdirSync(join(folder, 'release')).sort()).toEqual(['SHA256SUMS', `${name}.tar.gz`]);
    const sums = readFileSync(join(folder, 'release/SHA256SUMS'), 'utf8').trim().split('\n');
    const committed = run('git', ['ls-tree', '-r', '--name-only', 'HEAD', 'action.yml', 'step', 'dist', 'LICENSE']);
    const files = committed.trim().split('\n');
    expect(files).toEqual(
      expect.arrayContaining(['action.yml', 'step/action.yml', 'dist/index.js', 'dist/session.sh']),
    );
    expect(sums.map((line) => line.slice(66)).sort()).toEqual([`${name}.tar.gz`, ...files].sort());

    run('tar', ['-xzf', join(folder, 'release', `${name}.tar.gz`), '-C', folder]);
    cpSync(join(folder, 'release'), join(folder, name), { recursive: true });
    expect(run('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], join(folder, name))).toBe('');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
