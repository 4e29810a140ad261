import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  type EncryptionKeys,
  encryptByHand,
  KEY_PASSPHRASE,
  layKeys,
  makeKeys,
  PASSPHRASE,
} from '../helpers/encryption-keys.js';
import { nothingLeft, refused, sqlite3, succeeded } from '../helpers/outcome.js';
import type { ActionResult } from '../helpers/run-action.js';
import { BUCKET, startS3Double } from '../helpers/s3-double.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { unmount } from '../helpers/unmount.js';

type Inputs = Record<string, string>;

/** A text that is in the database, and that nothing else holds. */
const MARKER = 'a-marker-of-the-plaintext-7c1f';

let keys: EncryptionKeys;
let scene: Scene;
beforeAll(async () => {
  keys = makeKeys();
  scene = await startScene({ transport: 'local', mb: 0.3 });
  sqlite3(scene.database, 'CREATE TABLE marked (t)', `INSERT INTO marked VALUES ('${MARKER}')`);
});
afterAll(async () => {
  keys?.remove();
  await scene?.stop();
});
afterEach(() => nothingLeft(scene));

const HOWS = ['age', 'ssh', 'gpg', 'locked gpg', 'passphrase'] as const;
type How = (typeof HOWS)[number];
const pairOf = (how: How) =>
  how === 'ssh' ? keys.ssh : how === 'gpg' ? keys.gpg : how === 'locked gpg' ? keys.lockedGpg : keys.age;
const encrypt = (how: How): Inputs =>
  how === 'passphrase'
    ? { encrypt: 'gpg', 'encryption-passphrase': PASSPHRASE }
    : { encrypt: how.endsWith('gpg') ? 'gpg' : 'age', 'encryption-recipients': pairOf(how).recipient };
const decrypt = (how: How): Inputs =>
  how === 'passphrase'
    ? { 'decryption-passphrase': PASSPHRASE }
    : {
        'decryption-key': pairOf(how).identity,
        ...(how === 'locked gpg' ? { 'decryption-passphrase': KEY_PASSPHRASE } : {}),
      };
const wrong = (how: How): Inputs =>
  how === 'passphrase'
    ? { 'decryption-passphrase': 'another passphrase' }
    : how.endsWith('gpg')
      ? {
          'decryption-key': (how === 'gpg' ? keys.lockedGpg : keys.gpg).identity,
          'decryption-passphrase': KEY_PASSPHRASE,
        }
      : { 'decryption-key': keys.otherAge.identity };

const contentOf = (): string => sqlite3(scene.database, 'SELECT count(*), max(t) FROM marked');
const restore = (backup: string, more: Inputs): Promise<ActionResult> =>
  scene.run({ command: 'restore', confirm: 'app.db', backup, ...more });

/** The files of the login user and of the folders for temporary ones that hold a text. */
function holding(text: string, folders = [scene.user.home, '/dev/shm', '/var/tmp']): string[] {
  return folders.flatMap((folder) =>
    (readdirSync(folder, { recursive: true, withFileTypes: true }) as import('node:fs').Dirent[])
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => statSync(file, { throwIfNoEntry: false })?.uid === scene.user.uid)
      .filter((file) => readFileSync(file, 'latin1').includes(text)),
  );
}

describe.each(HOWS)('encrypted by %s', (how) => {
  let id: string;
  test('a backup is made that nobody reads without the key', async () => {
    const result = await scene.run({ ...encrypt(how), compression: 'none' });
    id = succeeded(result);
    const manifest = scene.manifest(id);
    const method = how === 'age' || how === 'ssh' ? 'age' : 'gpg';
    expect(manifest.file).toBe(`${id}.sqlite.${method}`);
    expect(manifest).toMatchObject({
      encryption: { method, recipients: how === 'passphrase' ? [] : [expect.any(String)] },
      verified: { level: 'content' },
      tools: { [method]: expect.stringMatching(/\d\.\d/) },
    });
    const payload = readFileSync(join(scene.directory, manifest.file));
    expect(createHash('sha256').update(payload).digest('hex')).toBe(manifest.sha256);
    expect(holding(MARKER)).toEqual([]);
    expect(result.summary).toContain(`encrypted with ${method}`);
    const warnings = result.annotations.map(({ message }) => message);
    if (how === 'passphrase') expect(warnings).toEqual([]);
    else
      expect(warnings).toEqual([
        expect.stringMatching(/is the first backup that is encrypted .* nobody has opened it yet/),
      ]);
    const again = await scene.run({ ...encrypt(how), compression: 'none' });
    expect(again.annotations).toEqual([]);
    expect(reportOf(result).backup).toMatchObject({ encryption: manifest.encryption });
  });

  test('without the key it is proven to its checksum, and says so', async () => {
    const result = await scene.run({ command: 'verify', backup: id });
    expect({ code: result.code, ...result.outputs }).toMatchObject({ code: 0, 'error-code': '' });
    expect(result.annotations.map(({ message }) => message).join()).toMatch(
      /verified to the level checksum, not content/,
    );
    expect(refused(await scene.run({ command: 'verify', backup: id, verify: 'restore' }), 'E_DECRYPT')).toMatch(
      how === 'passphrase' ? /`decryption-passphrase` is not given/ : /`decryption-key` is not given/,
    );
  });

  test('with it, it is proven to every level, on the host and on the runner', async () => {
    for (const more of [{ verify: 'content' }, { verify: 'restore' }]) {
      const result = await scene.run({ command: 'verify', backup: id, ...decrypt(how), ...more });
      expect({ code: result.code, ...result.outputs }).toMatchObject({ code: 0, 'verified-level': more.verify });
      expect(result.annotations).toEqual([]);
    }
    expect(holding(MARKER)).toEqual([]);
  });

  test('a wrong one opens nothing, and says which', async () => {
    const message = refused(await scene.run({ command: 'verify', backup: id, ...wrong(how) }), 'E_DECRYPT');
    expect(message).toMatch(how === 'passphrase' ? /the passphrase does not open it/ : /the key does not open it/);
    const before = contentOf();
    refused(await restore(id, wrong(how)), 'E_DECRYPT');
    refused(await restore(id, {}), 'E_DECRYPT');
    expect(contentOf()).toBe(before);
    // what is wrong with the key is not wrong with the backup
    expect(scene.manifest(id).verified.level).not.toBe('none');
  });

  test('it is restored, with an encrypted safety backup before', async () => {
    sqlite3(scene.database, "INSERT INTO marked VALUES ('later')");
    const result = await restore(id, { ...decrypt(how), ...encrypt(how) });
    expect(result.annotations.map(({ message }) => message)).toEqual([]);
    expect({ code: result.code, ...result.outputs }).toMatchObject({ code: 0, 'restore-outcome': 'restored' });
    expect(contentOf()).toBe(`1|${MARKER}\n`);
    expect(scene.manifest(result.outputs['safety-backup-id'] ?? '').encryption).toEqual(scene.manifest(id).encryption);
    expect(holding(MARKER)).toEqual([]);
  });

  test.each(['zstd', 'gzip', 'none'])(
    'the commands for a recovery by hand do it, as they are printed: %s',
    async (compression) => {
      const result = await scene.run({ ...encrypt(how), compression });
      succeeded(result);
      const { recovery } = reportOf(result);
      sqlite3(scene.database, "INSERT INTO marked VALUES ('later')");
      const said = asOwner(how, recovery.join('\n'));
      expect(said).toMatch(/: OK\n(.*\n)*ok\n/);
      expect(contentOf()).toBe(`1|${MARKER}\n`);
      for (const name of readdirSync(scene.user.home).filter((name) => name.startsWith('tmp.'))) {
        rmSync(join(scene.user.home, name), { recursive: true });
      }
    },
  );
});

/** Types lines as the login user, who has the key where the commands look for it. */
function asOwner(how: How, lines: string): string {
  const laid = layKeys(scene.user, keys, pairOf(how), how === 'passphrase' ? PASSPHRASE : KEY_PASSPHRASE);
  try {
    return execFileSync('su', [scene.user.name, '-s', '/bin/sh', '-c', `set -e\n${lines}`], {
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, TMPDIR: scene.user.home, ...laid.env },
    });
  } finally {
    laid.remove();
  }
}

test('list names how each is encrypted', async () => {
  const result = await scene.run({ command: 'list' });
  expect(result.visible).toMatch(/encrypted with gpg using a passphrase/);
  expect(result.visible).toMatch(/encrypted with gpg for [0-9A-F]{16}/);
  expect(result.summary).toMatch(/KB, gpg/i);
});

test('with the key at hand the copy on the disk is opened and restored before the backup counts', async () => {
  const level = { verify: 'restore' };
  const result = await scene.run({ ...encrypt('age'), ...decrypt('age'), ...level });
  expect(scene.manifest(succeeded(result)).verified.level).toBe('restore');
  const before = scene.files();
  const other = { ...encrypt('age'), 'decryption-key': keys.otherAge.identity };
  expect(refused(await scene.run({ ...other, ...level }), 'E_DECRYPT')).toMatch(/the key does not open it/);
  refused(await scene.run({ ...encrypt('age'), ...level }), 'E_INPUT');
  expect(scene.files()).toEqual(before);
});

test('a key that gpg does not take, before anything is dumped', async () => {
  const before = scene.files();
  const recipient = expired();
  const message = refused(await scene.run({ encrypt: 'gpg', 'encryption-recipients': recipient }), 'E_INPUT');
  expect(message).toMatch(/encryption-recipients: gpg on .* does not accept it/);
  expect(scene.files()).toEqual(before);
});

test('a folder in memory that is full: gpg takes another one, and what has room for little is not called a wrong key', async () => {
  const memory = mkdtempSync(join(tmpdir(), 'dbb-memory-'));
  const { uid, gid } = scene.user;
  const mount = (options: string) =>
    execFileSync('mount', ['-t', 'tmpfs', '-o', `${options},uid=${uid},gid=${gid},mode=700`, 'tmpfs', memory]);
  const run = (more: Inputs) => scene.run({ ...encrypt('gpg'), ...more }, { XDG_RUNTIME_DIR: memory });
  mount('size=64k');
  try {
    writeFileSync(join(memory, 'full'), Buffer.alloc(40_000));
    succeeded(await run({}));
    expect(readdirSync(memory)).toEqual(['full']);
  } finally {
    await unmount(memory);
  }
  mount('nr_inodes=4');
  try {
    const before = scene.files();
    for (const more of [{}, decrypt('gpg')]) {
      const message = refused(await run(more), 'E_NOSPACE');
      expect(message).toContain(`the file system of ${memory} is full`);
      expect(message).toContain('Free some space there: gpg keeps its keys there');
    }
    expect(scene.files()).toEqual(before);
    expect(readdirSync(memory)).toEqual([]);
  } finally {
    await unmount(memory);
    rmSync(memory, { recursive: true });
  }
});

/** A public key whose time is over. */
function expired(): string {
  const env = { PATH: process.env.PATH, GNUPGHOME: keys.home };
  const options = ['--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', ''];
  const then = ['--faked-system-time', '20200101T000000'];
  execFileSync('gpg', [...options, ...then, '--quick-gen-key', 'late@example.com', 'default', 'default', '1d'], {
    env,
    stdio: 'pipe',
  });
  return execFileSync('gpg', ['--armor', '--export', 'late@example.com'], { env, encoding: 'utf8' });
}

test('from a store to a host that has nothing: without the key it is not even fetched', async () => {
  const s3 = await startS3Double();
  try {
    const id = succeeded(await scene.run({ ...encrypt('age'), ...s3.inputs }));
    for (const name of scene.files().filter((name) => name.startsWith(id))) rmSync(join(scene.directory, name));
    const uri = `s3://${BUCKET}/app/${id}.sqlite.zst.age`;
    const fetched = () => s3.requests.filter(({ method, key }) => method === 'GET' && key.endsWith('.age')).length;
    const before = fetched();
    for (const backup of [id, uri]) {
      expect(refused(await restore(backup, s3.inputs), 'E_DECRYPT')).toContain('`decryption-key` is not given');
    }
    expect(fetched()).toBe(before);
    const opened = await restore(uri, { ...s3.inputs, ...decrypt('age'), ...encrypt('age') });
    expect({ code: opened.code, ...opened.outputs }).toMatchObject({ code: 0, 'restore-outcome': 'restored' });
    expect(fetched()).toBeGreaterThan(before);
    expect(holding(MARKER)).toEqual([]);
  } finally {
    await s3.stop();
  }
});

test('what others have encrypted is restored by its path', async () => {
  const path = join(scene.user.home, 'old.sqlite.gpg');
  execFileSync('su', [scene.user.name, '-s', '/bin/sh', '-c', `sqlite3 '${scene.database}' ".backup '${path}.plain'"`]);
  writeFileSync(path, encryptByHand('gpg-symmetric', readFileSync(`${path}.plain`), keys));
  rmSync(`${path}.plain`);
  sqlite3(scene.database, "INSERT INTO marked VALUES ('later')");
  expect(refused(await restore(path, {}), 'E_SOURCE_INVALID')).toContain('Set `decryption-key` or');
  refused(await restore(path, { 'decryption-passphrase': 'another passphrase' }), 'E_DECRYPT');
  expect(refused(await restore(path, decrypt('gpg')), 'E_DECRYPT')).toMatch(
    /it is encrypted with a passphrase, and you gave none.*Set `decryption-passphrase`/s,
  );
  const byAge = join(scene.user.home, 'old.age');
  writeFileSync(byAge, encryptByHand('age', Buffer.from('x'), keys));
  expect(refused(await restore(byAge, decrypt('passphrase')), 'E_SOURCE_INVALID')).toContain(
    'Set `decryption-key` to what opens it, or decrypt',
  );
  rmSync(byAge);
  expect(contentOf()).toMatch(/^2\|/);
  // the safety backup is encrypted in another way, and is the way back
  const result = await restore(path, { ...decrypt('passphrase'), ...decrypt('age'), ...encrypt('age') });
  expect({ code: result.code, ...result.outputs }).toMatchObject({ code: 0, 'restore-outcome': 'restored' });
  expect(contentOf()).toBe(`1|${MARKER}\n`);
  const { 'safety-backup-id': safety = '' } = result.outputs;
  expect(scene.manifest(safety).encryption).toMatchObject({ method: 'age' });
  const plain = await restore(path, { ...decrypt('passphrase'), 'dry-run': 'true' });
  expect(plain.annotations.map(({ message }) => message).join()).toMatch(
    /the safety backup will not be: set `encrypt`/,
  );
  rmSync(path);
});

test('one that is not encrypted is told to who has a key', async () => {
  const id = succeeded(await scene.run());
  const told = /is not encrypted, although this run has a decryption key or passphrase/;
  for (const command of [{ command: 'verify' }, { command: 'restore', confirm: 'app.db', 'dry-run': 'true' }]) {
    const plain = await scene.run({ ...command, backup: id });
    expect(plain.annotations).toEqual([]);
    const result = await scene.run({ ...command, backup: id, ...decrypt('age') });
    expect(result.code).toBe(0);
    expect(result.annotations.map(({ message }) => message)).toEqual([expect.stringMatching(told)]);
  }
});
