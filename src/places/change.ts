import type { Backup } from '../backups/catalogue.js';
import { connectedToChange } from '../run/directory.js';
import type { Run } from '../run/run.js';
import { HostPlace } from './host.js';
import type { Unit } from './place.js';
import { notRotated } from './rotate.js';
import type { StorePlace } from './store.js';
import { withStorePlace } from './with-store.js';

/** What a command wants changed, decided while the lock is held. */
export interface Change {
  /** As it is then: its manifest is written anew. */
  rewrite?: Backup;
  /** On the host, in the same request. */
  remove?: Unit[];
  /** What follows when that is done. */
  after?: () => Promise<void>;
}

/** Reads the catalogue under the lock, asks `decide`, carries it out; with `dry-run`, reads and asks only. */
export async function change(
  run: Run,
  decide: (host: HostPlace, store: StorePlace | null) => Promise<Change>,
): Promise<void> {
  const { dryRun } = run.settings;
  await connectedToChange(run, async (connection) => {
    const host = await HostPlace.open(run, connection, dryRun ? 'look' : 'change');
    await withStorePlace(run, host, async (store) => {
      const { rewrite = null, remove = [], after } = await decide(host, store);
      run.report.ok = after === undefined || dryRun;
      if (dryRun) return;
      const { failure } = await host.change(rewrite, remove);
      if (failure !== null) throw notRotated(run, failure.what, failure.error, failure.todo);
      if (after === undefined) return;
      await after();
      run.report.ok = true;
      await host.tellRun();
    });
  });
}
