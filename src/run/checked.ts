import type { Catalogue } from '../backups/catalogue.js';
import type { Facts } from '../host/session.js';
import { counted, formatBytes } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import type { Checked } from '../reporting/report.js';
import type { Settings } from '../settings/settings.js';
import type { Connection } from './connect.js';
import { noDirectory } from './explain.js';
import type { Run } from './run.js';

/**
 * What a dry run of `backup` has looked at, for the log and the summary. Each of these would have ended it, had it not been there.
 * Throws E_PERM when the backup directory can not be made or written: nothing has tried to.
 */
export async function tellChecked(
  run: Run,
  { hello }: Connection,
  facts: Facts,
  { backups }: Catalogue,
): Promise<void> {
  const { settings, database, report, log } = run;
  const greeting = await hello;
  const directory = describeDirectory(run, greeting, facts);
  const compressor = facts.get('compressor');
  const free = report.storage.freeBytes;
  const found: [what: string, found: string][] = [
    ['Login', describeLogin(greeting, settings)],
    ['Database, and the tool for it', `${database.plan(facts)}; ${formatBytes(facts.number('source_bytes'))}`],
    ['Compression', compressor === null ? 'none' : quoteOutside(facts.get('compressor_version') ?? compressor, 200)],
    [
      'Backup directory',
      facts.get('missing') === null
        ? `${directory}; it has ${counted(backups.length, 'backup')} of this database`
        : directory,
    ],
    ...(free === null ? [] : ([['Space', `${formatBytes(free)} free`]] as [string, string][])),
    ['Not looked at', 'whether the database can be read to its end: only a backup does that'],
  ];
  report.checked = found.map(([what, text]): Checked => ({ what, found: text }));
  for (const { what, found: text } of report.checked) log.info(`${what}: ${text}`);
}

/** Who has logged in, and where. */
export const describeLogin = (hello: Facts, settings: Settings): string =>
  `${quoteOutside(hello.need('user'), 100)}, ${where(settings)}`;

/** The backup directory as open_directory has found it. Throws E_PERM when it can not be made or written: nothing has tried to. */
export function describeDirectory({ settings }: Run, hello: Facts, facts: Facts): string {
  const user = quoteOutside(hello.need('user'), 100);
  if (facts.get('unwritable') !== null) {
    const path = facts.path('unwritable');
    throw noDirectory(`${user} can not write ${path}`, path, user, settings);
  }
  const directory = facts.path('directory');
  return facts.get('missing') === null
    ? `${directory} is there, can be written by ${user}, and by nobody else`
    : `${directory} is not there, and can be made`;
}

const where = ({ transport }: Settings): string =>
  transport.transport === 'ssh'
    ? `at ${transport.host}:${transport.port}, whose host key is a known one`
    : 'on this machine';
