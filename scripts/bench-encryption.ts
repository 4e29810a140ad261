/**
 * What encryption adds to a backup: each database without it, for a key of age, and by a passphrase of gpg, in turn, so that what else goes
 * on the machine falls on all of them. The ratio of the times in one round counts.
 * By itself: node --experimental-transform-types --import ./scripts/typescript.mjs scripts/bench-encryption.ts [MEGABYTES [RUNS]]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '../__tests__/helpers/postgres.js';
import { startSshd } from '../__tests__/helpers/sshd.js';
import { fillPostgres, fillSqlite } from './bench-data.js';
import { act, type Measured, median } from './bench-tools.js';

type Inputs = Record<string, string>;

/** `databases`: the inputs of each, by what it is called. */
export async function benchEncryption(databases: Record<string, Inputs>, runs: number): Promise<void> {
  const identity = execFileSync('age-keygen', { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const [, recipient = ''] = /^# public key: (.*)$/m.exec(identity) ?? [];
  const ways: [string, Inputs][] = [
    ['not encrypted', {}],
    ['age', { encrypt: 'age', 'encryption-recipients': recipient }],
    ['gpg, a passphrase', { encrypt: 'gpg', 'encryption-passphrase': 'a passphrase of the bench' }],
  ];
  console.log('| backup | seconds | MB | the time of one that is not encrypted |');
  console.log('| --- | ---: | ---: | ---: |');
  for (const [database, inputs] of Object.entries(databases)) {
    const measured = ways.map(([name]): Measured => ({ name: `${database}, ${name}`, seconds: [], bytes: 0 }));
    for (let run = 0; run < runs; run++) {
      for (const [index, [, encryption]] of ways.entries()) {
        const one = measured[index] as Measured;
        const { report, seconds } = await act({ ...inputs, ...encryption });
        one.seconds.push(seconds);
        one.bytes = report.backup?.bytes ?? 0;
      }
    }
    const [plain] = measured as [Measured];
    for (const { name, seconds, bytes } of measured) {
      const ratios = seconds.map((time, run) => time / (plain.seconds[run] ?? Number.NaN));
      const row = [name, median(seconds).toFixed(2), (bytes / 1e6).toFixed(1), `${median(ratios).toFixed(2)} times`];
      console.log(`| ${row.join(' | ')} |`);
    }
  }
}

if (process.argv[1] === import.meta.filename) {
  const megabytes = Number(process.argv[2] ?? 800);
  const folder = mkdtempSync(join(tmpdir(), 'db-backup-bench-'));
  const [sshd, server] = await Promise.all([startSshd(), startPostgres({ settings: { shared_buffers: '256MB' } })]);
  try {
    fillSqlite(join(folder, 'app.db'), megabytes);
    await fillPostgres(server, megabytes);
    const inputs = {
      ...{ host: '127.0.0.1', port: String(sshd.port), username: userInfo().username },
      ...{ key: sshd.clientKey, 'known-hosts': sshd.knownHosts, directory: join(folder, 'db-backups'), keep: '1' },
    };
    const databases = {
      SQLite: { ...inputs, database: join(folder, 'app.db') },
      PostgreSQL: { ...inputs, database: server.uri({ database: 'bench' }) },
    };
    await benchEncryption(databases, Number(process.argv[3] ?? 3));
  } finally {
    await Promise.all([server.remove(), sshd.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
}
