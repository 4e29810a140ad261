import { type Backup, covering, newestVerified, type Orphan } from '../backups/catalogue.js';
import { BackupError } from '../errors.js';
import { factsOf } from '../places/catalogue.js';
import { change, find, notFound } from '../places/change.js';
import { type Copies, lookOffsite, withStore } from '../places/copies.js';
import { heldOf } from '../places/removal.js';
import { deleteCopy } from '../places/rotate-copies.js';
import { counted } from '../reporting/format.js';
import type { Run } from '../run/run.js';

/**
 * Deletes the one backup that `backup` names, wherever it is. Refuses a pinned one, one that is locked in the store, and to leave fewer
 * verified ones than `keep-minimum` in either place.
 */
export async function deleteBackup(run: Run): Promise<void> {
  const { settings, log, report } = run;
  await withStore(run, (store) =>
    change(run, async (found) => {
      const { backups, orphans } = found.catalogue;
      if (store === null) {
        const remains = withoutManifest(run, orphans);
        if (remains !== undefined) return { remove: [remains] };
        return { remove: [decide(run, find(run, found.catalogue), backups)] };
      }

      const copies = await lookOffsite(run, store, found);
      const inStore = copies.catalogue.backups;
      const [onHost, copy] = [backups, inStore].map((all) => all.find(({ id }) => id === settings.backup));
      const doomed = onHost ?? copy;
      if (doomed === undefined) {
        const remains = [orphans, copies.catalogue.orphans].map((all) => withoutManifest(run, all));
        const [here, there] = remains;
        if (remains.some((one) => one !== undefined)) {
          const remove = here === undefined ? [] : [here];
          return there === undefined ? { remove } : { remove, after: () => deleteCopy(run, copies, there, backups) };
        }
      }
      if (doomed === undefined) throw notFound(run, [...backups, ...inStore], `${report.directory} and ${copies.uri}`);
      // the copy may tell of a pin that was taken back since
      const checked = decide(run, doomed, onHost === undefined ? null : backups);
      const left = backups.filter((backup) => backup !== onHost);
      if (copy === undefined) return { remove: [checked] };
      report.backup = factsOf(
        run,
        doomed,
        onHost === undefined ? ['s3'] : ['host', 's3'],
        onHost === undefined ? 's3' : 'host',
      );
      await checkCopy(run, copies, copy);
      log.info(
        `${settings.dryRun ? 'would delete' : 'deleting'} ${copy.files.map((file) => copies.uri + file).join(', ')}`,
      );
      return { remove: onHost === undefined ? [] : [onHost], after: () => deleteCopy(run, copies, copy, left) };
    }),
  );
}

/** What is there of that id without a manifest: nothing counts on it, and who names it means it. */
function withoutManifest({ settings, log }: Run, orphans: readonly Orphan[]): Orphan | undefined {
  const found = orphans.find(({ id }) => id === settings.backup);
  if (found !== undefined)
    log.info(`${settings.dryRun ? 'would delete' : 'deleting'} ${found.files.join(', ')}: no manifest`);
  return found;
}

/** Returns the backup when it may be deleted on the host; `all`: what is there, null when this backup is not. Throws E_POLICY. */
function decide(run: Run, doomed: Backup, all: readonly Backup[] | null): Backup {
  const { settings, log, report } = run;
  report.backup = factsOf(run, doomed);
  if (doomed.manifest.pinned !== null) {
    throw new BackupError(
      'E_POLICY',
      `${doomed.id} is pinned: ${doomed.manifest.pinned.reason}`,
      all === null
        ? 'It is only in the store, where nothing is written again: if it really may go, delete it with the tools of the store. Nothing was deleted.'
        : 'Run `command: unpin` first if it really may go. Nothing was deleted.',
    );
  }
  if (all === null) return doomed;
  // one that is partial takes nothing from those that are whole; of these there must be as many as before
  const isWhole = (doomed.manifest.coverage ?? null) === null;
  const others = (isWhole ? covering(all, null) : all).filter((backup) => backup !== doomed);
  const verified = others.filter((backup) => backup.state === 'ok').length;
  if (doomed.state === 'ok' && verified < settings.keepMinimum) {
    throw tooFew(
      run,
      newestVerified(others) === null ? `${doomed.id} is the last verified backup` : left(run, doomed, verified, ''),
    );
  }
  log.info(`${settings.dryRun ? 'would delete' : 'deleting'} ${doomed.files.join(', ')}`);
  return doomed;
}

/** As on the host, by what is in the store alone. Throws E_POLICY. */
async function checkCopy(run: Run, { store, uri, candidates }: Copies, { id, files }: Backup): Promise<void> {
  const isWhole = !candidates.find((candidate) => candidate.id === id)?.partial;
  const counts = candidates.filter(({ verified, partial }) => verified && !(isWhole && partial));
  const others = counts.filter((candidate) => candidate.id !== id).length;
  if (others < counts.length && others < run.settings.keepMinimum) {
    throw tooFew(
      run,
      others === 0 ? `${id} is the last verified backup in ${uri}` : left(run, { id }, others, ` in ${uri}`),
    );
  }
  const [held] = await heldOf(store, run.settings.name, [{ id, files }], run.now());
  if (held === undefined) return;
  throw new BackupError('E_POLICY', `${id} is ${held.why} in ${uri}`, 'Nothing was deleted, on the host neither.');
}

const left = ({ settings }: Run, { id }: Pick<Backup, 'id'>, verified: number, where: string): string =>
  `deleting ${id} would leave ${counted(verified, 'verified backup')}${where}, fewer than keep-minimum (${settings.keepMinimum})`;

const tooFew = (_: Run, message: string): BackupError =>
  new BackupError('E_POLICY', message, 'Take a new backup first. Nothing was deleted.');
