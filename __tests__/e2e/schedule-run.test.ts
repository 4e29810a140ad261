import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type CommandLineOptions, type CommandLineResult, commandLine } from '../helpers/command-line.js';
import { createDatabase } from '../helpers/sqlite.js';

let folder: string;
beforeEach(async () => {
  folder = mkdtempSync('/srv/dbb-run-');
  mkdirSync(join(folder, 'data'));
  await createDatabase(join(folder, 'data', 'app.db'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function configure(database: string, more = ''): string {
  const config = join(folder, 'shop.yml');
  const text = `databases:
  app:
    transport: local
    database: ${database}
    directory: ${join(folder, 'backups')}
${more}`;
  writeFileSync(config, text, { mode: 0o644 });
  return config;
}

const run = (config: string, args: string[], options: CommandLineOptions = {}): Promise<CommandLineResult> =>
  commandLine(['schedule', 'run', '--config', config, ...args], options);

test('an hour that the clock leaves out is warned of, as install does', async () => {
  const config = configure(join(folder, 'data', 'app.db'));
  const args = ['--backup', 'daily 02:00', '--dry-run'];
  const said = await run(config, args, { env: { TZ: 'Europe/Berlin' } });
  const warning = /WARN {2}backup: on \d{4}-\d\d-\d\d the clock of this machine skips that time/;
  expect([said.code, said.stderr]).toEqual([0, expect.stringMatching(warning)]);
  expect((await run(config, args, { env: { TZ: 'UTC' } })).stderr).not.toContain('WARN');
});

test('what is wrong with the inputs is told before the first job, as install does', async () => {
  const config = configure('""', '    keep: seven\n');
  for (const args of [['--dry-run'], []]) {
    const said = await run(config, args);
    expect([said.code, said.stderr]).toEqual([2, expect.stringContaining('app: database: ')]);
    expect(said.stderr).toContain('app, for backup and health: keep: ');
    const other = await commandLine(['schedule', 'install', '--with', 'cron', '--config', config, ...args]);
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('app: database: ')]);
  }
  // the jobs have the variables of this process, and those count before the configuration
  const env = { DATABASE_URL: join(folder, 'data', 'app.db'), DB_BACKUP_KEEP: '7' };
  expect((await run(config, ['--dry-run'], { env })).code).toBe(0);
});

test('a job is started at its time, with the variables that hold its secrets, until a signal', async () => {
  const config = configure(
    join(folder, 'data', 'app.db'),
    '    encrypt: gpg\n    encryption-passphrase: { env: MY_PASSPHRASE }\n',
  );
  const args = ['--verify', 'none', '--health', 'none', '--backup'];
  const without = await run(config, [...args, 'hourly']);
  expect([without.code, without.stderr]).toEqual([2, expect.stringContaining('the variable MY_PASSPHRASE is empty')]);
  // a minute that begins in five seconds at least
  const due = new Date(Date.now() + 65_000 - ((Date.now() + 5_000) % 60_000));
  const said = await run(config, [...args, `hourly :${String(due.getMinutes()).padStart(2, '0')}`], {
    env: { MY_PASSPHRASE: 'correct horse battery staple' },
    signal: { at: /backup ended with/, name: 'SIGTERM' },
  });
  expect([said.code, said.stderr]).toEqual([0, expect.stringContaining('backup ended with status 0')]);
  expect(said.stderr).toContain('stopped by a signal');
  expect(readdirSync(join(folder, 'backups')).filter((name) => /^app-.*\.json$/.test(name))).toHaveLength(1);
});
