/**
 * The pipelines of PostgreSQL side by side, for backups and restores: what one would type by hand, and the bundle as the runner starts it, over SSH to this
 * machine, on the same data in the same run. Ratios count, not seconds: other machines have other ones. Then encryption, and the upload to S3.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '../__tests__/helpers/postgres.js';
import { startSshd } from '../__tests__/helpers/sshd.js';
import { fillPostgres, fillSqlite } from './bench-data.js';
import { benchEncryption } from './bench-encryption.js';
import { benchOffsite } from './bench-offsite.js';
import { benchPhysical } from './bench-physical.js';
import { benchRestore } from './bench-restore.js';
import { act, byHand, type Measured, median, mega } from './bench-tools.js';

const megabytes = Number(process.argv[2] ?? 800);
const runs = Number(process.argv[3] ?? 3);

const folder = mkdtempSync(join(tmpdir(), 'db-backup-bench-'));
const [sshd, server] = await Promise.all([startSshd(), startPostgres({ settings: { shared_buffers: '256MB' } })]);
try {
  await fillPostgres(server, megabytes);
  const size = Number(await server.sql('bench', 'SELECT pg_database_size(current_database())'));
  console.log(`PostgreSQL ${server.version}, a database of ${mega(size)}, ${runs} runs of each, the median counts\n`);
  const uri = server.uri({ database: 'bench' });
  const dump = `${join(server.clientDirectory, 'pg_dump')} -w -d "$URI"`;
  const restore = join(server.clientDirectory, 'pg_restore');
  const out = join(folder, 'by-hand');
  const inputs = {
    host: '127.0.0.1',
    port: String(sshd.port),
    username: userInfo().username,
    key: sshd.clientKey,
    'known-hosts': sshd.knownHosts,
    database: uri,
    directory: join(folder, 'db-backups'),
    keep: '1',
  };

  const hand = (name: string, script: string) => byHand(name, script, { runs, uri, file: out });
  const naive = await hand('pg_dump | gzip > f; sha256sum f', `${dump} | gzip > ${out}; sha256sum ${out}`);
  const own = await hand('pg_dump -Fc > f; sha256sum f', `${dump} -Fc > ${out}; sha256sum ${out}`);
  const pigz = await hand('pg_dump | pigz > f; sha256sum f', `${dump} | pigz > ${out}; sha256sum ${out}`);
  const best = await hand(
    'pg_dump -Fc -Z0 | zstd -3 -T0 | tee f | sha256sum',
    `${dump} -Fc -Z0 | zstd -q -3 -T0 | tee ${out} | sha256sum; sync ${out}`,
  );
  const proof = `zstd -dc ${out} | ${restore} -f /dev/null; sha256sum ${out}`;
  const proven = await hand(
    'the same; zstd -dc f | pg_restore -f /dev/null; sha256sum f',
    `${dump} -Fc -Z0 | zstd -q -3 -T0 | tee ${out} | sha256sum; sync ${out}; ${proof}`,
  );

  const whole: Measured = { name: 'this action, from start to end, verify: content', seconds: [], bytes: 0 };
  const stage: Measured = { name: 'this action, its stage "dump"', seconds: [], bytes: 0 };
  let memory = 0;
  let stages = '';
  for (let run = 0; run < runs; run++) {
    const { report, seconds, peak } = await act(inputs);
    const dumped = report.stages.find(({ name }) => name === 'dump');
    if (report.backup === null || dumped === undefined) throw new Error(`no backup: ${report.error?.message}`);
    whole.seconds.push(seconds);
    stage.seconds.push(dumped.ms / 1000);
    stages = report.stages.map(({ name, ms }) => `${name} ${(ms / 1000).toFixed(2)}`).join(', ');
    whole.bytes = report.backup.bytes;
    stage.bytes = report.backup.bytes;
    memory = Math.max(memory, peak);
  }

  console.log('| | seconds | MB | against the naive way | against the best by hand |');
  console.log('| --- | ---: | ---: | ---: | ---: |');
  for (const one of [naive, own, pigz, best, stage, proven, whole]) {
    const time = median(one.seconds);
    const against = one === proven || one === whole ? proven : best;
    const row = [
      one.name.replaceAll('|', '\\|'),
      time.toFixed(2),
      (one.bytes / 1e6).toFixed(1),
      `${(median(naive.seconds) / time).toFixed(2)} times as fast`,
      `${(time / median(against.seconds)).toFixed(2)} of its time${against === proven ? ' with proof' : ''}`,
    ];
    console.log(`| ${row.join(' | ')} |`);
  }
  console.log(`\nseconds of the stages in the last run: ${stages}`);
  console.log(`largest memory of the runner's process: ${mega(memory)}, whatever the database's size\n`);

  await benchRestore({ server, inputs, folder, runs });

  console.log();
  const sqlite = join(folder, 'app.db');
  fillSqlite(sqlite, megabytes);
  await benchEncryption({ SQLite: { ...inputs, database: sqlite }, PostgreSQL: inputs }, runs);
} finally {
  await Promise.all([server.remove(), sshd.stop()]);
  rmSync(folder, { recursive: true, force: true });
}
console.log();
await benchPhysical(megabytes, runs);
console.log();
await benchOffsite(Number(process.env.BENCH_UPLOAD_MIB ?? 1024), runs);
