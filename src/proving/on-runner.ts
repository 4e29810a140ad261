import { mkdir, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Manifest, serializeManifest } from '../backups/manifest.js';
import { checksumFile, manifestFile } from '../backups/names.js';
import { dumpOf } from '../engines/restoring.js';
import { BackupError } from '../errors.js';
import { download } from '../host/download.js';
import type { Facts } from '../host/session.js';
import { formatBytes } from '../reporting/format.js';
import { type Connection, inSession } from '../run/connect.js';
import { keysOf } from '../run/keys.js';
import type { Run } from '../run/run.js';
import { beginStage } from '../run/stage.js';

/**
 * Brings a backup by `bring` into a folder of the runner that is removed on every path, and proves it there, by the same program as on
 * the host. Throws what the proof on the host would; E_NOSPACE also for the disk of the runner.
 */
export async function proveOnRunner(
  run: Run,
  level: Run['settings']['verify'],
  manifest: Manifest,
  work: string,
  bring: (to: string) => Promise<void>,
): Promise<Facts> {
  const folder = await mkdtemp(join(process.env.RUNNER_TEMP || tmpdir(), 'db-backup-'));
  try {
    const directory = join(folder, 'backups');
    await mkdir(directory, { mode: 0o700 });
    await checkRoom(directory, manifest.bytes);
    await bring(join(directory, manifest.file)).catch((error: unknown) => {
      if (error instanceof BackupError && error.code === 'E_NOSPACE')
        throw new BackupError(error.code, error.message, ROOM);
      throw error;
    });
    await describeHere(manifest, directory);
    return await prove({ ...run, settings: { ...run.settings, verify: level } }, manifest, directory, work);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function checkRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= bytes) return;
  throw new BackupError(
    'E_NOSPACE',
    `the backup has ${formatBytes(bytes)}, but only ${formatBytes(bavail * bsize)} are free on the runner (${folder})`,
    ROOM,
  );
}

/** What is beside the payload. */
async function describeHere(manifest: Manifest, directory: string): Promise<void> {
  const { id, file, sha256 } = manifest;
  await writeFile(join(directory, checksumFile(file)), `${sha256}  ${file}\n`, { mode: 0o600 });
  await writeFile(join(directory, manifestFile(id)), serializeManifest(manifest), { mode: 0o600 });
}

/** The payload as it lies on the host. */
export async function pull(run: Run, { send, host }: Connection, manifest: Manifest, to: string): Promise<void> {
  const { report, settings, signal } = run;
  const { file, bytes, sha256 } = manifest;
  const sidecar = `${sha256}  ${file}`;
  const told = await send(['job', 'put_file', ['sidecar', checksumFile(file)]]);
  if (told.get('sidecar')?.trimEnd() !== sidecar) {
    throw new BackupError(
      'E_CHECKSUM',
      `${checksumFile(file)} is missing, or does not match the manifest`,
      'Do not rely on this backup. Take a new one, and find out who can write to that directory.',
    );
  }
  const stage = beginStage(run, 'pull', bytes);
  await download(host, { directory: report.directory, file, bytes, sha256 }, to, {
    signal,
    idleTimeoutMs: settings.idleTimeoutMs,
    onProgress: stage.update,
  });
  stage.end(', SHA-256 matches the manifest');
}

async function prove(run: Run, manifest: Manifest, directory: string, work: string): Promise<Facts> {
  const { localHost } = await import('../host/local.js');
  // neither the users nor the containers of the host are here
  const settings = { ...run.settings, runAs: null, container: null, directory };
  const there: Run = { ...run, settings, report: { ...run.report, host: 'the runner', directory } };
  try {
    const request = run.database.verify(settings, dumpOf({ manifest }));
    return await inSession(
      there,
      localHost(),
      ({ send }) =>
        send(
          ['request', 'open_directory', [directory, '077', 'change']],
          ['request', 'expect_work', [work]],
          ...keysOf(settings),
          request,
        ),
      'In a step before this one',
    );
  } catch (error) {
    if (!(error instanceof BackupError) || run.signal.aborted) throw error;
    const hint = error.code === 'E_NOSPACE' ? ROOM : error.hint;
    throw new BackupError(error.code, `on the runner: ${error.message}`, hint, { cause: error });
  }
}

const ROOM =
  'Free some space in a step before this one, use a runner with a larger disk, or set `verify-on: host`. The part that was downloaded was removed.';
