import type { Catalogue } from '../backups/catalogue.js';
import { BackupError } from '../errors.js';
import type { Facts } from '../host/session.js';
import { counted, formatBytes, formatDuration, showSkew } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import type { Checked } from '../reporting/report.js';
import type { Settings } from '../settings/settings.js';
import type { Connection } from './connect.js';
import { aheadOf } from './directory.js';
import { noDirectory } from './explain.js';
import { encryptedBy, showEncrypted } from './keys.js';
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
  const holder = facts.get('lock_holder');
  const free = report.storage.freeBytes;
  const found: [what: string, found: string][] = [
    ['Login', describeLogin(greeting, settings)],
    ['Clock of the host', showSkew(aheadOf(run, facts))],
    ['Database, and the tool for it', `${database.plan(facts)}; ${formatBytes(facts.number('source_bytes'))}`],
    ['Compression', compressor === null ? 'none' : quoteOutside(facts.get('compressor_version') ?? compressor, 200)],
    ['Encryption', settings.encryption === null ? 'none' : encryptionOf(settings, facts)],
    [
      'Backup directory',
      facts.get('missing') === null
        ? `${directory}; it has ${counted(backups.length, 'backup')} of this database`
        : directory,
    ],
    [
      'Lock of the directory',
      holder === null
        ? 'free'
        : `held by ${quoteOutside(holder, 300)}; a backup would wait ${formatDuration(settings.lockWaitMs)} for it`,
    ],
    ...(free === null ? [] : ([['Space', `${formatBytes(free)} free`]] as [string, string][])),
    ...Object.entries({ 'before-command': settings.hooks.before, 'after-command': settings.hooks.after }).flatMap(
      ([name, text]): [string, string][] => (text === null ? [] : [[name, `would run: ${quoteOutside(text, 300)}`]]),
    ),
    ['Not checked', 'if the whole database can be read, which only a backup shows'],
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
    if (facts.get('missing') === null) {
      // it is the user's own
      throw new BackupError(
        'E_PERM',
        `${user} cannot write to ${path}, although ${user} owns it`,
        'Check its mode (`chmod 700`), and if the file system is mounted read-only.',
      );
    }
    throw noDirectory(`${user} cannot write to ${path}`, path, user, settings);
  }
  const directory = facts.path('directory');
  return facts.get('missing') === null
    ? `${directory} exists, and only ${user} can write to it`
    : `${directory} is missing, and can be created`;
}

/** The same of the store, which has been listed, where it is rotated by this action. */
export function tellStore({ report, log, settings }: Run, uri: string): void {
  const copies = counted(report.s3?.backups ?? 0, 'copy', 'copies');
  const found =
    settings.s3?.keep === null
      ? `${uri}, not checked, because the bucket's lifecycle rotates it (s3-keep: none)`
      : `${uri} can be read, and has ${copies} of this database. Only a backup shows if it can be written to`;
  report.checked.splice(-1, 0, { what: 'Store', found }); // before what was not looked at
  log.info(`Store: ${found}`);
}

/** What the keys of this run encrypt for; the host has taken them. */
function encryptionOf(settings: Settings, facts: Facts): string {
  const version = facts.get('encryption_version');
  return showEncrypted(encryptedBy(settings)) + (version === null ? '' : `, ${quoteOutside(version, 100)}`);
}

const where = ({ transport }: Settings): string =>
  transport.transport === 'ssh' ? `at ${transport.host}:${transport.port}, with a known host key` : 'on this machine';
