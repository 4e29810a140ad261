/**
 * The demonstration: a throw-away sshd, a SQLite database that two programs write to all the time, two backups by the
 * bundle as the runner starts it, their log, outputs and summary, a restore of the first one under the writers, and the same backups by
 * the command line.
 * Everything is in temporary folders, which are removed at the end. For screenshots.sh: DEMO_BACKUPS says how many backups,
 * DEMO_SUMMARIES is a folder that gets the summaries.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { commandLine as run } from '../__tests__/helpers/command-line.js';
import { type ActionResult, runAction } from '../__tests__/helpers/run-action.js';
import { checkInvariant, createDatabase, startWriters } from '../__tests__/helpers/sqlite.js';
import { startSshd } from '../__tests__/helpers/sshd.js';

const step = (text: string): void => console.log(`\n\x1b[1m=== ${text}\x1b[0m\n`);

const COUNT = Number(process.env.DEMO_BACKUPS || 2);

const folder = mkdtempSync(join(tmpdir(), 'db-backup-demo-'));
const sshd = await startSshd();
try {
  const database = join(folder, 'shop.db');
  const directory = join(folder, 'db-backups');
  await createDatabase(database, { mb: 30, wal: true });
  step(`a production host: sshd on port ${sshd.port}, ${database}, and two programs that write to it all the time`);
  const writers = await startWriters(database, { count: 2, pauseMs: 5 });

  const inputs = {
    host: '127.0.0.1',
    port: String(sshd.port),
    username: userInfo().username,
    key: sshd.clientKey,
    'known-hosts': sshd.knownHosts,
    database,
    directory,
  };
  const backups: ActionResult[] = [];
  for (let i = 1; i <= COUNT; i++) {
    const result = await runAction(inputs);
    show(`backup ${i} of ${COUNT}`, result);
    backups.push(result);
  }
  step('the job summary of the last backup (Markdown; GitHub renders it)');
  tell('backup', backups.at(-1)?.summary ?? '');

  // The oldest one that is still there: with the default, the last five stay.
  const oldest = backups.at(-5) ?? backups[0];
  const restore = { ...inputs, command: 'restore', backup: oldest?.outputs['backup-id'] ?? '', confirm: 'shop.db' };
  const planned = await runAction({ ...restore, confirm: '', 'dry-run': 'true' });
  step('what a restore of the oldest backup would do: the job summary of a dry run');
  tell('plan', planned.summary);
  const restored = await runAction(restore);
  show('the oldest backup is restored, while the programs go on writing', restored);
  step('the job summary of the restore');
  tell('restore', restored.summary);

  step('without GitHub: the same backups, listed and verified by the command line');
  const here = ['--database', database, '--directory', directory, '--transport', 'local', '--name', 'shop'];
  await commandLine('list', ...here);
  await commandLine('verify', oldest?.outputs['backup-id'] ?? '', '--verify', 'restore', ...here);

  const commits = await writers.stop();
  const state = await checkInvariant(database);
  step('the live database, read');
  console.log(
    `one whole state: of the ${commits} commits of this demonstration ${state.commits} are left, those before the restored backup and those after the restore`,
  );
} finally {
  await sshd.stop();
  rmSync(folder, { recursive: true, force: true });
}
step('done; the sshd is stopped, and everything it made is removed');

/** Prints a summary; the folder that was asked for gets it as well. */
function tell(name: string, summary: string): void {
  console.log(summary);
  if (process.env.DEMO_SUMMARIES) writeFileSync(join(process.env.DEMO_SUMMARIES, `${name}.md`), summary);
}

/** As it is typed, with what it prints. */
async function commandLine(...args: string[]): Promise<void> {
  console.log(`$ db-backup ${args.join(' ')}\n`);
  const { code, stdout, stderr } = await run(args);
  console.log(`${stderr}${stdout}`);
  if (code !== 0) throw new Error(`db-backup ended with ${code}`);
}

function show(title: string, result: ActionResult): void {
  step(`${title}: the log`);
  console.log(result.visible.replace(/^##\[group\]/gm, '> ').replace(/^##\[endgroup\]\n?/gm, ''));
  step(`${title}: the outputs`);
  for (const [name, value] of result.outputLines) {
    console.log(
      `${name}=${name === 'report' ? `${value.slice(0, 100)}... (${value.length} characters of JSON)` : value}`,
    );
  }
  if (result.code !== 0) throw new Error(`the action ended with ${result.code}`);
}
