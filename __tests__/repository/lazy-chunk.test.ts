import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const node24 = join(repository, 'node_modules', '.bin', 'node');

const ENTRY = `
console.log('first line');
if (process.argv[2] === 's3') {
  const { S3Client } = await import('@aws-sdk/client-s3');
  const client = new S3Client({ region: 'eu-central-1' });
  console.log(client instanceof S3Client, await client.config.region());
}
`;

test('a large package behind await import() becomes a chunk that only its user loads', () => {
  const dir = mkdtempSync(join(tmpdir(), 'dbb-chunk-'));
  try {
    writeFileSync(join(dir, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(dir, 'index.js'), ENTRY);
    symlinkSync(join(repository, 'node_modules'), join(dir, 'node_modules'));
    const ncc = join(repository, 'node_modules', '@vercel', 'ncc', 'dist', 'ncc', 'cli.js');
    execFileSync(process.execPath, [ncc, 'build', 'index.js', '-o', 'dist', '--no-cache', '--quiet'], {
      cwd: dir,
      stdio: 'pipe',
    });

    const dist = join(dir, 'dist');
    const size = (name: string) => statSync(join(dist, name)).size;
    const chunks = readdirSync(dist).filter((name) => /^.+\.index\.js$/.test(name));
    expect(size('index.js')).toBeLessThan(100_000);
    expect(chunks.map(size).reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThan(500_000);

    // Away from node_modules, as on a runner, so that nothing but the chunks can be what is loaded.
    const runner = join(dir, 'runner', 'dist');
    mkdirSync(join(dir, 'runner'));
    renameSync(dist, runner);
    rmSync(join(dir, 'node_modules'));
    const run = (...args: string[]) =>
      execFileSync(node24, [join(runner, 'index.js'), ...args], { env: {}, encoding: 'utf8', stdio: 'pipe' });
    expect(run('s3')).toBe('first line\ntrue eu-central-1\n');
    for (const chunk of chunks) rmSync(join(runner, chunk));
    expect(run()).toBe('first line\n');
    expect(() => run('s3')).toThrow(/Cannot find module/);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}, 120_000);
