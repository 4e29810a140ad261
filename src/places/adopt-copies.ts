import { createHash } from 'node:crypto';
import { type Backup, type Orphan, toCandidates } from '../backups/catalogue.js';
import { serializeManifest } from '../backups/manifest.js';
import { manifestFile } from '../backups/names.js';
import { newestFirst } from '../backups/retention.js';
import { BackupError } from '../errors.js';
import { warn } from '../run/connect.js';
import type { Run } from '../run/run.js';
import { whole } from './catalogue.js';
import { type Copies, type OnHost, showCopies } from './copies.js';

/** Why a copy that was adopted in this run stays, whatever the rules say. */
const ADOPTED_NOW = 'its manifest was lost, and was put back in this run';

/**
 * Gives the copies that have lost their manifest the one that the host has, where the store says that they are those bytes. Returns which,
 * with why they are kept in this run. Credentials that may not add anything leave them as they are.
 */
export async function adoptCopies(
  run: Run,
  copies: Copies,
  { catalogue, connection }: OnHost,
): Promise<Map<string, string>> {
  const adopted = new Map<string, string>();
  for (const orphan of copies.catalogue.orphans) {
    const own = catalogue.backups.find(({ id, state }) => id === orphan.id && ['ok', 'suspect'].includes(state));
    if (own === undefined || orphan.files.join() !== own.manifest.file) continue;
    if (run.settings.dryRun) run.log.info(`would put the manifest of ${own.id} back into ${copies.uri}`);
    else if (await putBack(run, copies, await whole(connection, own))) {
      adopted.set(own.id, ADOPTED_NOW);
      take(run, copies, orphan, { ...own, files: [manifestFile(own.id), own.manifest.file] });
    }
  }
  if (adopted.size > 0) showCopies(run, catalogue.backups);
  return adopted;
}

function take(run: Run, copies: Copies, orphan: Orphan, backup: Backup): void {
  const { catalogue } = copies;
  catalogue.orphans = catalogue.orphans.filter((one) => one !== orphan);
  catalogue.backups = [...catalogue.backups, backup].sort(newestFirst);
  copies.candidates = [...copies.candidates, ...toCandidates([backup], 's3Keep')];
  run.copies = catalogue.backups;
}

async function putBack(run: Run, { store, uri }: Copies, { id, manifest }: Backup): Promise<boolean> {
  const stored = await store.head(store.keyOf(manifest.name, manifest.file));
  if (stored?.bytes !== manifest.bytes || stored.sha256 !== manifest.sha256) {
    warn(run, `${id} in ${uri} has no manifest, and other bytes than the one on the host: it is kept as it is`);
    return false;
  }
  const text = serializeManifest(manifest);
  const [md5, sha256] = [
    createHash('md5').update(text).digest('base64'),
    createHash('sha256').update(text).digest('hex'),
  ];
  try {
    await store.put(store.keyOf(manifest.name, manifestFile(id)), text, md5, { sha256, storageClass: null });
  } catch (error) {
    if (!(error instanceof BackupError) || error.code !== 'E_S3_AUTH') throw error;
    warn(run, `the manifest of ${id} could not be put back into ${uri}: ${error.message}`);
    return false;
  }
  run.log.info(`the manifest of ${id} was put back into ${uri}`);
  return true;
}
