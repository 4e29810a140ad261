/**
 * What a backup of a cluster takes after 1 % of its rows have changed: a full set, one of what has changed, and a logical dump, in turn. The
 * changed rows are all in one table, or spread over all of them: without block incremental whole files are copied.
 * By itself: node --experimental-transform-types --import ./scripts/typescript.mjs scripts/bench-physical.ts [MEGABYTES [RUNS]]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Physical, startPhysical } from '../__tests__/helpers/physical.js';
import { act, type Measured, median } from './bench-tools.js';

const TABLES = 10;
/** Half random, so that it packs as real data does. */
const ROW = "repeat(md5(random()::text), 6) || repeat('x', 200)";

async function fill({ sql }: Physical, megabytes: number): Promise<void> {
  const rows = Math.max(100, Math.round((megabytes * 1e6) / TABLES / 450));
  for (let table = 0; table < TABLES; table++) {
    await sql(
      `CREATE TABLE t${table} AS SELECT n, ${ROW} AS text FROM generate_series(1, ${rows}) n; ALTER TABLE t${table} ADD PRIMARY KEY (n)`,
    );
  }
}

/** 1 % of all rows. */
const changes: Record<'in one table' | 'in all tables', string> = {
  'in one table': `UPDATE t0 SET text = ${ROW} WHERE n % 10 = 0`,
  'in all tables': Array.from({ length: TABLES }, (_, t) => `UPDATE t${t} SET text = ${ROW} WHERE n % 100 = 0`).join(
    '; ',
  ),
};

export async function benchPhysical(megabytes: number, runs: number): Promise<void> {
  const physical = await startPhysical({ settings: { shared_buffers: '256MB' } });
  const folder = mkdtempSync(join(tmpdir(), 'db-backup-bench-'));
  try {
    await fill(physical, megabytes);
    const inputs = {
      transport: 'local',
      'run-as': 'postgres',
      database: physical.uri(),
      verify: 'checksum',
      keep: '100',
    };
    const cluster = { ...inputs, method: 'physical', stanza: physical.stanza, directory: join(folder, 'cluster') };
    const dump = { ...inputs, name: 'dump', directory: join(folder, 'dump'), 'shrink-limit': 'none' };
    const measured = new Map<string, Measured>();
    const measure = async (name: string, how: Record<string, string>): Promise<void> => {
      const one = measured.get(name) ?? { name, seconds: [], bytes: 0 };
      measured.set(name, one);
      const { report, seconds } = await act(how);
      one.seconds.push(seconds);
      one.bytes = report.backup?.bytes ?? 0;
    };
    for (let run = 0; run < runs; run++) {
      await measure('a full set', { ...cluster, 'backup-type': 'full' });
      for (const [where, statement] of Object.entries(changes)) {
        await physical.sql(`${statement}; CHECKPOINT`);
        await measure(`incremental, 1 % changed ${where}`, { ...cluster, 'backup-type': 'incr' });
      }
      await measure('a logical dump', dump);
    }
    const reference = measured.get('a logical dump');
    console.log('| cluster | seconds | MB stored | seconds, the dump is 1 | MB, the dump is 1 |');
    console.log('| --- | ---: | ---: | ---: | ---: |');
    for (const { name, seconds, bytes } of measured.values()) {
      const ratios = seconds.map((time, run) => time / (reference?.seconds[run] ?? Number.NaN));
      const share = bytes / (reference?.bytes ?? Number.NaN);
      const row = [
        name,
        median(seconds).toFixed(2),
        (bytes / 1e6).toFixed(2),
        median(ratios).toFixed(2),
        share.toFixed(3),
      ];
      console.log(`| ${row.join(' | ')} |`);
    }
  } finally {
    await physical.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename) {
  await benchPhysical(Number(process.argv[2] ?? 2000), Number(process.argv[3] ?? 3));
}
