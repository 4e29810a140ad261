import type { Backup } from '../backups/catalogue.js';
import { manifestFile } from '../backups/names.js';
import { BackupError } from '../errors.js';
import { warn } from '../run/connect.js';
import type { Run } from '../run/run.js';
import type { HostPlace } from './host.js';
import type { StorePlace } from './store.js';

/** Why a copy that was adopted in this run stays, whatever the rules say. */
const ADOPTED_NOW = 'its manifest was missing, and this run put it back';

/**
 * Gives the copies that have lost their manifest the one that the host has, where the store says that they are those bytes. Returns which,
 * with why they are kept in this run. Credentials that may not add anything leave them as they are.
 */
export async function adoptCopies(run: Run, copies: StorePlace, host: HostPlace): Promise<Map<string, string>> {
  const adopted = new Map<string, string>();
  if (copies.rules === null) return adopted;
  for (const orphan of (await copies.catalogue()).orphans) {
    const own = host.listed.backups.find(({ id, state }) => id === orphan.id && ['ok', 'suspect'].includes(state));
    if (own === undefined || orphan.files.join() !== own.manifest.file) continue;
    if (run.settings.dryRun) run.log.info(`would put the manifest of ${own.id} back into ${copies.uri}`);
    else if (await putBack(run, copies, await host.whole(own))) adopted.set(own.id, ADOPTED_NOW);
  }
  return adopted;
}

async function putBack(run: Run, copies: StorePlace, backup: Backup): Promise<boolean> {
  const { id, manifest } = backup;
  const { uri } = copies;
  const stored = await copies.stored(manifest.file);
  if (stored?.bytes !== manifest.bytes || stored.sha256 !== manifest.sha256) {
    warn(run, `${id} in ${uri} has no manifest, and its bytes differ from the backup on the host: it is kept as it is`);
    return false;
  }
  try {
    await copies.write({ ...backup, files: [manifestFile(id), manifest.file] });
  } catch (error) {
    if (!(error instanceof BackupError) || error.code !== 'E_S3_AUTH') throw error;
    warn(run, `the manifest of ${id} could not be put back into ${uri}: ${error.message}`);
    return false;
  }
  run.log.info(`the manifest of ${id} was put back into ${uri}`);
  return true;
}
