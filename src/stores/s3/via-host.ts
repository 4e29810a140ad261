import type { Facts } from '../../host/session.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import type { HostLink, HostSender, Unable } from '../object-store.js';
import type { Bucket, Upload } from './bucket.js';
import { type Refusal, refusalIn } from './failures.js';
import { bytesUpTo, planParts } from './parts.js';
import type { SentPart } from './via-runner.js';

/** How many at once: one connection rarely fills a line. */
const WORKERS = 3;
/** Few enough that their URLs are used long before they expire. */
const BATCH = 24;
/** Above this, the memory of a small host counts. */
const LARGE_PART = 32 << 20;

/** What the host has told under that key. */
export function unableBy(facts: Facts, key: string): Unable | null {
  const why = facts.get(key);
  const tool = facts.get('lacking') ?? '';
  return why === null ? null : { why: quoteOutside(why, 300), lacking: /^\w{1,20}$/.test(tool) ? tool : null };
}

/**
 * Asks the host whether it can upload by itself. The hashes of the parts are those of bytes that together have the SHA-256 of the
 * manifest, and each part is signed with its own: what the host sends then can be nothing else.
 */
export async function prepareOnHost(
  store: Bucket,
  key: string,
  { file, bytes, sha256 }: { file: string; bytes: number; sha256: string },
  link: HostLink,
): Promise<HostSender | Unable> {
  const plan = planParts(bytes, 'host');
  const facts = await link.send(['job', 'prepare_upload', [file, String(plan.partBytes), await store.plainUrl(key)]]);
  const unable = unableBy(facts, 'no_upload');
  if (unable !== null) return unable;
  const md5s = facts.all('md5').map((line, at) => new RegExp(`^${at + 1} ([0-9a-f]{32})$`).exec(line)?.[1] ?? '');
  if (facts.get('sha256') !== sha256 || md5s.length !== plan.count || md5s.includes('')) {
    return { why: `${file} on the host no longer has the bytes that were backed up`, lacking: null };
  }
  return { link, file, md5s };
}

/** Lets the host send all parts, and signs them as they are needed; what failed and may pass is tried again, with a new signature. */
export async function uploadFromHost(
  store: Bucket,
  upload: Upload,
  sender: HostSender,
  bytes: number,
  onSent: (bytes: number) => void,
): Promise<SentPart[]> {
  const { partBytes } = planParts(bytes, 'host');
  // the parts are told of while the request is still being answered
  let before = 0;
  const ticker = setInterval(() => {
    onSent(Math.min(bytes, before + sender.link.said('part').length * partBytes));
  }, 1_000);
  try {
    return await sendAll(store, upload, sender, bytes, (sent) => {
      before = sent;
    });
  } finally {
    clearInterval(ticker);
  }
}

async function sendAll(
  store: Bucket,
  upload: Upload,
  { link, file, md5s }: HostSender,
  bytes: number,
  onBatch: (bytes: number) => void,
): Promise<SentPart[]> {
  const plan = planParts(bytes, 'host');
  const waiting = md5s.map((md5, at) => ({ number: at + 1, md5, tries: 0 }));
  const sent = new Map<number, SentPart>();
  const workers = plan.partBytes > LARGE_PART ? 1 : WORKERS;
  while (waiting.length > 0) {
    const batch = waiting.slice(0, BATCH);
    const signed = await Promise.all(
      batch.map(async ({ number, md5 }) => {
        const base64 = Buffer.from(md5, 'hex').toString('base64');
        return [String(number), base64, await store.signPart(upload, number, base64)];
      }),
    );
    const facts = await link.send([
      'job',
      'upload_parts',
      [file, String(plan.partBytes), String(workers), ...signed.flat()],
    ]);
    for (const line of facts.all('part')) {
      const [, digits, etag] = /^(\d{1,5}) "?([\x21\x23-\x7e]{1,200})"?$/.exec(line) ?? [];
      const at = waiting.findIndex(({ number }) => number === Number(digits));
      const part = waiting[at];
      if (part === undefined || etag === undefined) continue;
      waiting.splice(at, 1);
      sent.set(part.number, { number: part.number, etag: `"${etag}"`, md5: part.md5 });
    }
    if (sent.size > 0) store.patience.renew();
    onBatch(bytesUpTo(sent.size, plan, bytes));
    const refused = facts.get('refused');
    if (refused === null) {
      // whoever does not tell of a part has not sent it
      if (batch.some(({ number }) => !sent.has(number))) await again(store, upload, batch[0], silent);
      continue;
    }
    const [number = 0, status = 0, http = 0] = refused.split(' ').map(Number);
    const body = facts.get('refused_body') ?? '';
    const refusal = http > 0 ? refusalIn(http, body) : withoutAnswer(status, facts.get('refused_said') ?? '');
    await again(store, upload, waiting.find((part) => part.number === number) ?? batch[0], refusal);
  }
  return [...sent.values()].sort((a, b) => a.number - b.number);
}

async function again(
  store: Bucket,
  upload: Upload,
  part: { number: number; tries: number } | undefined,
  refusal: Refusal,
): Promise<void> {
  if (part === undefined) return;
  const what = `uploading part ${part.number} of ${store.uriOf(upload.key)} from the host`;
  await store.patience.pauseAfter(refusal, { what, right: 's3:PutObject' }, ++part.tries);
}

/** Of curl's exit statuses those that do not pass; all others are as good as a broken connection. */
const CODES: Record<number, string> = {
  6: 'EAI_AGAIN',
  7: 'ECONNREFUSED',
  28: 'TimeoutError',
  51: 'CERT_INVALID',
  58: 'CERT_INVALID',
  60: 'CERT_INVALID',
  77: 'CERT_INVALID',
};

export function withoutAnswer(status: number, said: string): Refusal {
  const message = `curl on the host ended with status ${status}: ${said.trim()}`;
  return { status: null, code: CODES[status] ?? 'ECONNRESET', message, region: null, clock: null };
}

const silent: Refusal = {
  ...{ status: null, code: 'ECONNRESET', region: null, clock: null },
  message: 'the host did not report the result',
};
