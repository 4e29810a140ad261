import { counted, formatDuration } from '../reporting/format.js';
import { withStore } from '../stores/object-store.js';
import type { Checks } from './checks.js';

/** A key of nothing, for the question whether the host reaches the store. */
const PROBE = 'reached';

/** The bucket: what is read there, and whether the host reaches it by itself. Nothing is written, so the right to write is not shown. */
export async function lookAtStore(checks: Checks): Promise<void> {
  const { run, connection } = checks;
  const { settings, signal } = run;
  const { s3, name } = settings;
  if (s3 === null) {
    await checks.probe('Off-site copy', () => ({
      level: 'warning',
      found: 'there is none: if the disk of the database fails, the backups on it are lost too',
      todo: 'Set `s3-bucket` (docs/off-site.md).',
    }));
    return;
  }
  await withStore({ settings: { ...settings, s3 }, signal }, async (open) => {
    const isThere = await checks.probe('Off-site copy', async () => {
      const store = await open();
      const prefix = store.keyOf(name, '');
      const files = await store.list(prefix);
      const manifest = files.find(({ key }) => key.endsWith('.json'));
      if (manifest !== undefined) await store.get(manifest.key);
      const ahead = store.clockAheadMs;
      const clock =
        ahead === null || Math.abs(ahead) < 60_000
          ? ''
          : `; its clock differs from the runner's by ${formatDuration(Math.abs(ahead))}`;
      const read = manifest === undefined ? 'can be listed' : 'can be listed and read';
      return `${store.uriOf(prefix)} ${read}, with ${counted(files.length, 'object')}${clock}. The first backup shows if it can be written to`;
    });
    await checks.probe('The host reaches the store', async () => {
      if (!isThere) return { level: 'skipped', found: 'the store did not answer the check above' };
      if (s3.uploadVia === 'runner')
        return { level: 'skipped', found: 'the copies go through the runner (`s3-upload-via`)' };
      const store = await open();
      const unable = await store.lending.whyNotFetch(store.keyOf(name, PROBE), connection);
      if (unable === null) return 'yes, so the host uploads copies directly, without any credentials';
      if (s3.uploadVia === 'auto') return `${unable.why}, so copies go through the runner`;
      return {
        ...{ level: 'error', code: 'E_S3_UNAVAILABLE', found: unable.why },
        todo: 'Let the host reach the store, or leave `s3-upload-via` at `auto`.',
      };
    });
  });
}
