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
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Dump } from '../../src/engines/restoring.js';
import { sqlite } from '../../src/engines/sqlite/index.js';
import { sqliteRestoring } from '../../src/engines/sqlite/restore.js';
import { type Facts, type HostRequest, Session } from '../../src/host/session.js';
import type { Settings } from '../../src/settings/settings.js';
import { sqlite3, until } from '../helpers/outcome.js';
import { leftAfter, processesOfUser } from '../helpers/processes.js';
import { SWEEP, sample, step } from '../helpers/sample.js';
import { type ShellHost, shellHost } from '../helpers/shell-host.js';
import { checkInvariant, createDatabase, withNewer } from '../helpers/sqlite.js';
import { unmount } from '../helpers/unmount.js';
import { createUser, type TestUser } from '../helpers/users.js';

// Every process of the session is killed at once before the Nth tool that a request starts, for each N until none is left to kill at.
// Then another session looks what is live. No action around it: that would take a second for each.

/** Those that change what is there. */
const TOOLS = ['mv', 'ln', 'rm', 'sqlite3', 'zstd'];
const STEP = { id: 'app-20261120T101500Z-7f3a' };
const settings = {
  ...{ name: 'app', runAs: null, verify: 'content', compression: 'auto', compressionLevel: null, asserts: [] },
  ...{ minFreeBytes: 0, lockWaitMs: 2000, restore: { stopCommand: null } },
} as unknown as Settings;

let user: TestUser;
let folder: string;
let tools: string;
let dump: Dump;
const live = () => join(folder, 'data', 'app.db');
const beside = (name: string) => join(folder, name);

beforeAll(async () => {
  user = await createUser();
  folder = mkdtempSync(join(tmpdir(), 'dbb-kills-'));
  tools = join(folder, 'tools');
  for (const name of ['tools', 'data', 'backups']) mkdirSync(join(folder, name), { mode: 0o700 });
  for (const tool of TOOLS) {
    // kill -1 reaches every process of this user but itself
    writeFileSync(
      join(tools, tool),
      `#!/bin/sh
n=1
while ! mkdir "${tools}/count.$n" 2>/dev/null; do n=$((n + 1)); done
read -r at after <${tools}/at
case $at:$* in
  $n:*) kill -KILL -1; exit 9 ;;
  slow:*".restore 'file"*) sleep 30 ;;
  middle:*".restore 'file"*) /usr/bin/${tool} "$@" & sleep "$after"; kill -KILL -1; exit 9 ;;
esac
exec /usr/bin/${tool} "$@"
`,
      { mode: 0o755 },
    );
  }
  await createDatabase(beside('old.db'), { mb: 0.2, wal: true });
  await createDatabase(beside('new.db'), { mb: 0.2, wal: true });
  for (const name of ['old.db', 'new.db']) sqlite3(beside(name), `CREATE TABLE "only ${name}" (x)`);
  await createDatabase(beside('large.db'), { mb: 30, wal: true });
  const bytes = readFileSync(beside('new.db'));
  const packed = zstdCompressSync(bytes);
  const sha256 = createHash('sha256').update(packed).digest('hex');
  const file = join(folder, 'backups', 'dump.zst');
  writeFileSync(file, packed);
  const facts = { bytes: packed.length, databaseBytes: bytes.length, manifest: null };
  dump = { file, kind: 'sqlite', compression: 'zstd', encryption: 'none', sha256, ...facts };
  own(folder);
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await user.remove();
});

function own(path: string): void {
  chownSync(path, user.uid, user.gid);
  if (statSync(path).isDirectory()) for (const name of readdirSync(path)) own(join(path, name));
}

const opened = async () => {
  const host = shellHost(['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', 'sh']);
  own(host.folder);
  return {
    host,
    session: await Session.open(host, { engine: sqlite, idleTimeoutMs: 20_000, startTimeoutMs: 60_000 }),
  };
};
const begun = (): HostRequest[] => [
  ['request', 'open_directory', [join(folder, 'backups'), '077', 'create']],
  ['request', 'expect_work', ['app-20261120T101501Z-7f3a']],
  ['request', 'eval', [`PATH=${tools}:$PATH; rm -rf "$work"`]],
];

/** All of the session has ended. */
async function gone(host: ShellHost): Promise<void> {
  const alive = () => processesOfUser(user.uid);
  expect(await leftAfter(alive, 10_000)).toEqual([]);
  host.remove();
}

/** What the tools do from now on. */
function from(at: number | string): void {
  for (const name of readdirSync(tools)) if (name.startsWith('count.')) rmSync(join(tools, name), { recursive: true });
  writeFileSync(join(tools, 'at'), String(at), { mode: 0o644 });
}

/** One session of that user, which may be killed before its Nth tool, or so many seconds into `.restore` (`middle 0.01`); null when it was. */
async function carryOut(request: HostRequest, killBefore: number | string): Promise<Facts | null> {
  from(killBefore);
  const { host, session } = await opened();
  try {
    return await session.send(...begun(), request);
  } catch (error) {
    expect(error).toMatchObject({ code: 'E_REMOTE_LOST' });
    return null;
  } finally {
    await session.close();
    await gone(host);
  }
}

const restoring = () => sqliteRestoring({ engine: 'sqlite', path: live(), given: live() });
const NEVER = 0;
const names = () => readdirSync(join(folder, 'data')).sort();
const content = () =>
  Object.fromEntries(names().map((name) => [name, readFileSync(join(folder, 'data', name), 'latin1')]));
const sidecars = () => names().filter((name) => /^app.db-(wal|shm|journal)$/.test(name));
const holds = (table: string) => {
  try {
    return sqlite3(live(), `SELECT count(*) FROM "only ${table}"`).trim() === '0';
  } catch {
    return false;
  }
};

/** What was there before, by the way that it is restored. */
const begins: Record<string, { way: string; set: () => void }> = {
  'in place': { way: 'in-place', set: () => copyFileSync(beside('old.db'), live()) },
  'replacing a damaged one': {
    way: 'replace',
    set: () => {
      copyFileSync(beside('old.db'), live());
      truncateSync(live(), 100_000);
      for (const end of ['-wal', '-journal']) writeFileSync(`${live()}${end}`, `of the old one${end}`);
    },
  },
  'replacing one of other pages': {
    way: 'replace',
    set: () => {
      copyFileSync(beside('old.db'), live());
      sqlite3(live(), 'PRAGMA journal_mode = delete', 'PRAGMA page_size = 8192', 'VACUUM', 'PRAGMA journal_mode = wal');
    },
  },
  'replacing one of a newer SQLite': {
    way: 'replace',
    set: () => {
      copyFileSync(beside('old.db'), live());
      withNewer(
        live(),
        'PRAGMA journal_mode = delete',
        "CREATE VIEW w AS SELECT group_concat(v, ',' ORDER BY v) FROM a",
      );
    },
  },
  'making a missing one': { way: 'replace', set: () => writeFileSync(`${live()}-wal`, 'of one that was deleted') },
};

function begin(kind: string): { way: string; old: Record<string, string> } {
  rmSync(join(folder, 'data'), { recursive: true });
  mkdirSync(join(folder, 'data'), { mode: 0o700 });
  begins[kind]?.set();
  own(join(folder, 'data'));
  return { way: begins[kind]?.way ?? '', old: content() };
}

/** What load leaves. */
function stage(from = 'new.db'): void {
  const path = `${live()}.restore-${STEP.id}`;
  copyFileSync(beside(from), path);
  chmodSync(path, 0o600);
  own(path);
}

const ofTheRestore = () => names().filter((name) => name.includes('.restore-') || name.includes('.before-'));

async function recover(kind: string): Promise<string> {
  const { way } = begins[kind] ?? { way: '' };
  const facts = await carryOut(
    restoring().recover(settings, { ...STEP, way }, { target: live(), identity: { path: live() } }),
    NEVER,
  );
  return facts?.get('state') ?? '';
}

const KINDS = Object.keys(begins);

describe.each(sample(KINDS, 4))('%s', (kind) => {
  test('killed anywhere in the load: unchanged', async () => {
    for (let at = 1; ; at += step(3)) {
      const { way, old } = begin(kind);
      const facts = await carryOut(restoring().load(settings, dump, { ...STEP, way }), at);
      if (facts !== null) {
        expect(at).toBeGreaterThan(4);
        break;
      }
      expect(await recover(kind)).toBe('unchanged');
      expect(content()).toEqual(old);
    }
  });

  test('killed anywhere in the swap: the old one or the new one, as is told', async () => {
    const states = new Set<string>();
    // from another first point for each kind, so that together they are at all
    for (let at = 1 + (SWEEP ? 0 : KINDS.indexOf(kind) % 3); ; at += step(3)) {
      const { way, old } = begin(kind);
      stage();
      const facts = await carryOut(restoring().swap(settings, dump, { ...STEP, way }), at);
      if (facts !== null) {
        expect(facts.get('state')).toBe('restored');
        expect(at).toBeGreaterThan(8);
        break;
      }
      if (way === 'replace' && existsSync(live()) && readFileSync(live()).equals(readFileSync(beside('new.db')))) {
        expect({ at, sidecars: sidecars() }).toEqual({ at, sidecars: [] }); // also for who opens it before the next run
      }
      const state = await recover(kind);
      if (at % 4 === 0) expect(await recover(kind)).toBe(state); // told again it is the same
      states.add(state);
      if (state === 'unchanged') {
        if (kind === 'in place' || kind.includes('other pages')) expect(holds('old.db')).toBe(true);
        else expect({ at, content: content() }).toEqual({ at, content: old });
        expect(ofTheRestore()).toEqual([]);
      } else {
        expect({ at, state, whole: holds('new.db') }).toEqual({ at, state: 'restored', whole: true });
        await checkInvariant(live());
        expect(sidecars()).toEqual([]);
        const facts = await carryOut(restoring().settle(settings, { ...STEP, way }), NEVER);
        expect(facts).not.toBeNull();
        expect(names()).toEqual(['app.db']);
      }
    }
    expect([...states].sort()).toEqual(['restored', 'unchanged']);
  });
});

test.each(sample(['replacing a damaged one', 'replacing one of a newer SQLite', 'making a missing one'], 2))(
  '%s, and killed anywhere on the way back: once more, and the old one is there',
  async (kind) => {
    for (let at = 1 + (SWEEP ? 0 : KINDS.indexOf(kind) % 3); ; at += step(3)) {
      const { way, old } = begin(kind);
      stage();
      await carryOut(restoring().swap(settings, dump, { ...STEP, way }), NEVER);
      expect(holds('new.db')).toBe(true);
      const facts = await carryOut(restoring().back(settings, { ...STEP, way }, null), at);
      if (facts === null && (await recover(kind)) === 'restored') {
        const again = await carryOut(restoring().back(settings, { ...STEP, way }, null), NEVER);
        expect(again?.get('state')).toBe('rolled-back');
      }
      expect({ at, content: content() }).toEqual({ at, content: old });
      if (facts !== null) break;
    }
  },
);

test('killed in the middle of the transaction: the old one, whole', async () => {
  const states: string[] = [];
  for (const after of sample([0, 0.01, 0.02, 0.04, 0.08], 3)) {
    begin('in place');
    copyFileSync(beside('large.db'), live());
    own(live());
    stage('large.db');
    sqlite3(`${live()}.restore-${STEP.id}`, 'CREATE TABLE "only new.db" (x)');
    const request = restoring().swap(settings, dump, { ...STEP, way: 'in-place' });
    expect(await carryOut(request, `middle ${after}`)).toBeNull();
    const state = await recover('in place');
    states.push(state);
    expect({ after, state, isNew: holds('new.db') }).toEqual({ after, state, isNew: state === 'restored' });
    expect(sqlite3(live(), 'PRAGMA integrity_check').trim()).toBe('ok');
    expect(ofTheRestore().filter((name) => !name.endsWith('-note'))).toEqual([]);
  }
  expect(states).toContain('unchanged');
});

test('the run ends in the middle of the swap: taken back at once', async () => {
  const { old } = begin('in place');
  stage();
  from('slow');
  const { host, session } = await opened();
  const request = restoring().swap(settings, dump, { ...STEP, way: 'in-place' });
  const pending = session.send(...begun(), request).catch((error: unknown) => error);
  await until(() => processesOfUser(user.uid).some(({ command }) => command === 'sleep 30'));
  expect(names().filter((name) => name.includes('.restore-'))).toHaveLength(2);
  const started = performance.now();
  expect(await session.close()).toBe(true);
  expect(performance.now() - started).toBeLessThan(3000);
  expect(await pending).toBeInstanceOf(Error);
  expect(content()).toEqual(old);
  host.remove();
});

describe('by hand', () => {
  const typed = (lines: string[]) => execFileSync('sh', ['-e', '-c', lines.join('; ')], { stdio: 'ignore' });

  test.each(['replacing a damaged one', 'making a missing one'])('%s: the old one is there again', async (kind) => {
    const { way, old } = begin(kind);
    stage();
    await carryOut(restoring().swap(settings, dump, { ...STEP, way }), NEVER);
    writeFileSync(`${live()}-wal`, 'of the new one');
    typed(restoring().byHand(settings, { ...STEP, way }, null, join(folder, 'backups')));
    rmSync(`${live()}.restore-${STEP.id}-note`);
    expect(kind.includes('missing') ? { ...content(), 'app.db': undefined } : content()).toEqual(old);
  });

  test('in place: from the safety backup', async () => {
    const { way } = begin('in place');
    writeFileSync(`${dump.file}.sha256`, `${dump.sha256}  ${basename(dump.file)}\n`);
    typed(
      restoring().byHand(settings, { ...STEP, way }, { ...dump, file: basename(dump.file) }, join(folder, 'backups')),
    );
    expect(holds('new.db')).toBe(true);
  });
});

describe('on a disk that is too small', () => {
  const small = () => join(folder, 'small');
  const there = () => sqliteRestoring({ engine: 'sqlite', path: join(small(), 'app.db'), given: '' });
  beforeEach(() => {
    mkdirSync(small(), { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=1m,uid=${user.uid},gid=${user.gid},mode=700`, 'tmpfs', small()]);
    copyFileSync(beside('old.db'), join(small(), 'app.db'));
    own(small());
  });
  afterEach(() => unmount(small()));

  async function isFull(request: HostRequest): Promise<void> {
    from(NEVER);
    const { host, session } = await opened();
    const error = await session.send(...begun(), request).catch((failure: unknown) => failure);
    await session.close();
    await gone(host);
    expect(error).toMatchObject({ code: 'E_NOSPACE', text: expect.stringMatching(/No space left|is full/) });
  }
  const isOld = () => {
    expect(sqlite3(join(small(), 'app.db'), 'SELECT count(*) FROM "only old.db"').trim()).toBe('0');
    expect(readdirSync(small()).filter((name) => !/-(wal|shm)$/.test(name) && name !== 'filler')).toEqual(['app.db']);
  };

  test('for what is loaded, and nobody knows before how much that is', async () => {
    const zeros = join(folder, 'zeros.db');
    sqlite3(zeros, 'CREATE TABLE zeros (x)', 'INSERT INTO zeros VALUES (zeroblob(3000000))');
    const packed = zstdCompressSync(readFileSync(zeros));
    const file = join(folder, 'backups', 'zeros.zst');
    writeFileSync(file, packed);
    own(file);
    const sha256 = createHash('sha256').update(packed).digest('hex');
    const facts = { file, sha256, bytes: packed.length, databaseBytes: null };
    await isFull(there().load(settings, { ...dump, ...facts }, { ...STEP, way: 'replace' }));
    isOld();
  });

  test('for the transaction of SQLite', async () => {
    const staged = join(small(), `app.db.restore-${STEP.id}`);
    copyFileSync(beside('new.db'), staged);
    own(staged);
    writeFileSync(join(small(), 'filler'), Buffer.alloc(330_000));
    await isFull(there().swap(settings, dump, { ...STEP, way: 'in-place' }));
    isOld();
  });
});
