import type { Facts } from '../../host/session.js';
import { changed, type HostLink, type Unable, type Wanted } from '../object-store.js';
import type { Bucket } from './bucket.js';
import { isChanged, isMissing, type Refusal, refusalIn } from './failures.js';
import { attemptOf, PROGRESS_BYTES } from './reading.js';
import { unableBy, withoutAnswer } from './via-host.js';

/** Why the host can not fetch by itself, or null. */
export async function whyNotByHost(store: Bucket, key: string, { send }: HostLink): Promise<Unable | null> {
  return unableBy(await send(['job', 'prepare_fetch', [await store.plainUrl(key)]]), 'no_fetch');
}

/** Lets the host fetch an object into its folder; what broke off is taken up again where it ended, with a new signature. */
export async function fetchByHost(
  store: Bucket,
  wanted: Wanted,
  file: string,
  link: HostLink,
  onRead: (bytes: number) => void,
): Promise<void> {
  // it is told while the request is still being answered
  const ticker = setInterval(() => onRead(Number(link.said('fetched_bytes').at(-1) ?? 0)), 1_000);
  try {
    await fetchAll(store, wanted, file, link);
  } finally {
    clearInterval(ticker);
  }
}

async function fetchAll(store: Bucket, wanted: Wanted, file: string, { send }: HostLink): Promise<void> {
  const { key, bytes, etag } = wanted;
  let tries = 0;
  let before = 0;
  for (;;) {
    const facts = await send(['job', 'fetch_file', [file, String(bytes), etag, await store.signGet(key)]]);
    const fetched = facts.number('fetched_bytes');
    if (fetched >= bytes) break;
    if (fetched - before >= PROGRESS_BYTES) {
      tries = 0;
      store.patience.renew();
    }
    before = fetched;
    const refusal = refusalOf(facts);
    if (isChanged(refusal)) throw changed(store.uriOf(key), 'it was replaced during the download');
    if (isMissing(refusal)) throw changed(store.uriOf(key), 'it was deleted during the download');
    const { what, right } = attemptOf(store, key);
    await store.patience.pauseAfter(refusal, { what: `${what} from the host`, right }, ++tries);
  }
  store.patience.renew();
}

function refusalOf(facts: Facts): Refusal {
  const [status = 0, http = 0] = (facts.get('refused') ?? '').split(' ').map(Number);
  if (http >= 400) return refusalIn(http, facts.get('refused_body') ?? '');
  return withoutAnswer(status, facts.get('refused_said') ?? 'it did not get the whole file');
}
