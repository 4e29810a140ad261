import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { formatId } from '../backups/names.js';
import { plural } from '../counting.js';
import { BackupError } from '../errors.js';
import { installLine } from '../host/install-line.js';
import { push } from '../host/push.js';
import { formatBytes, formatDuration, formatRate } from '../reporting/format.js';
import { Progress } from '../reporting/progress.js';
import type { Connection } from '../run/connect.js';
import type { Run } from '../run/run.js';
import { fetchByHost, whyNotByHost } from '../stores/s3/fetch-by-host.js';
import { changed, readObject } from '../stores/s3/reading.js';
import type { Store } from '../stores/s3/store.js';
import type { InStore } from './in-store.js';

/**
 * Brings a backup from the store to the host, into a folder that goes with the session; returns its path there. Size and SHA-256 are
 * compared before anything reads it. Throws E_CHECKSUM, E_NOSPACE, E_S3_*, or what became of the host; what had come is then removed.
 */
export async function fetchToHost(run: Run, connection: Connection, store: Store, found: InStore): Promise<string> {
  const { wanted, uri, backup } = found;
  if (wanted.bytes === 0) throw new BackupError('E_SOURCE_INVALID', `${uri} is empty (0 bytes)`, 'Choose another one.');
  return run.log.group(`Fetch ${uri}`, async () => {
    const file = backup?.manifest.file ?? 'dump';
    const folder = await makeFolder(run, connection, wanted.bytes);
    const via = await chooseWay(run, connection, store, wanted.key);
    const timing = begin(run, wanted.bytes);
    if (via === 'host') await byHost(connection, store, found, file, timing.update);
    else await throughRunner(run, connection, store, found, { folder, file }, timing.update);
    timing.end();
    await check(connection, store, found, file);
    run.report.offsite = { uri, versionId: found.stored.versionId, via, lockedUntil: null };
    return `${folder}/${file}`;
  });
}

/** The same into a file of the runner, not by way of the host. */
export async function fetchToRunner(
  run: Run,
  store: Store,
  { wanted, uri, stored }: InStore,
  to: string,
): Promise<void> {
  await run.log.group(`Fetch ${uri}`, async () => {
    const timing = begin(run, wanted.bytes);
    await writeFrom(readObject(store, wanted, timing.update), to);
    timing.end();
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

/** `s3-upload-via` decides for this direction as well. */
async function chooseWay(run: Run, connection: Connection, store: Store, key: string): Promise<'host' | 'runner'> {
  const { s3, transport } = run.settings;
  const via = s3?.uploadVia ?? 'auto';
  if (via === 'runner' || (via === 'auto' && transport.transport === 'local')) return 'runner';
  const why = await whyNotByHost(store, key, connection.send);
  if (why === null) {
    run.log.info('the host fetches by itself (s3-upload-via)');
    return 'host';
  }
  if (via === 'auto') {
    run.log.info(`it comes through the runner, since the host can not fetch it: ${why}`);
    return 'runner';
  }
  const lacking = /^it has no (\w+)$/.exec(why)?.[1];
  const advice = 'Or use `s3-upload-via: auto`, which then goes through the runner. Nothing was changed.';
  const system = (await connection.hello).get('system') ?? '';
  throw new BackupError(
    lacking === undefined ? 'E_S3_UNAVAILABLE' : 'E_TOOL_MISSING',
    `the host is to fetch by itself (s3-upload-via: host), and ${why}`,
    lacking === undefined
      ? `Let it out to the store (firewall, proxy, name service). ${advice}`
      : `On the host: ${installLine(lacking, system)}. ${advice}`,
  );
}

async function byHost(
  connection: Connection,
  store: Store,
  { wanted }: InStore,
  file: string,
  onRead: (bytes: number) => void,
): Promise<void> {
  // it is told while the request is still being answered
  const ticker = setInterval(() => onRead(Number(connection.said('fetched_bytes').at(-1) ?? 0)), 1_000);
  try {
    await fetchByHost(store, wanted, file, connection.send);
  } finally {
    clearInterval(ticker);
  }
}

async function throughRunner(
  { settings, signal }: Run,
  { host }: Connection,
  store: Store,
  { wanted }: InStore,
  to: { folder: string; file: string },
  onRead: (bytes: number) => void,
): Promise<void> {
  const reading = new AbortController();
  const source = readObject(store, wanted, onRead, reading.signal);
  try {
    if (settings.transport.transport === 'local') await writeFrom(source, join(to.folder, to.file));
    else await push(host, to, source, { signal, idleTimeoutMs: settings.idleTimeoutMs });
  } finally {
    reading.abort();
  }
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
async function check({ send }: Connection, store: Store, { wanted, backup }: InStore, file: string): Promise<void> {
  const facts = await send(['job', 'check_fetched', [file]]);
  const [bytes, sha256] = [facts.number('fetched_bytes'), facts.need('fetched_sha256')];
  if (bytes !== wanted.bytes) throw changed(store, wanted, `${plural(bytes, 'byte')} came, and it has ${wanted.bytes}`);
  if (wanted.sha256 !== null && sha256 !== wanted.sha256) {
    throw changed(store, wanted, `the SHA-256 of what came is ${quoted(sha256)}, and it should be ${wanted.sha256}`);
  }
  if (backup !== null) await send(['job', 'accept_fetched', [file, wanted.sha256 ?? '']]);
}

const quoted = (text: string): string => (/^[0-9a-f]{64}$/.test(text) ? text : 'not told');

function begin({ log, report }: Run, bytes: number): { update: (read: number) => void; end: () => void } {
  const started = performance.now();
  const progress = new Progress(log, 'fetch', bytes);
  return {
    update: (read) => void progress.update(read),
    end: () => {
      const ms = Math.round(performance.now() - started);
      report.stages.push({ name: 'fetch', ms, bytes });
      log.info(`fetch: ${formatBytes(bytes)} in ${formatDuration(ms)} (${formatRate(bytes, ms)})`);
    },
  };
}
