import { join } from 'node:path';
import type { Postgres } from '../__tests__/helpers/postgres.js';
import { act, byHand, type Measured, median, shell } from './bench-tools.js';

/** What one types to get a database back, and this action: without and with the safety backup, whose time is that of a backup. */
export async function benchRestore({
  server,
  inputs,
  folder,
  runs,
}: {
  server: Postgres;
  inputs: Record<string, string>;
  folder: string;
  runs: number;
}): Promise<void> {
  const uri = inputs.database ?? '';
  const tool = (name: string): string => join(server.clientDirectory, name);
  const plain = join(folder, 'plain.sql.gz');
  const custom = join(folder, 'custom.dump');
  const dump = `${tool('pg_dump')} -w -d "$URI"`;
  await shell('the dumps', `${dump} | gzip > ${plain}; ${dump} -Fc > ${custom}`, uri);

  const maintenance = server.uri({ database: 'postgres' });
  const target = server.uri({ database: 'by_hand' });
  const fresh = `${tool('psql')} -X -q -d '${maintenance}' -c 'DROP DATABASE IF EXISTS by_hand' -c 'CREATE DATABASE by_hand TEMPLATE template0' 2> /dev/null`;
  const analyze = `${tool('psql')} -X -q -d '${target}' -c ANALYZE`;
  const hand = (name: string, script: string, file: string) =>
    byHand(name, `${fresh}; ${script}; ${analyze}`, { runs, uri, file });
  const psql = await hand(
    'createdb; gunzip -c f | psql; ANALYZE',
    `gunzip -c ${plain} | ${tool('psql')} -X -q -o /dev/null -v ON_ERROR_STOP=1 -d '${target}'`,
    plain,
  );
  const archive = await hand(
    'createdb; pg_restore -e f; ANALYZE',
    `${tool('pg_restore')} -e -d '${target}' ${custom}`,
    custom,
  );
  const parallel = await hand(
    'createdb; pg_restore -e -j 2 f; ANALYZE',
    `${tool('pg_restore')} -e -j 2 -d '${target}' ${custom}`,
    custom,
  );

  const measured: Measured[] = [psql, archive, parallel];
  for (const safety of ['false', 'true']) {
    const name = safety === 'true' ? 'with the safety backup, all in all' : 'without a safety backup';
    const whole: Measured = { name: `this action, ${name}`, seconds: [], bytes: 0 };
    for (let run = 0; run < runs; run++) {
      const { report, seconds } = await act({
        ...inputs,
        command: 'restore',
        confirm: 'bench',
        'safety-backup': safety,
      });
      whole.seconds.push(seconds);
      whole.bytes = report.backup?.bytes ?? 0;
    }
    measured.push(whole);
  }

  console.log('| restore | seconds | MB | against psql | against pg_restore -j 2 |');
  console.log('| --- | ---: | ---: | ---: | ---: |');
  for (const one of measured) {
    const time = median(one.seconds);
    const row = [
      one.name.replaceAll('|', '\\|'),
      time.toFixed(2),
      (one.bytes / 1e6).toFixed(1),
      `${(median(psql.seconds) / time).toFixed(2)} times as fast`,
      `${(time / median(parallel.seconds)).toFixed(2)} of its time`,
    ];
    console.log(`| ${row.join(' | ')} |`);
  }
}
