import { find } from '../places/find.js';
import { HostPlace } from '../places/host.js';
import { factsOf } from '../places/shown.js';
import { withSpare } from '../places/with-store.js';
import { connected } from '../run/connect.js';
import type { Run } from '../run/run.js';

/** The id of the backup that a restore of `latest` would put back, and nothing else. Throws E_NOT_FOUND. */
export async function latest(run: Run): Promise<void> {
  await connected(run, async (connection) => {
    const host = await HostPlace.open(run, connection, 'look');
    await withSpare(run, host, async (store) => {
      const { backup, spare } = await find(run, { by: 'latest' }, host, store);
      run.report.backup = { ...factsOf(run, backup), ...(spare === null ? {} : { path: spare.uri, places: ['s3'] }) };
      run.log.result(backup.id);
      run.report.ok = true;
    });
  });
}
