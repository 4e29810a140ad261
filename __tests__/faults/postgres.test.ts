import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { backupsIn, refused, succeeded, until } from '../helpers/outcome.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { rowsOf, rowsTold, startPostgresScene } from '../helpers/postgres-backups.js';
import {
  type FakeTools,
  fakeTools,
  fillHeld,
  type Hold,
  holdRows,
  holdSession,
  sessionsLeft,
  waitsForLock,
} from '../helpers/postgres-faults.js';
import { leftAfter, type ProcessInfo, processesOfUser } from '../helpers/processes.js';
import { startProxy, type TcpProxy } from '../helpers/proxy.js';
import type { ActionResult, RunningAction } from '../helpers/run-action.js';
import { inTurn, nowAndThen, sample } from '../helpers/sample.js';
import type { Scene } from '../helpers/scene.js';
import { createUser, type TestUser } from '../helpers/users.js';

// A dump stands still in the middle of a table, since another session has locked an index that it needs; then something dies.

type Inputs = Record<string, string>;
const UNTOUCHED = 'Nothing was kept, nothing was rotated, and the database was not changed.';

/** A host with a database of its own on the server. */
interface Place {
  scene: Scene;
  database: string;
  /** For `run-as`. */
  other: TestUser;
}

let server: Postgres;
const users: TestUser[] = [];
let tools: FakeTools;
let place: Place;
/** Its clients are `tools`. */
let faked: Place;
let before: Record<string, string>;
let frozen: { direct: Frozen; runAs: Frozen };
const sudoers: string[] = [];

beforeAll(async () => {
  server = await startPostgres();
  await fillHeld(server, 'held');
  tools = fakeTools(server);
  place = await newPlace('plain host');
  faked = await newPlace('host with tools', tools.config);
  const [direct, as] = await Promise.all([newPlace('frozen'), newPlace('frozen as')]);
  frozen = {
    direct: await freeze(direct, { 'dump-format': 'directory' }),
    runAs: await freeze(as, { 'run-as': as.other.name }),
  };
  succeeded(await place.scene.run());
  succeeded(await faked.scene.run());
});
afterAll(async () => {
  for (const { place, proxy } of Object.values(frozen ?? {})) {
    await proxy.stop();
    await place.scene.stop();
  }
  await place?.scene.stop();
  await faked?.scene.stop();
  for (const file of sudoers) rmSync(file, { force: true });
  for (const user of users) await user.remove();
  await server?.remove();
  tools?.remove();
});
beforeEach(() => {
  before = backupsIn(place.scene.directory);
});

async function newPlace(database: string, extraConfig = ''): Promise<Place> {
  await server.createDatabase(database, 'TEMPLATE held');
  const [scene, other] = await Promise.all([
    startPostgresScene(server, database, { sshd: { extraConfig } }),
    createUser(),
  ]);
  users.push(other);
  Object.assign(scene.inputs, { name: 'app' });
  const { name } = scene.user;
  mkdirSync('/etc/sudoers.d', { recursive: true });
  sudoers.push(`/etc/sudoers.d/${name}`);
  const line = `Defaults:${name} !use_pty\n${name} ALL=(${other.name}) NOPASSWD: /bin/sh -s, /usr/bin/sh -s\n`;
  writeFileSync(`/etc/sudoers.d/${name}`, line, { mode: 0o440 });
  return { scene, database, other };
}

/** Of the login user and of the one of `run-as`. A `sleep 2` that outlives its shell holds nothing. */
const processes = ({ scene, other }: Place): ProcessInfo[] =>
  [...scene.processes(), ...processesOfUser(other.uid)].filter(({ command }) => command !== 'sleep 2');
const running = (where: Place, name: string): ProcessInfo[] =>
  processes(where).filter(({ command }) => command.split(' ')[0]?.endsWith(name));

function kill(signal: NodeJS.Signals, found: ProcessInfo[]): void {
  expect(found).not.toEqual([]);
  for (const { pid } of found) process.kill(pid, signal);
}

/** In the middle of the dump. */
interface Middle {
  action: RunningAction;
  hold: Hold;
  backend: number;
}

/** Starts a run, has `strike` do its work in the middle of the dump, and waits for the end. */
async function struck(
  where: Place,
  inputs: Inputs,
  strike: (middle: Middle) => Promise<void> | void,
): Promise<ActionResult> {
  await using hold = await holdRows(server, where.database);
  const action = where.scene.start(inputs);
  try {
    await strike({ action, hold, backend: await waitsForLock(server, where.database, 'COPY') });
    const result = await action.result();
    // before the lock goes: nothing of ours may need that to end
    await nobodyLeft(where);
    return result;
  } finally {
    await action.result();
  }
}

async function nobodyLeft(where: Place): Promise<void> {
  expect(await leftAfter(() => processes(where), 15_000)).toEqual([]);
  expect(where.scene.leftovers()).toEqual([]);
  expect(temporaryOf(where.other)).toEqual([]);
}

const temporaryOf = ({ uid }: TestUser) =>
  ['/var/tmp', '/tmp'].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.startsWith('db-backup.'))
      .filter((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.uid === uid),
  );

const goesOn = nowAndThen(4);

/** Nothing has come of the run, nothing is left of it, and the next one works. */
async function intact(where: Place, inputs: Inputs, earlier = before): Promise<void> {
  await nobodyLeft(where);
  expect(await sessionsLeft(server, where.database)).toEqual([]);
  expect(backupsIn(where.scene.directory)).toEqual(earlier);
  if (!goesOn()) return;
  const id = succeeded(await where.scene.run(inputs));
  expect(rowsTold(where.scene, id)).toEqual(await rowsOf(server, where.database));
}

async function throughProxy({ scene }: Place): Promise<{ proxy: TcpProxy; inputs: Inputs }> {
  const proxy = await startProxy(scene.sshd.port);
  const lines = Object.values(scene.sshd.hostKeys).map((line) => `[127.0.0.1]:${proxy.port} ${line}`);
  return { proxy, inputs: { port: String(proxy.port), 'known-hosts': lines.join('\n') } };
}

/** A run whose link died silently; that takes most of a minute, so it does so beside all the rest. */
interface Frozen {
  place: Place;
  proxy: TcpProxy;
  inputs: Inputs;
  result: Promise<ActionResult>;
  before: Record<string, string>;
}

async function freeze(where: Place, inputs: Inputs): Promise<Frozen> {
  succeeded(await where.scene.run(inputs));
  const earlier = backupsIn(where.scene.directory);
  const { proxy, inputs: port } = await throughProxy(where);
  let result: Promise<ActionResult> | null = null;
  await new Promise<void>((resolve, reject) => {
    result = struck(where, { ...inputs, ...port }, () => {
      proxy.freeze();
      resolve();
    });
    result.catch(reject);
  });
  return { place: where, proxy, inputs, result: result ?? Promise.reject(), before: earlier };
}

const WAYS: [name: string, inputs: Inputs][] = [
  ['directory', { 'dump-format': 'directory', jobs: '2' }],
  ['custom with run-as', { 'dump-format': 'custom', 'run-as': '' }],
];

describe.each(WAYS)('a dump in its middle: %s', (name, given) => {
  const test = inTurn(
    WAYS.map(([way]) => way),
    name,
  );
  const inputs = (): Inputs => ({ ...given, ...('run-as' in given ? { 'run-as': place.other.name } : {}) });

  test('SIGKILL of pg_dump', async () => {
    const result = await struck(place, inputs(), async () => {
      kill('SIGKILL', running(place, 'pg_dump').slice(0, 1));
    });
    refused(result, 'E_DUMP_FAILED', 'killed by signal 9', 'out of memory', UNTOUCHED);
    await intact(place, inputs());
  });

  test('SIGTERM of pg_dump', async () => {
    const result = await struck(place, inputs(), () => kill('SIGTERM', running(place, 'pg_dump').slice(0, 1)));
    refused(result, 'E_DUMP_FAILED', 'pg_dump', UNTOUCHED);
    await intact(place, inputs());
  });

  test('its backend is terminated', async () => {
    const result = await struck(place, inputs(), async ({ backend }) => {
      await server.sql('postgres', `SELECT pg_terminate_backend(${backend})`);
    });
    refused(result, 'E_DUMP_FAILED', 'due to administrator command', /The server ended the connection/, UNTOUCHED);
    await intact(place, inputs());
  });

  test('the run is cancelled', async () => {
    const result = await struck(place, inputs(), ({ action }) => action.kill('SIGINT'));
    refused(result, 'E_CANCELLED', 'Nothing unfinished is left on the host');
    await intact(place, inputs());
  });

  test('SIGKILL of the runner: the post step looks after the host', async () => {
    const result = await struck(place, inputs(), ({ action }) => action.kill('SIGKILL'));
    expect(result).toMatchObject({ signal: 'SIGKILL', steps: { post: { code: 0 } } });
    expect(result.outputs['backup-ok']).not.toBe('true');
    await intact(place, inputs());
  });

  test('the link is cut', async () => {
    const { proxy, inputs: port } = await throughProxy(place);
    try {
      const result = await struck(place, { ...inputs(), ...port }, () => proxy.cut());
      refused(result, 'E_REMOTE_LOST', /connection to .* was lost/);
    } finally {
      await proxy.stop();
    }
    await intact(place, inputs());
  });
});

describe('with run-as', () => {
  const inputs = (): Inputs => ({ 'run-as': place.other.name });

  test('SIGKILL of the shell there: what it had started ends as well', async () => {
    const result = await struck(place, inputs(), () => {
      const [dump] = running(place, 'pg_dump');
      kill(
        'SIGKILL',
        processes(place).filter(({ pid }) => pid === dump?.ppid),
      );
    });
    refused(result, 'E_DUMP_FAILED', /exit status of source.*: 137 /, UNTOUCHED);
    await intact(place, inputs());
  });

  test('SIGKILL of every shell and of the runner: the next run sweeps what is left', async () => {
    await using hold = await holdRows(server, place.database);
    const action = place.scene.start(inputs());
    const backend = await waitsForLock(server, place.database, 'COPY');
    const shells = () => processes(place).filter(({ command }) => /^sh( -c sh)? -s$/.test(command));
    // the one that would clean up after the others goes first; it waits in cat
    const waiting = new Set(running(place, 'cat').map(({ ppid }) => ppid));
    kill(
      'SIGKILL',
      shells().filter(({ pid, uid }) => waiting.has(pid) && uid === place.other.uid),
    );
    for (let alive = shells(); alive.length > 0; alive = shells()) {
      for (const { pid } of alive) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It ended with the one before.
        }
      }
    }
    action.kill('SIGKILL');
    await action.main;
    // Its pg_dump may be there still, unless sudo was quicker to pass on that everybody had gone.
    const next = place.scene.start(inputs());
    await waitsForLock(server, place.database, 'COPY', backend);
    expect(running(place, 'pg_dump')).toHaveLength(1);
    await hold.release();
    const result = await next.result();
    succeeded(result);
    expect(result.visible).toContain('removed what an earlier run left behind');
    await action.result();
    await nobodyLeft(place);
  });
});

describe('a stage of the payload that is killed', () => {
  test.each(sample(['zstd', 'cat', 'sha256sum', 'tee'], 2))('%s', async (tool) => {
    const result = await struck(place, {}, async ({ hold }) => {
      kill('SIGKILL', running(place, tool));
      await hold.release(); // until then pg_dump has nothing to write, and no reason to end
    });
    refused(result, 'E_DUMP_FAILED', /exit status of source, zstd, tee.*: .*\b137\b/, UNTOUCHED);
    await intact(place, {});
  });

  test('the shell of pg_dump', async () => {
    const result = await struck(place, {}, async ({ hold }) => {
      const [dump] = running(place, 'pg_dump');
      kill(
        'SIGKILL',
        processes(place).filter(({ pid }) => pid === dump?.ppid),
      );
      await hold.release();
    });
    refused(result, 'E_DUMP_FAILED', /exit status of source.*: 137 /, UNTOUCHED);
    await intact(place, {});
  });
});

test('a backend that stands still: E_TIMEOUT', async () => {
  let stopped = 0;
  try {
    const result = await struck(place, { 'idle-timeout': '3s' }, async ({ backend, hold }) => {
      process.kill(backend, 'SIGSTOP');
      stopped = backend;
      await hold.release();
    });
    refused(result, 'E_TIMEOUT', /made no progress for 3 s \(idle-timeout\)/);
  } finally {
    if (stopped > 0) process.kill(stopped, 'SIGCONT');
  }
  await intact(place, {});
});

describe('the session that holds the snapshot', () => {
  const holder = (where: Place) => running(where, 'psql').filter(({ command }) => command.includes('-f -'));
  const JOBS: Inputs = { 'dump-format': 'directory', jobs: '2' };

  test.each([
    ['custom', {}],
    ['directory', { ...JOBS, jobs: '1' }],
  ])('killed in the middle of the dump, which has the snapshot: %s', async (_, inputs: Inputs) => {
    const result = await struck(place, inputs, async ({ hold }) => {
      kill('SIGKILL', holder(place));
      await hold.release();
    });
    const id = succeeded(result);
    expect(rowsTold(place.scene, id)).toEqual((await rowsOf(server, place.database)).map(([name]) => [name, null]));
    const warnings = result.annotations.map(({ message }) => message);
    expect(warnings).toEqual([
      expect.stringMatching(/rows of 3 tables were not counted, because the session that counts them ended early/),
    ]);
    expect(await sessionsLeft(server, place.database)).toEqual([]);
  });

  test('terminated by an administrator: the same', async () => {
    const result = await struck(place, {}, async ({ hold }) => {
      const query =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction' AND application_name = 'db-backup'";
      await server.sql('postgres', `${query} AND datname = '${place.database}'`);
      await hold.release();
    });
    succeeded(result);
    const [warning] = result.annotations.map(({ message }) => message);
    expect(warning).toMatch(/not counted, because the session that counts them ended early \(.*administrator command/);
  });

  test('killed before all of pg_dump has the snapshot', async () => {
    await using lock = await holdSession(server, place.database, 'LOCK TABLE a_first IN ACCESS EXCLUSIVE MODE');
    const action = place.scene.start(JOBS);
    await waitsForLock(server, place.database, 'LOCK');
    kill('SIGKILL', holder(place));
    await until(() => holder(place).length === 0);
    await lock.release();
    refused(await action.result(), 'E_DUMP_FAILED', 'snapshot', UNTOUCHED);
    await intact(place, JOBS);
  });

  test('killed before pg_dump begins', async () => {
    const earlier = backupsIn(faked.scene.directory);
    tools.put('pg_dump', 'while [ ! -e "$here/go" ]; do sleep 0.05; done\nexec "$real" "$@"');
    const action = faked.scene.start();
    await until(() => running(faked, 'sh').some(({ command }) => command.includes('--snapshot')));
    kill('SIGKILL', holder(faked));
    await until(() => holder(faked).length === 0);
    writeFileSync(join(tools.directory, 'go'), '');
    refused(await action.result(), 'E_DUMP_FAILED', 'snapshot', UNTOUCHED);
    tools.reset();
    await intact(faked, {}, earlier);
  });
});

describe('the read-back', () => {
  test('SIGKILL of pg_restore', async () => {
    const earlier = backupsIn(faked.scene.directory);
    tools.put(
      'zstd',
      'case " $* " in *" -d "*) while [ ! -e "$here/go" ]; do sleep 0.05; done ;; esac\nexec "$real" "$@"',
    );
    const action = faked.scene.start();
    await until(() => running(faked, 'pg_restore').length > 0);
    kill('SIGKILL', running(faked, 'pg_restore'));
    await until(() => running(faked, 'pg_restore').length === 0);
    writeFileSync(join(tools.directory, 'go'), '');
    refused(
      await action.result(),
      'E_CHECKSUM',
      /reading the backup back failed; exit status .* \d+ \d+ 137 /,
      'nothing was rotated',
    );
    tools.reset();
    await intact(faked, {}, earlier);
  });

  test('SIGKILL of pg_restore, which reads the files of the directory format', async () => {
    const earlier = backupsIn(faked.scene.directory);
    tools.put('pg_restore', 'case "$*" in "-f /dev/null dump") kill -KILL $$ ;; esac\nexec "$real" "$@"');
    refused(await faked.scene.run({ 'dump-format': 'directory' }), 'E_CHECKSUM', 'pg_restore', 'nothing was rotated');
    tools.reset();
    await intact(faked, { 'dump-format': 'directory' }, earlier);
  });
});

// Before the server itself goes, which all share.
test.each(['direct', 'runAs'] as const)('the link dies silently: %s', async (which) => {
  const { place: where, proxy, inputs, result, before: earlier } = frozen[which];
  refused(await result, 'E_REMOTE_LOST', /connection to .* was lost/);
  await proxy.stop();
  await intact(where, inputs, earlier);
});

test.each(
  sample(
    [
      ['fast', {}],
      ['immediate', { 'dump-format': 'directory' }],
      ['kill', {}],
    ] as const,
    2,
  ),
)('the server ends in the middle: %s', async (mode, inputs) => {
  try {
    const result = await struck(place, inputs, () => server.stop(mode));
    refused(result, 'E_DUMP_FAILED', /The server ended the connection/, UNTOUCHED);
    refused(await place.scene.run(inputs), 'E_CONNECT', 'could not be reached', UNTOUCHED);
  } finally {
    await server.start();
  }
  await intact(place, inputs);
});
