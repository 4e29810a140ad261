import { change } from '../places/change.js';
import { deleteOne, objectionToDeleting } from '../places/deletion.js';
import { everywhere } from '../places/find.js';
import { factsOf } from '../places/shown.js';
import type { Run } from '../run/run.js';

/**
 * Deletes the one backup that `backup` names, wherever it is. Refuses a pinned one, one that is locked in the store, and to leave fewer
 * verified ones than `keep-minimum` in either place.
 */
export async function deleteBackup(run: Run): Promise<void> {
  const { settings, log, report } = run;
  await change(run, async (host, store) => {
    const { backups, orphans } = await everywhere(run, settings.backup ?? '', store === null ? [host] : [host, store]);
    const [first] = backups;
    if (first !== undefined) {
      const places = backups.map(({ place }) => place.kind);
      report.backup = factsOf(run, first.unit, places, first.place.kind);
      const objection = await objectionToDeleting(run, backups);
      if (objection !== null) throw objection;
    }
    const doomed = backups.length > 0 ? backups : orphans;
    for (const { place, unit } of doomed) {
      const files = unit.files.map((file) => (place.kind === 'host' ? file : place.uri + file)).join(', ');
      log.info(`${settings.dryRun ? 'would delete' : 'deleting'} ${files}${'manifest' in unit ? '' : ': no manifest'}`);
    }
    const here = doomed.find(({ place }) => place === host);
    const there = doomed.find(({ place }) => place === store);
    const remove = here === undefined ? [] : [here.unit];
    return there === undefined ? { remove } : { remove, after: () => deleteOne(run, there.place, there.unit) };
  });
}
