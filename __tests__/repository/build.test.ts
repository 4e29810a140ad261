import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** Relative path of each file in a folder with its bytes. */
function filesOf(dir: string): Map<string, Buffer> {
  const names = readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return new Map(names.map((name) => [name.slice(dir.length + 1), readFileSync(name)]));
}

test.each([
  ['the SDK of S3, for runs with s3-bucket', 'CreateMultipartUpload'],
  ['the server, for db-backup serve', 'checkExpectation'],
  ['the library of the cache, for runs whose runner names a service', 'GetCacheEntryDownloadURL'],
])('%s, is in files of its own', (_, word) => {
  const dist = filesOf(join(repository, 'dist'));
  const holding = (text: string) => [...dist].filter(([name, bytes]) => /\.js$/.test(name) && bytes.includes(text));
  const names = holding(word).map(([name]) => name);
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) expect(name).toMatch(/^\d+\.index\.js$/);
  expect(dist.get('index.js')?.length).toBeLessThan(1_500_000); // the smallest of them would be 0.7 MB more
});

test('dist is what the sources build to, byte for byte, in another folder', () => {
  const copy = mkdtempSync(join(tmpdir(), 'dbb-build-'));
  try {
    for (const name of ['package.json', 'tsconfig.json', 'action.yml', 'src', 'scripts']) {
      cpSync(join(repository, name), join(copy, name), { recursive: true });
    }
    // A real copy, since ncc writes the resolved paths of modules into comments: a link would show where it leads.
    // Without what is large, native, and no part of a build.
    const unused = ['node', '@biomejs', '@swc', '@unrs', '.bin'];
    cpSync(join(repository, 'node_modules'), join(copy, 'node_modules'), {
      recursive: true,
      filter: (from) => join(from, '..') !== join(repository, 'node_modules') || !unused.includes(basename(from)),
    });
    execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: copy, stdio: 'pipe' });

    expect(existsSync(join(repository, 'dist'))).toBe(true);
    const committed = filesOf(join(repository, 'dist'));
    const built = filesOf(join(copy, 'dist'));
    expect([...committed.keys()]).toEqual([...built.keys()]);
    const different = [...built].filter(([name, bytes]) => !committed.get(name)?.equals(bytes)).map(([name]) => name);
    expect({ different, cure: 'npm run build' }).toEqual({ different: [], cure: 'npm run build' });
    expect([...built.keys()]).toContain('index.js');
    expect([...built.keys()].filter((name) => /\.(node|exe)$/.test(name))).toEqual([]);

    // a build that fails leaves what was there, and nothing beside it
    writeFileSync(join(copy, 'dist', 'post.js'), 'the one before');
    rmSync(join(copy, 'src', 'index.ts'));
    const failed = spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: copy, encoding: 'utf8' });
    expect(failed).toMatchObject({ status: 1, stderr: expect.stringContaining('dist was left as it is') });
    expect([...filesOf(join(copy, 'dist')).keys()]).toEqual([...built.keys()]);
    expect(readFileSync(join(copy, 'dist', 'post.js'), 'utf8')).toBe('the one before');
    expect(readdirSync(copy).filter((name) => name.startsWith('.dist'))).toEqual([]);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}, 180_000);
