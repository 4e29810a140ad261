import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup } from '../helpers/failure.js';
import { leftOnHost } from '../helpers/invariants.js';
import { until } from '../helpers/outcome.js';
import { type PhysicalScene, startPhysicalScene } from '../helpers/physical-scene.js';
import { processTree } from '../helpers/processes.js';
import type { RunningAction } from '../helpers/run-action.js';
import { type SlowTools, slowTools } from '../helpers/slow-tools.js';

// The runner, or everything that works on the host, is killed in each phase of a restore. The next run brings the restore to an end: the
// server runs, with exactly the old rows or exactly the restored ones.

const OLD = '1,2';
const NEW = '1';

let scene: PhysicalScene;
let slow: SlowTools;
let target: string;
/** Of the data directory; none is there between the two renames. */
let data: string;

beforeAll(async () => {
  scene = await startPhysicalScene();
  slow = slowTools(['mv', 'pgbackrest']);
  const path = /^SetEnv PATH=(.*)$/.exec(slow.config)?.[1];
  appendFileSync(`/etc/sudoers.d/${scene.user.name}`, `Defaults:${scene.user.name} secure_path=${path}\n`);
  const { physical } = scene;
  data = physical.dataDirectory;
  await physical.sql('CREATE TABLE t (n integer PRIMARY KEY)');
  expectBackup(await scene.run());
  // one can recover from the second after the one in which the set ended
  await physical.sql('SELECT pg_sleep(1.1); INSERT INTO t VALUES (1)');
  target = await physical.sql(`SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`);
  await physical.sql('SELECT pg_sleep(0.01); INSERT INTO t VALUES (2)');
  await physical.sql('SELECT pg_switch_wal()');
}, 120_000);
afterAll(async () => {
  await scene?.stop();
  slow?.remove();
});

const rows = (): Promise<string> => scene.physical.sql(`SELECT string_agg(n::text, ',' ORDER BY n) FROM t`);

const beside = (what: string): boolean =>
  readdirSync(dirname(data)).some((name) => name.startsWith(`${basename(data)}.db_backup_${what}_`));

interface Point {
  name: string;
  delays: Partial<Record<'mv' | 'pgbackrest', number>>;
  /** The check fails; else it waits. */
  rejects?: true;
  reached(action: RunningAction): Promise<unknown>;
  ends: string;
}

const POINTS: Point[] = [
  {
    name: 'while loading',
    delays: { pgbackrest: 0.7 },
    reached: (action) => action.line(/group::Load/).then(() => until(() => beside('new'))),
    ends: OLD,
  },
  {
    name: 'after the stop',
    delays: { mv: 30 },
    reached: () => until(() => beside('new') && scene.physical.postmaster() === null),
    ends: OLD,
  },
  {
    name: 'between the two renames',
    delays: { mv: 1.5 },
    reached: () => until(() => !existsSync(data)),
    ends: OLD,
  },
  {
    name: 'while recovering',
    delays: { pgbackrest: 0.7 },
    reached: () => until(() => beside('old') && existsSync(data) && scene.physical.postmaster() !== null),
    ends: OLD,
  },
  {
    name: 'while it is rolled back',
    delays: { mv: 1.5 },
    rejects: true,
    reached: (action) => action.line(/group::Roll back/).then(() => until(() => !existsSync(data))),
    ends: OLD,
  },
  {
    name: 'before it is settled',
    delays: {},
    reached: (action) => action.line(/group::check-command/),
    ends: NEW,
  },
];

/** All that works for the run, as far as it is not the server; or the runner alone. */
function kill(action: RunningAction, killed: 'host' | 'runner'): void {
  const { pid } = action.child;
  if (pid === undefined) throw new Error('the run was not started');
  const tree = processTree(pid).filter(({ command }) => !/\/postgres\b|^postgres:/.test(command));
  if (killed === 'runner') action.kill('SIGKILL');
  else {
    for (const one of tree.reverse()) {
      try {
        process.kill(one.pid, 'SIGKILL');
      } catch {
        // it has ended by itself in between
      }
    }
  }
}

// every second of both, unless all are asked for
const KILLS = POINTS.flatMap((point, at) =>
  (['host', 'runner'] as const)
    .filter((_, who) => process.env.TEST_SWEEP === '1' || who === at % 2)
    .map((killed) => ({ ...point, killed })),
);

test.each(KILLS)(
  '$killed killed $name',
  async ({ delays, rejects, reached, ends, killed }) => {
    const { physical } = scene;
    const once = join(scene.user.home, 'once');
    rmSync(once, { force: true });
    await physical.sql('INSERT INTO t VALUES (2) ON CONFLICT DO NOTHING');
    for (const [tool, seconds] of Object.entries(delays)) slow.delay(tool, seconds);
    const action = scene.start({
      ...{ command: 'restore', confirm: physical.stanza, 'restore-time': target },
      'check-command': rejects ? 'false' : `[ -e '${once}' ] || { touch '${once}'; sleep 5; }`,
    });
    await reached(action);
    kill(action, killed);
    await action.main;
    slow.fast();
    await action.result();
    // that WAL reaches the repository is checked by it
    expectBackup(await scene.run());
    expect(await rows()).toBe(ends);
    expect(await physical.sql('SHOW archive_command')).toContain(' archive-push ');
    expect(['new', 'note', 'turn'].filter(beside)).toEqual([]);
    expect(beside('old')).toBe(ends === NEW);
    expect(await leftOnHost(scene)).toEqual([]);
    expect(readFileSync(join(data, 'postgresql.auto.conf'), 'utf8')).not.toContain('db_backup_hold');
  },
  60_000,
);
