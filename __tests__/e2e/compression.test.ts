import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chownSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { withoutCommands } from '../helpers/chroot.js';
import { nothingLeft, refused, restored, sqlite3, stateOf, succeeded } from '../helpers/outcome.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { checkInvariant, createDatabase } from '../helpers/sqlite.js';
import { type Sshd, startSshd } from '../helpers/sshd.js';

let scene: Scene;
let withoutZstd: Sshd;
let withGzipAlone: Sshd;
const through = (sshd: Sshd) => ({ port: String(sshd.port), key: sshd.clientKey, 'known-hosts': sshd.knownHosts });
beforeAll(async () => {
  [scene, withoutZstd, withGzipAlone] = await Promise.all([
    startScene({ mb: 1 }),
    startSshd({ wrapper: withoutCommands(['zstd']) }),
    startSshd({ wrapper: withoutCommands(['zstd', 'pigz']) }),
  ]);
  // Text, so that levels make a difference.
  sqlite3(
    scene.database,
    `CREATE TABLE words (w);
     INSERT INTO words WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
       SELECT hex(i * i * 7919) || ' of ' || i FROM n LIMIT 40000`,
  );
});
afterAll(async () => {
  await Promise.all([withoutZstd.stop(), withGzipAlone.stop()]);
  await scene.stop();
});

/** Every way gives back the same bytes. */
const contents = new Set<string>();

async function backUp(inputs: Record<string, string>) {
  const id = succeeded(await scene.run({ ...inputs, keep: '100' }));
  contents.add(await restored(scene, id, (path) => createHash('sha256').update(readFileSync(path)).digest('hex')));
  expect(contents.size).toBe(1);
  const manifest = scene.manifest(id);
  expect(manifest.bytes).toBe(statSync(join(scene.directory, manifest.file)).size);
  return manifest;
}

describe('auto', () => {
  test.each([
    ['zstd where the host has it', () => scene.sshd, 'zstd', '.zst', 'zstd'],
    ['pigz without zstd', () => withoutZstd, 'gzip', '.gz', 'pigz'],
    ['gzip without both', () => withGzipAlone, 'gzip', '.gz', 'gzip'],
  ] as const)('%s', async (_, sshd, compression, ending, tool) => {
    const manifest = await backUp(through(sshd()));
    expect(manifest).toMatchObject({ compression, tools: { [tool]: expect.stringMatching(/\d\.\d/) } });
    expect(manifest.file).toMatch(new RegExp(`\\.sqlite\\${ending}$`));
  });
});

describe('as asked for', () => {
  test.each(['zstd', 'gzip'])('%s: a higher level gives a smaller file', async (compression) => {
    const low = await backUp({ compression, 'compression-level': '1' });
    const high = await backUp({ compression, 'compression-level': '9' });
    expect(low.compression).toBe(compression);
    expect(high.bytes).toBeLessThan(low.bytes);
  });

  test('zstd 19', async () => {
    await backUp({ compression: 'zstd', 'compression-level': '19' });
  });

  test('none: the file is the database', async () => {
    const { file, bytes, databaseBytes } = await backUp({ compression: 'none' });
    expect(file).toMatch(/\.sqlite$/);
    expect(bytes).toBe(databaseBytes);
  });

  test('zstd on a host without it: E_TOOL_MISSING', async () => {
    const before = scene.files();
    const result = await scene.run({ ...through(withoutZstd), compression: 'zstd' });
    expect(refused(result, 'E_TOOL_MISSING')).toMatch(/zstd is not installed on .*sudo apt-get install -y zstd/);
    expect(scene.files()).toEqual(before);
    await nothingLeft(scene);
  });
});

describe('the recovery commands, typed by the owner as they are printed', () => {
  test.each(['zstd', 'gzip', 'none'])('%s, with hostile paths', async (compression) => {
    const folder = join(dirname(scene.database), `it's a "${compression}" $HOME;x\`y\`&`);
    mkdirSync(folder);
    chownSync(folder, scene.user.uid, scene.user.gid);
    const database = join(folder, "-d'b (1).db");
    await createDatabase(database, { wal: true, owner: scene.user.name });
    const directory = join(scene.user.home, `b'k "$x" ${compression}`);
    const result = await scene.run({ database, directory, name: 'app', compression });
    succeeded(result);
    const { recovery } = reportOf(result);
    for (const line of recovery) expect(result.summary).toContain(line);

    sqlite3(database, 'UPDATE blobs SET ver = 99; DROP TABLE a');
    const { inode, owner, mode } = stateOf(database);
    const said = execFileSync('su', [scene.user.name, '-s', '/bin/sh', '-c', `set -e\n${recovery.join('\n')}`], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, TMPDIR: scene.user.home },
    });
    expect(said).toMatch(/: OK\n(.*\n)*ok\n/);
    expect(await checkInvariant(database)).toMatchObject({ sum: 0 });
    expect(stateOf(database)).toMatchObject({ inode, owner, mode });
    for (const name of readdirSync(scene.user.home).filter((name) => name.startsWith('tmp.'))) {
      rmSync(join(scene.user.home, name), { recursive: true });
    }
  });
});
