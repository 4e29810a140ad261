import { engineOf } from '../engines/lookup.js';
import { BackupError } from '../errors.js';
import { installLine } from '../host/install-line.js';
import type { Facts } from '../host/session.js';
import { HostPlace } from '../places/host.js';
import { counted, formatAge, formatBytes, showSkew } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { describeDirectory, describeLogin } from '../run/checked.js';
import { aheadOf, checkClock } from '../run/directory.js';
import type { Checks } from './checks.js';

/** Longer than a month: no schedule of backups is as rare as that. */
const LONG_AGO_MS = 32 * 86_400_000;

/** What is there, for the checks that follow. */
export interface HostFacts {
  /** Of `hello` and of look_host. */
  hello: Facts;
  facts: Facts;
  /** null: the backup directory could not be looked into. */
  place: HostPlace | null;
}

/** Login, tools, clock, backup directory and its disk, the backups, and whether a schedule makes them. */
export async function lookAtHost(checks: Checks): Promise<HostFacts> {
  const { run, connection } = checks;
  const { settings, report } = run;
  const hello = await connection.hello;
  const facts = await checks.send(['job', 'look_host', []]);
  await checks.probe('Login', () => {
    const found = describeLogin(hello, settings);
    if (hello.get('uid') !== '0' || settings.transport.transport === 'local') {
      return facts.get('forced') === null
        ? found
        : `${found}; authorized_keys forces a command, so this key can run nothing else`;
    }
    return {
      level: 'warning',
      found: `${found}: this workflow's key has full control of the machine`,
      todo: 'Log in as a dedicated user, with `run-as` for the database. The set-up below has the lines.',
    };
  });
  await checks.probe('Tools', () => describeTools(facts, hello, checks));
  await checks.probe('Clock', async () => showSkew(aheadOf(run, await checks.send(checkClock(run)))));
  let place: HostPlace | null = null;
  // as a job: a request that fails ends the session
  const isThere = await checks.probe('Backup directory', async () => {
    const { directory, umask } = settings;
    const opened = await checks.send(['job', 'look_directory', [directory, umask]]);
    report.directory = opened.path('directory');
    return describeDirectory(run, hello, opened);
  });
  await checks.probe('Backups', async () => {
    if (!isThere) return { level: 'skipped', found: 'the directory could not be read' };
    place = await HostPlace.open(run, connection, 'look');
    const { backups } = place.listed;
    const [newest] = backups;
    if (newest === undefined) return `no backups of ${settings.name} yet`;
    const free = report.storage.freeBytes;
    return `${backups.length}, the newest ${formatAge(run.now().getTime() - newest.createdAt.getTime())} old${free === null ? '' : `; ${formatBytes(free)} free`}`;
  });
  return { hello, facts, place };
}

function describeTools(facts: Facts, hello: Facts, { run }: Checks): string {
  const missing = facts.all('missing_tool');
  if (missing.length > 0) {
    const system = hello.get('system') ?? '';
    const lines = missing.map((tool) => installLine(tool, system, engineOf(run.settings.database).packages));
    const names = quoteOutside(missing.join(', '), 200);
    throw new BackupError(
      'E_TOOL_MISSING',
      `${names} ${missing.length === 1 ? 'is' : 'are'} not installed on ${run.report.host}`,
      `On the host: \`${quoteOutside([...new Set(lines)].join('; '), 400)}\`.`,
    );
  }
  const there = facts.all('tool');
  const packs = there.includes('zstd') ? 'zstd' : 'gzip (zstd would be faster and smaller)';
  const locks = there.includes('flock') ? 'flock' : 'no flock, so this action uses its own lock';
  return `every required tool is installed; ${packs}; ${locks}`;
}

/** Whether backups are made by themselves. */
export async function lookAtSchedule(checks: Checks, { place }: HostFacts): Promise<void> {
  await checks.probe('Schedule', () => {
    const backups = place?.listed.backups ?? [];
    if (backups.length === 0) return { level: 'skipped', found: 'there are no backups yet' };
    const [newest] = backups.filter(({ manifest }) => manifest.github?.event === 'schedule');
    if (newest !== undefined) {
      const age = checks.run.now().getTime() - newest.createdAt.getTime();
      const found = `the newest scheduled backup is ${formatAge(age)} old`;
      if (age < LONG_AGO_MS) return found;
      return {
        level: 'warning',
        found,
        todo: 'Check the runs of that workflow: GitHub may have disabled its schedule.',
      };
    }
    return {
      level: 'warning',
      found: `no backup was made by a schedule (${counted(backups.length, 'backup')} checked)`,
      todo: 'Add `on: schedule` to a workflow, and `command: health` to another one that notices when the first stops (examples/nightly.yml, examples/watchdog.yml). Without GitHub, run `db-backup schedule install` on the host.',
    };
  });
}
