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
  const user = quoteOutside(greeting.need('user'), 100);
  if (facts.get('unwritable') !== null) {
    const path = facts.path('unwritable');
    throw noDirectory(`${user} can not write ${path}`, path, user, settings);
  }
  const compressor = facts.get('compressor');
  const free = report.storage.freeBytes;
  const found: [what: string, found: string][] = [
    ['Login', `${user}, ${where(settings)}`],
    ['Database, and the tool for it', `${database.plan(facts)}; ${formatBytes(facts.number('source_bytes'))}`],
    ['Compression', compressor === null ? 'none' : quoteOutside(facts.get('compressor_version') ?? compressor, 200)],
    [
      'Backup directory',
      facts.get('missing') === null
        ? `${report.directory} is there, can be written by ${user}, and by nobody else; it has ${counted(backups.length, 'backup')} of this database`
        : `${report.directory} is not there, and can be made`,
    ],
    ...(free === null ? [] : ([['Space', `${formatBytes(free)} free`]] as [string, string][])),
    ['Not looked at', 'whether the database can be read to its end: only a backup does that'],
  ];
  report.checked = found.map(([what, text]): Checked => ({ what, found: text }));
  for (const { what, found: text } of report.checked) log.info(`${what}: ${text}`);
}

const where = ({ transport }: Settings): string =>
  transport.transport === 'ssh'
    ? `at ${transport.host}:${transport.port}, whose host key is a known one`
    : 'on this machine';
