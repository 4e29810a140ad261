import { dirname } from 'node:path';
import { BackupError } from '../errors.js';
import type { Facts } from '../host/session.js';
import { fromHost } from '../places/from-host.js';
import { writeAway } from '../reporting/away.js';
import { formatBytes } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { chooseSource, insteadOfDamaged, type Source } from '../restoring/source.js';
import { type Connection, connected, warn } from '../run/connect.js';
import { keysOf, needKeyFor, warnOfPlain } from '../run/keys.js';
import type { Run } from '../run/run.js';

/**
 * Takes one table out of a backup, which is checked before: its signature, its bytes. It is read in a folder of the host that goes with the
 * session, without the lock, and without the live database. Throws E_NOT_FOUND for a table that it does not have.
 */
export async function extract(run: Run): Promise<void> {
  const { settings, database, log, report } = run;
  const { extracting } = database;
  const asked = settings.extraction;
  if (asked === null || extracting === undefined) throw new BackupError('E_INTERNAL', 'there is nothing to take out');
  // as a dry run of a restore it writes nothing where the backups are
  const reading: Run = { ...run, settings: { ...settings, dryRun: true } };
  await connected(run, async (connection) => {
    const keys = keysOf(settings);
    if (keys.length > 0) await connection.send(...keys);
    let source = await chooseSource(reading, connection);
    const open = async ({ dump, from }: Source): Promise<{ folder: string; facts: Facts }> => {
      if (dump.manifest === null) throw new BackupError('E_MANIFEST', `there is no manifest beside ${from}`);
      warnOfPlain(run, from, dump.encryption);
      needKeyFor(from, dump.encryption, settings);
      const request = extracting.open(settings, dump, asked);
      const folder = await folderOf(connection, dump.file);
      return { folder, facts: await log.group(`Open ${from}`, () => connection.send(request)) };
    };
    const { folder, facts } = await open(source).catch(async (error: unknown) => {
      source = await insteadOfDamaged(reading, source, error);
      return open(source);
    });
    const { dump, from } = source;
    for (const remark of extracting.remarks(settings, dump, facts)) warn(run, remark);
    const request = extracting.rows(settings, dump, asked, facts);
    const done = await log.group(`Read the table ${quoteOutside(asked.table, 200)}`, () => connection.send(request));
    const wanted = {
      ...{ directory: folder, file: 'payload' },
      ...{ bytes: done.number('bytes'), sha256: done.need('sha256') },
    };
    try {
      const all = await writeAway(fromHost(run, connection, wanted), asked.output, run.signal);
      log.info(
        `${all ? '' : 'the reader stopped early: '}${formatBytes(wanted.bytes)}, the table ${quoteOutside(asked.table, 200)} from ${from}`,
      );
    } catch (error) {
      throw notWhole(error, run);
    }
    report.ok = true;
  });
}

/** Where it is read: with what was fetched from a store, or in a folder of its own. */
async function folderOf(connection: Connection, file: string): Promise<string> {
  if (file.startsWith('/')) return dirname(file);
  return (await connection.send(['request', 'expect_fetched', ['']])).path('fetched');
}

/** The backup is good: it is the way here that failed. */
function notWhole(error: unknown, { signal }: Run): unknown {
  if (!(error instanceof BackupError) || signal.aborted) return error;
  if (error.code === 'E_SHELL') {
    const hint = 'In sshd_config on the host, allow two sessions per connection (`MaxSessions 2` or more).';
    return new BackupError(error.code, error.message, hint, { cause: error });
  }
  if (error.code !== 'E_CHECKSUM' && error.code !== 'E_REMOTE_LOST') return error;
  const message = `the rows did not arrive complete: ${error.message}`;
  return new BackupError('E_REMOTE_LOST', message, 'Do not use what was printed, and run again.', { cause: error });
}
