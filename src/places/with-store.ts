import { BackupError } from '../errors.js';
import type { Run } from '../run/run.js';
import type { S3Location } from '../settings/settings.js';
import { withStore } from '../stores/object-store.js';
import type { HostPlace } from './host.js';
import { type Fetchable, named } from './in-store.js';
import { StorePlace } from './store.js';

/** Lends `work` the place in the store of this run, null when it has none; it is closed on every path. `bucket`: another than that of the settings. */
export async function withStorePlace<T>(
  run: Run,
  host: HostPlace,
  work: (place: StorePlace | null) => Promise<T>,
  bucket?: string,
): Promise<T> {
  const { settings, signal } = run;
  const { s3 } = settings;
  if (s3 === null) return work(null);
  return withStore(
    { settings: { ...settings, s3 }, signal },
    (open) => work(new StorePlace(run, s3, open, host)),
    bucket,
  );
}

/** The same as a spare: null also where the bucket stands only in `backup`, so that nothing else is looked for there. */
export function withSpare<T>(run: Run, host: HostPlace, work: (place: StorePlace | null) => Promise<T>): Promise<T> {
  return run.settings.s3?.onlyNamed ? work(null) : withStorePlace(run, host, work);
}

/** The same with what `s3://` names. Throws E_NOT_FOUND, E_MANIFEST, E_CHECKSUM. */
export function withNamed<T>(
  run: Run,
  host: HostPlace,
  location: S3Location,
  work: (place: StorePlace, found: Fetchable) => Promise<T>,
): Promise<T> {
  return withStorePlace(
    run,
    host,
    async (place) => {
      if (place === null) throw new BackupError('E_INTERNAL', 'no store is configured');
      return work(place, await named(run, await place.open(), location));
    },
    location.bucket,
  );
}
