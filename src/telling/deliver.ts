import { setTimeout as sleep } from 'node:timers/promises';
import { tracesOf } from '../settings/url-parts.js';
import { connectionFailure } from './connection-failure.js';
import type { Delivery } from './delivery.js';

/** For one attempt. */
const ATTEMPT_MS = 10_000;
/** Before the second and the third attempt. */
const PAUSES_MS = [1_000, 3_000];
/** A service that asks for more patience is not waited for. */
const LONGEST_PAUSE_MS = 30_000;
const ANSWER_BYTES = 4_096;

/** Why something was not delivered. Its text names no URL, and may quote what the service has answered, without the URL. */
export class NotDelivered extends Error {
  constructor(
    message: string,
    /** Null: another attempt is of no use; else how long to wait for it at least. */
    readonly againAfterMs: number | null = null,
  ) {
    super(message);
  }
}

export interface Attempts {
  /** Ends everything. */
  signal: AbortSignal;
  attemptMs?: number;
  pausesMs?: readonly number[];
  fetch?: typeof globalThis.fetch;
}

/** POSTs it, with a few attempts; it is never redirected. Throws NotDelivered. */
export function deliver(delivery: Delivery, attempts: Attempts): Promise<void> {
  return retried(() => post(delivery, attempts), attempts);
}

/** Calls it again as long as it throws a NotDelivered that says so. */
export async function retried<T>(attempt: () => Promise<T>, { signal, pausesMs = PAUSES_MS }: Attempts): Promise<T> {
  for (const pause of pausesMs) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof NotDelivered) || error.againAfterMs === null || signal.aborted) throw error;
      await sleep(Math.max(pause, error.againAfterMs), undefined, { signal }).catch(() => {
        throw error;
      });
    }
  }
  return attempt();
}

async function post(
  { url, headers, body }: Delivery,
  { signal, attemptMs = ATTEMPT_MS, fetch = globalThis.fetch }: Attempts,
) {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(attemptMs)]);
  const request = { method: 'POST', headers, body, redirect: 'error', signal: limited } as const;
  let response: Response;
  try {
    response = await fetch(url, request);
  } catch (error) {
    throw unreached(error, limited.aborted, signal.aborted);
  }
  const said = response.ok ? '' : without(tracesOf(new URL(url)), await beginningOf(response));
  await response.body?.cancel().catch(() => {});
  if (response.ok) return;
  const text = `HTTP ${response.status}${said === '' ? '' : `: ${said}`}`;
  throw new NotDelivered(text, response.status === 429 || response.status >= 500 ? patience(response) : null);
}

/** Its cause may hold the URL; only codes of it are told. */
function unreached(error: unknown, tooLate: boolean, over: boolean): NotDelivered {
  if (tooLate) return new NotDelivered('no answer in time', over ? null : 0);
  const { cause } = error as { cause?: { code?: unknown; message?: unknown } };
  if (cause?.message === 'unexpected redirect')
    return new NotDelivered('the server answered with a redirect, which is not followed');
  const { text, again } = connectionFailure(cause?.code);
  return new NotDelivered(text, again ? 0 : null);
}

const without = (traces: string[], text: string): string =>
  traces.reduce((rest, trace) => rest.replaceAll(trace, '***'), text);

/** How long the service asks to wait; null: longer than anybody does. */
function patience(response: Response): number | null {
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  const ms = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0; // a date is not worth reading
  return ms <= LONGEST_PAUSE_MS ? ms : null;
}

async function beginningOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = body?.getReader();
  try {
    while (reader !== undefined && bytes < ANSWER_BYTES) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      bytes += value.length;
    }
  } catch {
    // what came before it broke off is shown
  } finally {
    reader?.releaseLock();
  }
  return Buffer.concat(chunks).subarray(0, ANSWER_BYTES).toString('utf8');
}
