import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup } from '../helpers/failure.js';
import { leftOnHost } from '../helpers/invariants.js';
import { sqlite3 } from '../helpers/outcome.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { type SlowTools, slowTools } from '../helpers/slow-tools.js';

// The action, or everything that it has on the host, is killed at many points of a restore. The live database is whole at each of them, and
// the next run brings the restore to an end without changing what is live.

const AT_ONCE = 4;
const OLD = 'old 300';
const NEW = 'new 200';

const POINTS: [after: RegExp, ms: number[]][] = [
  [/stop-command: done/, [0]],
  [/group::Safety backup/, [800]],
  [/group::Load/, [0, 600]],
  [/group::Swap/, [0, 300, 800]],
  [/group::check-command/, [100]],
];
/** Where the page size of the live file is another one, it is replaced as a whole. */
const WAYS = { 'in-place': 4096, replace: 8192 };
const WAY_NAMES = ['in-place', 'replace'] as const;

interface Point {
  way: keyof typeof WAYS;
  after: RegExp;
  ms: number;
  killed: 'runner' | 'host';
}

/** A host of its own, whose tools can be made slow. */
class Host {
  private constructor(
    private readonly scene: Scene,
    private readonly slow: SlowTools,
    private readonly id: string,
  ) {}

  static async start(): Promise<Host> {
    const slow = slowTools(['sqlite3', 'zstd', 'sha256sum', 'mv', 'sync', 'rm']);
    const scene = await startScene({ mb: 1, sshd: { extraConfig: slow.config } });
    const host = new Host(scene, slow, '');
    host.make('new', 200, WAYS['in-place']);
    return new Host(scene, slow, expectBackup(await scene.run()));
  }

  async stop(): Promise<void> {
    await this.scene.stop();
    this.slow.remove();
  }

  private asOwner(command: string): void {
    execFileSync('su', ['-s', '/bin/sh', this.scene.user.name, '-c', command], { stdio: 'ignore' });
  }

  private make(word: string, rows: number, size: number): void {
    this.asOwner(
      `rm -f '${this.scene.database}'*; sqlite3 '${this.scene.database}' 'PRAGMA page_size = ${size}' 'PRAGMA journal_mode = WAL' "CREATE TABLE ${word} (x)" "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) INSERT INTO ${word} SELECT randomblob(3000) FROM n"`,
    );
  }

  private live(): string {
    const [check, table = '', rows] = sqlite3(
      this.scene.database,
      'PRAGMA integrity_check',
      "SELECT group_concat(name) FROM sqlite_master WHERE type = 'table'",
      "SELECT count(*) FROM pragma_table_list WHERE name = 'old'",
    ).split('\n');
    expect([check, rows]).toEqual(['ok', table === 'old' ? '1' : '0']);
    return `${table} ${sqlite3(this.scene.database, `SELECT count(*) FROM ${table}`).trim()}`;
  }

  /** Returns what is live afterwards. */
  async kill({ way, after, ms, killed }: Point): Promise<string> {
    const { scene, slow } = this;
    this.make('old', 300, WAYS[way]);
    slow.delay('sqlite3', 0.25);
    for (const tool of ['mv', 'sync', 'rm', 'zstd', 'sha256sum']) slow.delay(tool, 0.06);
    const action = scene.start({
      ...{ command: 'restore', backup: this.id, confirm: 'app.db' },
      ...{ 'stop-command': 'true', 'start-command': 'true', 'check-command': 'sleep 0.5' },
    });
    await action.line(after);
    await sleep(ms);
    if (killed === 'runner') action.kill('SIGKILL');
    else this.asOwner('kill -9 -1 || true');
    await action.main;
    slow.fast();
    await action.result(); // post has looked
    const found = this.live();
    expect([OLD, NEW]).toContain(found);
    expectBackup(await scene.run({ keep: '50', 'max-delete': '100' }));
    expect(this.live()).toBe(found);
    expect(readdirSync(dirname(scene.database)).filter((name) => !/^app\.db(-wal|-shm)?$/.test(name))).toEqual([]);
    expect(await leftOnHost(scene)).toEqual([]);
    expect(readdirSync(join(scene.directory, '.work')).filter((name) => !/^(lock|holder)$/.test(name))).toEqual([]);
    return found;
  }
}

let hosts: Host[];
beforeAll(async () => {
  hosts = await Promise.all(Array.from({ length: AT_ONCE }, () => Host.start()));
});
afterAll(() => Promise.all(hosts.map((host) => host.stop())));

test('a restore that is killed at any point leaves the old database or the new one, whole', async () => {
  // both ways from the swap on, where they differ
  const points = POINTS.flatMap(([after, times], stage) =>
    times.flatMap((ms, index): Point[] => {
      const killed = (stage + index) % 2 === 0 ? 'host' : 'runner';
      const ways = /Swap|check/.test(after.source) ? WAY_NAMES : [WAY_NAMES[stage % 2] ?? 'replace'];
      return ways.map((way) => ({ way, after, ms, killed }));
    }),
  );
  const seen = new Set<string>();
  const wrong: string[] = [];
  await Promise.all(
    hosts.map(async (host) => {
      for (let point = points.shift(); point !== undefined; point = points.shift()) {
        const name = `${point.way}, ${point.killed} killed ${point.ms} ms after ${point.after.source}`;
        try {
          seen.add(`${point.way}: ${await host.kill(point)}`);
        } catch (error) {
          wrong.push(`${name}: ${(error as Error).message.slice(0, 1500)}`);
        }
      }
    }),
  );
  expect(wrong).toEqual([]);
  expect([...seen].sort()).toEqual(
    ['in-place', 'replace'].flatMap((way) => [`${way}: ${NEW}`, `${way}: ${OLD}`]).sort(),
  );
}, 180_000);
