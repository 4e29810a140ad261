import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { formatId } from '../backups/names.js';
import { plural } from '../counting.js';
import { BackupError } from '../errors.js';
import { push } from '../host/push.js';
import type { Connection } from '../run/connect.js';
import type { Run } from '../run/run.js';
import { beginStage } from '../run/stage.js';
import { changed } from '../stores/object-store.js';
import type { Fetchable } from './in-store.js';
import type { StorePlace } from './store.js';
import { chooseWay } from './way.js';

/**
 * Brings a backup from the store to the host, into a folder that goes with the session; returns its path there. Size and SHA-256 are
 * compared before anything reads it. Throws E_CHECKSUM, E_NOSPACE, E_S3_*, or what became of the host; what had come is then removed.
 */
export async function fetchToHost(
  run: Run,
  connection: Connection,
  place: StorePlace,
  found: Fetchable,
): Promise<string> {
  const { wanted, uri, backup, stored } = found;
  if (wanted.bytes === 0)
    throw new BackupError('E_SOURCE_INVALID', `${uri} is empty (0 bytes)`, 'Choose another backup.');
  return run.log.group(`Fetch ${uri}`, async () => {
    const store = await place.open();
    const file = backup?.manifest.file ?? 'dump';
    const folder = await makeFolder(run, connection, wanted.bytes);
    const byHost = await chooseWay(run, connection, 'fetch', async () => {
      return (await store.lending.whyNotFetch(wanted.key, connection)) ?? {};
    });
    const stage = beginStage(run, 'fetch', wanted.bytes);
    if (byHost !== null) await store.lending.fetch(wanted, file, connection, stage.update);
    else {
      const reading = new AbortController();
      const source = store.read(wanted, stage.update, reading.signal);
      await receive(run, connection, source, { folder, file }).finally(() => reading.abort());
    }
    stage.end();
    await check(connection, found, file);
    const via = byHost === null ? 'runner' : 'host';
    run.report.offsite = { uri, versionId: stored.versionId, via, lockedUntil: null };
    connection.names.set(`${folder}/${file}`, uri);
    return `${folder}/${file}`;
  });
}

/** The same into a file of the runner, not by way of the host. */
export async function fetchToRunner(
  run: Run,
  place: StorePlace,
  { wanted, uri, stored }: Fetchable,
  to: string,
): Promise<void> {
  await run.log.group(`Fetch ${uri}`, async () => {
    const stage = beginStage(run, 'fetch', wanted.bytes);
    await writeFrom((await place.open()).read(wanted, stage.update), to);
    stage.end();
    run.report.offsite = { uri, versionId: stored.versionId, via: 'runner', lockedUntil: null };
  });
}

async function makeFolder({ settings, now }: Run, { send }: Connection, bytes: number): Promise<string> {
  // no work folder of a job ends so
  const id = settings.dryRun ? '' : `${formatId(settings.name, now(), '0000').slice(0, -4)}from`;
  const facts = await send(
    ['request', 'expect_fetched', [id]],
    ['job', 'room_for_fetched', [String(bytes), String(Math.ceil(settings.minFreeBytes / 1024))]],
  );
  return facts.path('fetched');
}

/** Through this process to the host, which may be this machine. */
async function receive(
  { settings, signal }: Run,
  { host }: Connection,
  source: AsyncIterable<Buffer>,
  to: { folder: string; file: string },
): Promise<void> {
  if (settings.transport.transport === 'local') await writeFrom(source, join(to.folder, to.file));
  else await push(host, to, source, { signal, idleTimeoutMs: settings.idleTimeoutMs });
}

/** Into a new file of this machine. Throws E_NOSPACE. */
async function writeFrom(source: AsyncIterable<Buffer>, to: string): Promise<void> {
  const target = await open(to, 'wx', 0o600);
  try {
    for await (const chunk of source) {
      for (let from = 0; from < chunk.length; ) from += (await target.write(chunk, from)).bytesWritten;
    }
    await target.sync();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
    throw new BackupError('E_NOSPACE', `the disk is full: the backup does not fit into ${to}`);
  } finally {
    await target.close();
  }
}

/** As the disk of the host has it. */
async function check({ send }: Connection, { wanted, uri, backup }: Fetchable, file: string): Promise<void> {
  const facts = await send(['job', 'check_fetched', [file]]);
  const [bytes, sha256] = [facts.number('fetched_bytes'), facts.need('fetched_sha256')];
  if (bytes !== wanted.bytes) throw changed(uri, `${plural(bytes, 'byte')} arrived, expected ${wanted.bytes}`);
  if (wanted.sha256 !== null && sha256 !== wanted.sha256) {
    throw changed(uri, `the SHA-256 of the download is ${quoted(sha256)}, expected ${wanted.sha256}`);
  }
  if (backup !== null) await send(['job', 'accept_fetched', [file, wanted.sha256 ?? '']]);
}

const quoted = (text: string): string => (/^[0-9a-f]{64}$/.test(text) ? text : 'unknown');
