import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Manifest } from '../../src/backups/manifest.js';
import { withoutCommands } from '../helpers/chroot.js';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { nothingLeft, sqlite3, stateOf } from '../helpers/outcome.js';
import { type ActionResult, runAction } from '../helpers/run-action.js';
import { inTurn, SWEEP } from '../helpers/sample.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { daysAgo, listing, SeededDirectory } from '../helpers/seed.js';
import { createUser } from '../helpers/users.js';

type Inputs = Record<string, string>;
const LEVELS = ['checksum', 'content', 'restore'] as const;
const ROWS = [
  { name: 'items', rows: 40 },
  { name: 'orders', rows: 3 },
  { name: 'users', rows: 0 },
];

/** Green, and the gate open: a backup was proven in this run. */
const done = { code: 0, outputs: { 'error-code': '', 'backup-ok': 'true' }, legacyOutputs: [], fileErrors: [] };

let folder: string;
let database: string;
/** One good backup of each level, to be copied; by the level. */
const good: Record<string, { directory: string; id: string }> = {};
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-verify-'));
  database = join(folder, "the app's.db");
  fill(database);
  for (const level of ['content', 'checksum']) {
    const directory = join(folder, level);
    good[level] = { directory, id: expectBackup(await run(directory, { command: 'backup', verify: level })) };
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

function fill(path: string): void {
  sqlite3(
    path,
    'CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)',
    'CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER)',
    'INSERT INTO orders (total) VALUES (10), (20), (30)',
    'CREATE TABLE items (id INTEGER PRIMARY KEY, data BLOB)',
    'CREATE INDEX by_data ON items (data)',
    'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) INSERT INTO items (data) SELECT randomblob(200) FROM n',
  );
}

function run(directory: string, inputs: Inputs = {}): Promise<ActionResult> {
  return runAction({ transport: 'local', database, directory, name: 'app', command: 'verify', ...inputs });
}

/** A directory of its own with one good backup. */
class Stored {
  static count = 0;
  readonly directory = join(folder, `stored-${++Stored.count}`);
  readonly id: string;
  constructor(level: 'content' | 'checksum' = 'content') {
    const from = good[level];
    if (from === undefined) throw new Error('not made yet');
    this.id = from.id;
    mkdirSync(this.directory, { mode: 0o700 });
    for (const name of readdirSync(from.directory).filter((one) => one.startsWith('app-'))) {
      copyFileSync(join(from.directory, name), join(this.directory, name));
    }
  }
  get manifest(): Manifest {
    return JSON.parse(readFileSync(this.path('.json'), 'utf8')) as Manifest;
  }
  path(ending: '.json' | '' | '.sha256'): string {
    return join(this.directory, ending === '.json' ? `${this.id}.json` : `${this.id}.sqlite.zst${ending}`);
  }
  /** Puts another payload there, with a manifest and a checksum that fit its bytes. */
  replace(payload: Buffer, change: Partial<Manifest> = {}): void {
    const sha256 = createHash('sha256').update(payload).digest('hex');
    const manifest = { ...this.manifest, bytes: payload.length, sha256, ...change };
    writeFileSync(this.path(''), payload);
    writeFileSync(this.path('.sha256'), `${sha256}  ${manifest.file}\n`);
    writeFileSync(this.path('.json'), JSON.stringify(manifest));
  }
  run(inputs: Inputs = {}): Promise<ActionResult> {
    return run(this.directory, inputs);
  }
  leftovers(): string[] {
    const work = join(this.directory, '.work');
    return existsSync(work) ? readdirSync(work).filter((name) => !['lock', 'holder'].includes(name)) : [];
  }
}

describe('a good backup', () => {
  const COMPRESSIONS = ['zstd', 'gzip', 'none'];
  describe.each(COMPRESSIONS)('compressed with %s', (compression) => {
    const test = inTurn(COMPRESSIONS, compression);
    let directory: string;
    let id: string;
    beforeAll(async () => {
      directory = join(folder, `good-${compression}`);
      id = expectBackup(await run(directory, { command: 'backup', verify: 'checksum', compression }));
    });

    test.each(LEVELS)('passes %s, which its manifest and the list tell', async (level) => {
      const live = stateOf(database);
      const before = Date.now() - 1000;
      const result = await run(directory, { verify: level });
      expect(result).toMatchObject(done);
      expect(result.annotations).toEqual([]);
      expect(result.outputs).toMatchObject({ 'backup-id': id, 'verified-level': level });
      expect(result.visible).toContain(`${id} is intact: ${level} verified in `);
      const { verified } = JSON.parse(readFileSync(join(directory, `${id}.json`), 'utf8')) as Manifest;
      expect(verified).toEqual({
        level,
        at: expect.any(String),
        ...(level === 'restore' ? { ms: expect.any(Number) } : {}),
      });
      expect(Date.parse(verified.at)).toBeGreaterThan(before);
      expect(stateOf(database)).toEqual(live);
      expect(readdirSync(join(directory, '.work')).sort()).toEqual(['holder', 'lock']);
      const list = await run(directory, { command: 'list' });
      expect(reportOf(list).backups).toMatchObject([{ id, state: 'ok', verifiedLevel: level }]);
      expect(JSON.parse(readFileSync(join(directory, 'status.json'), 'utf8'))).toMatchObject({
        command: 'verify',
        ok: true,
        backup: { id, verifiedLevel: level },
      });
    });
  });

  test('is left as it is by a lesser level: what was proven before counts', async () => {
    const stored = new Stored();
    expect(await stored.run({ verify: 'restore' })).toMatchObject(done);
    const { verified } = stored.manifest;
    for (const level of ['content', 'checksum']) {
      const result = await stored.run({ verify: level });
      expect(result).toMatchObject(done);
      expect(result.outputs['verified-level']).toBe('restore');
      expect(stored.manifest.verified).toEqual(verified);
    }
  });

  test('keeps all else in its manifest', async () => {
    const stored = new Stored();
    const { verified: _, ...before } = stored.manifest;
    await stored.run({ verify: 'restore' });
    expect(stored.manifest).toMatchObject(before);
  });

  test('without counts in its manifest can be restored all the same', async () => {
    const stored = new Stored('checksum');
    expect(stored.manifest.content).toBeNull();
    expect(await stored.run({ verify: 'restore', assert: 'SELECT count(*) = 3 FROM orders' })).toMatchObject(done);
  });

  test('is not changed by a dry run', async () => {
    const stored = new Stored();
    await stored.run({ verify: 'checksum' }); // makes .work, as a directory in use has it
    const before = listing(stored.directory);
    const result = await stored.run({ verify: 'restore', 'dry-run': 'true' });
    expect(result).toMatchObject({ ...done, outputs: { 'error-code': '', 'backup-ok': 'false' } });
    expect(result.visible).toContain(`would verify ${stored.id}, level restore`);
    expect(listing(stored.directory)).toEqual(before);
  });
});

describe('which one', () => {
  let stored: Stored;
  let older: string;
  beforeEach(() => {
    stored = new Stored();
    older = stored.id.replace(/\d{8}T\d{6}Z-..../, '20261101T000000Z-0001');
    const { manifest } = stored;
    const file = manifest.file.replace(stored.id, older);
    copyFileSync(stored.path(''), join(stored.directory, file));
    writeFileSync(join(stored.directory, `${file}.sha256`), `${manifest.sha256}  ${file}\n`);
    const createdAt = '2026-11-01T00:00:00Z';
    writeFileSync(join(stored.directory, `${older}.json`), JSON.stringify({ ...manifest, id: older, file, createdAt }));
  });

  test.each(['', 'latest'])('backup %j: the newest', async (backup) => {
    expect((await stored.run({ backup })).outputs['backup-id']).toBe(stored.id);
  });

  test('any by its id, however old', async () => {
    const result = await stored.run({ backup: older, verify: 'restore' });
    expect(result).toMatchObject(done);
    expect(result.outputs['backup-id']).toBe(older);
    expect(stored.manifest.verified.level).toBe('content');
  });

  test('one that is not there: E_NOT_FOUND', async () => {
    const result = await stored.run({ backup: stored.id.replace(/....$/, 'ffff') });
    const known = [stored.id, older];
    // by a chance of 1 in 65536 it has that very name
    if (!stored.id.endsWith('ffff')) expectFailure(result, 'E_NOT_FOUND', known.join(', '));
  });

  test.each([
    ['no', () => rmSync(stored.path('.json')), /the manifest is missing/],
    ['a cut', () => writeFileSync(stored.path('.json'), '{"schema": 1, '), /text: expected JSON/],
    ['an empty', () => writeFileSync(stored.path('.json'), ''), /text: expected JSON/],
    ['a manifest that is no', () => writeFileSync(stored.path('.json'), '{}'), /schema: expected 1/],
    [
      'a link for a',
      () => {
        renameSync(stored.path('.json'), join(folder, 'elsewhere.json'));
        symlinkSync(join(folder, 'elsewhere.json'), stored.path('.json'));
      },
      /is a symbolic link/,
    ],
    [
      'a directory for a',
      () => {
        rmSync(stored.path('.json'));
        mkdirSync(stored.path('.json'));
      },
      /is a directory/,
    ],
  ])('the newest has %s manifest: E_MANIFEST, not the older one in silence', async (what, spoil, why) => {
    spoil();
    const before = listing(stored.directory);
    expectFailure(await stored.run(), 'E_MANIFEST', why, 'Do not rely on this backup');
    if (SWEEP || what === 'no')
      expectFailure(await stored.run({ backup: stored.id, 'dry-run': 'true' }), 'E_MANIFEST', why);
    expect(listing(stored.directory)).toMatchObject(before);
  });

  test('one dated in the future is not the newest', async () => {
    const id = new SeededDirectory({ user: { uid: 0, gid: 0 }, database } as Scene, stored.directory).backup(
      daysAgo(-2),
    );
    const result = await stored.run();
    expect(result).toMatchObject({ code: 0 });
    expect(result.outputs['backup-id']).toBe(stored.id);
    expect(result.visible).toContain(`${id} is dated in the future`);
  });
});

describe('max-age', () => {
  test('the newest is too old: E_STALE, unless the limit allows it', async () => {
    const stored = new Stored();
    const old = daysAgo(3);
    const id = stored.id.replace(/\d{8}T\d{6}Z/, old.toISOString().replace(/[-:]|\.000/g, ''));
    for (const name of readdirSync(stored.directory)) {
      renameSync(join(stored.directory, name), join(stored.directory, name.replace(stored.id, id)));
    }
    const file = `${id}.sqlite.zst`;
    const path = join(stored.directory, `${id}.json`);
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
    const createdAt = old.toISOString().replace('.000', '');
    writeFileSync(path, JSON.stringify({ ...manifest, id, file, createdAt }));
    writeFileSync(join(stored.directory, `${file}.sha256`), `${manifest.sha256}  ${file}\n`);
    const bytes = readFileSync(path);
    expectFailure(await stored.run(), 'E_STALE', /the newest backup of app is \d+ h.* old; max-age is 26 h\./);
    expect(readFileSync(path)).toEqual(bytes);
    for (const age of ['5d', 'none']) expect(await stored.run({ 'max-age': age })).toMatchObject(done);
    expect(await stored.run({ backup: id })).toMatchObject(done);
  });

  test.each(['26h', 'none'])('%s, and no backup at all: E_STALE; nothing is made', async (age) => {
    const directory = join(folder, 'nothing');
    expectFailure(await run(directory, { 'max-age': age }), 'E_STALE', `there is no backup of app in ${directory}`);
    expect(existsSync(directory)).toBe(false);
  });

  test('of another database there may be some: E_STALE all the same', async () => {
    const stored = new Stored();
    stored.replace(readFileSync(stored.path('')), { identity: { path: '/srv/other.db' } });
    expectFailure(await stored.run(), 'E_STALE', 'there is no backup of app');
  });
});

describe('assert', () => {
  test('each must return a true first value', async () => {
    const stored = new Stored();
    const assert = [
      'SELECT count(*) > 2 FROM orders',
      "SELECT 1, 'second|column', NULL;",
      'SELECT sum(total) FROM orders -- a number that is not 0',
      "SELECT 'true'",
    ];
    expect(await stored.run({ verify: 'restore', assert: assert.join('\n') })).toMatchObject(done);
    expect(stored.manifest.verified.level).toBe('restore');
  });

  test.each([
    ['SELECT count(*) > 3 FROM orders', 'returned 0'],
    ['SELECT NULL', 'returned (nothing)'],
    ['SELECT 1 WHERE 0', 'returned (nothing)'],
    ['SELECT 0, 1', 'returned 0'],
    ["SELECT 'yes'", 'returned yes'],
    ['SELECT total FROM invoices', /failed: .*no such table: invoices/],
    ['SELECT FROM', /failed: .*syntax error/],
    ['DELETE FROM orders', /failed: .*readonly/],
  ])('%s: E_ASSERT', async (statement, why) => {
    const stored = new Stored();
    const before = stored.manifest;
    const message = expectFailure(
      await stored.run({ verify: 'restore', assert: `SELECT 1\n${statement}` }),
      'E_ASSERT',
      '1 of 2 assertions does not hold in the scratch restore',
      statement,
      why,
    );
    expect(message).toContain('the backup can be restored');
    expect(stored.manifest).toEqual(before);
    expect(stored.leftovers()).toEqual([]);
  });
});

describe('what is rejected', () => {
  const NO_FILE = /is missing, or is not a regular file/;
  const OTHER = /does not match the manifest/;
  const intact = () => readFileSync(new Stored().path(''));
  /** Whatever is wrong with the bytes, each level finds it, and says in the manifest that this is no backup any more. */
  async function rejected(stored: Stored, level: string, code: string, ...says: (string | RegExp)[]): Promise<void> {
    const live = stateOf(database);
    const result = await stored.run({ verify: level });
    const message = expectFailure(result, code, ...says);
    expect(message).toMatch(/[Tt]ake a new one/);
    expect(stored.manifest.verified).toEqual({ level: 'none', at: expect.any(String) });
    expect(result.outputs).toMatchObject({ 'backup-id': stored.id, 'verified-level': 'none' });
    expect(stored.leftovers()).toEqual([]);
    expect(stateOf(database)).toEqual(live);
  }

  describe.each(LEVELS)('at the level %s', (level) => {
    const test = inTurn(LEVELS, level);

    test.each([0, 10, 60, 99])('the first %s %% of the file', async (percent) => {
      const stored = new Stored();
      const whole = readFileSync(stored.path(''));
      writeFileSync(stored.path(''), whole.subarray(0, Math.floor((whole.length * percent) / 100)));
      await rejected(stored, level, 'E_CHECKSUM', /has \d+ bytes, but the manifest says \d+/);
    });

    test('the file of another database, and of another backup', async () => {
      const stored = new Stored();
      const other = join(folder, `other-${level}.db`);
      fill(other);
      writeFileSync(stored.path(''), zstdCompressSync(readFileSync(other)));
      await rejected(stored, level, 'E_CHECKSUM');
    });

    test('a link in its place, also one to the very bytes, and a directory', async () => {
      const linked = new Stored();
      renameSync(linked.path(''), join(folder, `moved-${level}`));
      symlinkSync(join(folder, `moved-${level}`), linked.path(''));
      await rejected(linked, level, 'E_CHECKSUM', NO_FILE);
      const directory = new Stored();
      rmSync(directory.path(''));
      mkdirSync(directory.path(''));
      await rejected(directory, level, 'E_CHECKSUM', NO_FILE);
    });
  });

  test.each([
    ['no', () => null, 'checksum', NO_FILE],
    ['no', () => null, 'restore', NO_FILE],
    ['an empty', () => '', 'checksum', OTHER],
    ['a malformed', (sum: string) => sum.slice(1), 'content', OTHER],
    ['a wrong', (sum: string) => `${'0'.repeat(64)}${sum.slice(64)}`, 'checksum', OTHER],
    ['a wrong', (sum: string) => `${'0'.repeat(64)}${sum.slice(64)}`, 'restore', OTHER],
    ['a file of two lines for a', (sum: string) => `${sum}${sum}`, 'content', OTHER],
    ['the checksum of another name for a', (sum: string) => sum.replace('app-', 'app_'), 'restore', OTHER],
  ])('%s checksum', async (_, change, level, why) => {
    const stored = new Stored();
    const changed = change(readFileSync(stored.path('.sha256'), 'utf8'));
    if (changed === null) rmSync(stored.path('.sha256'));
    else writeFileSync(stored.path('.sha256'), changed);
    await rejected(stored, level, 'E_CHECKSUM', why);
  });

  test('one flipped byte, wherever it is', async () => {
    const stored = new Stored();
    const whole = intact();
    const sidecar = readFileSync(stored.path('.sha256'));
    const manifest = readFileSync(stored.path('.json'));
    const anywhere = fc.oneof(
      { arbitrary: fc.record({ ending: fc.constant('' as const), offset: fc.nat(whole.length - 1) }), weight: 4 },
      {
        arbitrary: fc.record({ ending: fc.constant('.sha256' as const), offset: fc.nat(sidecar.length - 1) }),
        weight: 1,
      },
    );
    await fc.assert(
      fc.asyncProperty(anywhere, fc.nat(7), fc.constantFrom(...LEVELS), async ({ ending, offset }, bit, level) => {
        writeFileSync(stored.path(''), whole);
        writeFileSync(stored.path('.sha256'), sidecar);
        writeFileSync(stored.path('.json'), manifest);
        const bytes = Buffer.from(ending === '' ? whole : sidecar);
        bytes[offset] = (bytes[offset] ?? 0) ^ (1 << bit);
        writeFileSync(stored.path(ending), bytes);
        await rejected(stored, level, 'E_CHECKSUM');
      }),
      {
        numRuns: SWEEP ? 15 : 5,
        examples: [
          [{ ending: '', offset: 0 }, 0, 'checksum'],
          [{ ending: '', offset: whole.length - 1 }, 7, 'content'],
          [{ ending: '.sha256', offset: sidecar.length - 1 }, 0, 'checksum'],
        ],
      },
    );
  });

  const LOOKED_INTO = ['content', 'restore'];
  describe.each(LOOKED_INTO)('where all checksums fit, at the level %s', (level) => {
    const test = inTurn(LOOKED_INTO, level);
    const made = (...statements: string[]): Buffer => {
      const path = join(mkdtempSync(join(folder, 'made-')), 'app.db');
      sqlite3(path, ...statements);
      return readFileSync(path);
    };

    test('a valid database without anything in it', async () => {
      const stored = new Stored();
      const empty = made('CREATE TABLE x (y)', 'DROP TABLE x', 'VACUUM');
      stored.replace(zstdCompressSync(empty), { databaseBytes: empty.length });
      await rejected(stored, level, 'E_MANIFEST', 'items is missing; orders is missing; users is missing');
    });

    test('fewer rows, more rows, a table more', async () => {
      const stored = new Stored();
      const path = join(mkdtempSync(join(folder, 'made-')), 'app.db');
      copyFileSync(database, path);
      sqlite3(path, 'DELETE FROM orders WHERE id = 2', 'INSERT INTO users DEFAULT VALUES');
      sqlite3(path, 'CREATE TABLE surplus AS SELECT 1');
      const other = readFileSync(path);
      stored.replace(zstdCompressSync(other), { databaseBytes: other.length });
      const wrong = 'orders has 2 rows, not 3; users has 1 row, not 0; surplus has 1 row, and is not in the manifest';
      await rejected(stored, level, 'E_MANIFEST', wrong);
    });

    test('a page that is damaged', async () => {
      const stored = new Stored();
      const torn = readFileSync(database);
      const pageSize = torn.readUInt16BE(16);
      torn.fill(0xff, pageSize * 3, pageSize * 4);
      stored.replace(zstdCompressSync(torn), { databaseBytes: torn.length });
      await rejected(stored, level, 'E_CHECKSUM', /of the copy|malformed/);
    });

    test('no SQLite database, and one that lost its end', async () => {
      const stored = new Stored();
      const text = Buffer.alloc(readFileSync(database).length, 'text\n');
      stored.replace(zstdCompressSync(text), { databaseBytes: text.length });
      await rejected(stored, level, 'E_CHECKSUM', /does not start with the SQLite header/);
      const cut = readFileSync(database).subarray(0, -4096);
      const shorter = new Stored();
      shorter.replace(zstdCompressSync(cut), { databaseBytes: cut.length });
      await rejected(shorter, level, 'E_CHECKSUM');
    });

    test('what does not decompress', async () => {
      const stored = new Stored();
      stored.replace(Buffer.from('this is not zstd'));
      await rejected(stored, level, 'E_CHECKSUM', /cannot be decompressed/);
    });

    test('more than the manifest says, of which no more than twice as much is ever written', async () => {
      const stored = new Stored();
      const bomb = zstdCompressSync(Buffer.alloc(512 << 20));
      expect(bomb.length).toBeLessThan(1 << 20);
      stored.replace(bomb);
      let most = 0;
      const work = join(stored.directory, '.work');
      const timer = setInterval(() => {
        for (const name of namesBelow(work)) {
          most = Math.max(most, statSync(join(work, name), { throwIfNoEntry: false })?.size ?? 0);
        }
      }, 2);
      await rejected(stored, level, 'E_CHECKSUM', /to more than its manifest says/);
      clearInterval(timer);
      expect(most).toBeLessThanOrEqual(2 * stored.manifest.databaseBytes + 65_536);
    });
  });

  test('does not count for the rotation, and the good ones stay', async () => {
    const directory = join(folder, 'rotation');
    const rules = { command: 'backup', keep: '2' };
    const first = expectBackup(await run(directory, rules));
    const second = expectBackup(await run(directory, rules));
    const payload = join(directory, `${second}.sqlite.zst`);
    const bytes = readFileSync(payload);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    writeFileSync(payload, bytes);
    expectFailure(await run(directory, {}), 'E_CHECKSUM', /the SHA-256 of .* is [0-9a-f]{64}, but the manifest says/);
    const list = await run(directory, { command: 'list' });
    expect(reportOf(list).backups).toMatchObject([
      { id: second, state: 'unverified' },
      { id: first, state: 'ok' },
    ]);
    expectFailure(await run(directory, {}), 'E_CHECKSUM'); // it stays red until there is a new one
    const third = expectBackup(await run(directory, rules));
    expect(reportOf(await run(directory, { command: 'list' })).backups).toMatchObject([
      { id: third, state: 'ok' },
      { id: second, state: 'unverified' },
      { id: first, state: 'ok' },
    ]);
    expect(await run(directory)).toMatchObject(done);
  });

  test('and counts again when it is whole again', async () => {
    const stored = new Stored();
    const whole = intact();
    writeFileSync(stored.path(''), whole.subarray(1));
    await rejected(stored, 'checksum', 'E_CHECKSUM');
    writeFileSync(stored.path(''), whole);
    expect(await stored.run({ verify: 'checksum' })).toMatchObject(done);
    expect(stored.manifest.verified.level).toBe('checksum');
  });
});

describe('command backup with verify restore', () => {
  test('says so in the manifest and the output, and has asked the assertions', async () => {
    const directory = join(folder, 'restore');
    const live = stateOf(database);
    const result = await run(directory, {
      command: 'backup',
      verify: 'restore',
      assert: 'SELECT count(*) = 3 FROM orders',
    });
    const id = expectBackup(result);
    expect(result.outputs['verified-level']).toBe('restore');
    const manifest = JSON.parse(readFileSync(join(directory, `${id}.json`), 'utf8')) as Manifest;
    expect(manifest).toMatchObject({ verified: { level: 'restore' }, content: { tables: ROWS } });
    expect(readdirSync(join(directory, '.work')).sort()).toEqual(['holder', 'lock']);
    expect(stateOf(database)).toEqual(live);
    expect(await run(directory, { verify: 'restore' })).toMatchObject(done);
  });

  test('publishes nothing when an assertion does not hold', async () => {
    const directory = join(folder, 'unpublished');
    const inputs = { command: 'backup', keep: '1' };
    const first = expectBackup(await run(directory, inputs));
    const files = readdirSync(directory).filter((name) => name.startsWith('app-'));
    const assert = 'SELECT count(*) > 1000 FROM orders';
    const message = expectFailure(await run(directory, { ...inputs, verify: 'restore', assert }), 'E_ASSERT', assert);
    expect(message).toContain('returned 0');
    expect(readdirSync(directory).filter((name) => name.startsWith('app-'))).toEqual(files);
    expect(files[0]).toContain(first);
    expect(readdirSync(join(directory, '.work')).sort()).toEqual(['holder', 'lock']);
  });
});

describe('over SSH', () => {
  test('with the database of another user: only the backup itself is looked at', async () => {
    const [scene, owner] = await Promise.all([startScene(), createUser()]);
    const sudoers = `/etc/sudoers.d/${scene.user.name}`;
    const home = mkdtempSync('/srv/dbb-owner-');
    try {
      chownSync(home, owner.uid, owner.gid);
      chmodSync(home, 0o700);
      const path = join(home, 'app.db');
      fill(path);
      chownSync(path, owner.uid, owner.gid);
      mkdirSync('/etc/sudoers.d', { recursive: true });
      const rule = `${scene.user.name} ALL=(${owner.name}) NOPASSWD: /bin/sh -s, /usr/bin/sh -s`;
      writeFileSync(sudoers, `Defaults:${scene.user.name} !use_pty\n${rule}\n`, { mode: 0o440 });
      const inputs = { 'run-as': owner.name, database: path, verify: 'restore', assert: 'SELECT total FROM orders' };
      const id = expectBackup(await scene.run(inputs));
      expect(scene.manifest(id)).toMatchObject({ verified: { level: 'restore' }, content: { tables: ROWS } });
      rmSync(sudoers); // as it is not needed to prove what is there
      expect(await scene.run({ ...inputs, command: 'verify' })).toMatchObject(done);
      await nothingLeft(scene);
    } finally {
      rmSync(sudoers, { force: true });
      rmSync(home, { recursive: true });
      await scene.stop();
      await owner.remove();
    }
  });

  test('without the sqlite3 tool Python does the same', async () => {
    const scene = await startScene({ sshd: { wrapper: withoutCommands(['sqlite3']) } });
    try {
      execFileSync('sqlite3', [scene.database, 'CREATE TABLE "tä\n\'b" (x)']);
      const restore = { verify: 'restore', assert: 'SELECT count(*) > 0, 2 FROM blobs' };
      const id = expectBackup(await scene.run(restore));
      expect(scene.manifest(id).tools).toHaveProperty(['sqlite3 (python3 module)']);
      for (const level of LEVELS) {
        expect(await scene.run({ command: 'verify', verify: level })).toMatchObject(done);
      }
      const assert = 'SELECT 0\nSELECT x FROM nowhere\nDELETE FROM blobs\nSELECT NULL';
      const message = expectFailure(await scene.run({ command: 'verify', ...restore, assert }), 'E_ASSERT');
      expect(message).toMatch(/4 of 4 .*SELECT 0 returned 0; .*no such table: nowhere.*; .*readonly.*\(nothing\)/);
      const { file, content } = scene.manifest(id);
      const path = join(scene.directory, `${id}.json`);
      const manifest = scene.manifest(id);
      const [table] = content?.tables ?? [];
      if (table !== undefined) table.rows = 4711;
      writeFileSync(path, JSON.stringify({ ...manifest, content }));
      expectFailure(await scene.run({ command: 'verify' }), 'E_MANIFEST', 'rows, not 4711');
      const bytes = readFileSync(join(scene.directory, file));
      bytes[100] = (bytes[100] ?? 0) ^ 4;
      writeFileSync(join(scene.directory, file), bytes);
      expectFailure(await scene.run({ command: 'verify' }), 'E_CHECKSUM');
      await nothingLeft(scene);
    } finally {
      await scene.stop();
    }
  });
});

/** None as soon as it is gone, which may be while it is read. */
function namesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true }) as string[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
