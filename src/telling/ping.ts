import type { PingTarget } from '../settings/notify-urls.js';
import type { Delivery } from './delivery.js';
import { type Message, plainText } from './message.js';
import { bytes, within } from './text.js';

/** What healthchecks keeps when one hosts it oneself. */
const BODY_BYTES = 10_000;
const KUMA_TEXT = 200;

/** The ping that says that a run begins; null: Uptime Kuma has none. `rid`: of this run, the same at its end. */
export function startPing(target: PingTarget, rid: string): Delivery | null {
  return target.service === 'healthchecks' ? healthchecks(target.url, '/start', rid, '') : null;
}

/** The ping that says how it ended. */
export function endPing({ service, url }: PingTarget, rid: string, message: Message, durationMs: number): Delivery {
  const failed = message.level === 'failed';
  if (service === 'healthchecks') {
    return healthchecks(url, failed ? '/fail' : '', rid, `${message.title}\n\n${plainText(message)}`);
  }
  const told = new URL(url);
  const msg = within(message.title, KUMA_TEXT);
  told.search = `${new URLSearchParams({ status: failed ? 'down' : 'up', msg, ping: String(Math.round(durationMs)) })}`;
  return { url: told.href, headers: {}, body: '' };
}

function healthchecks(url: string, ending: string, rid: string, text: string): Delivery {
  const to = new URL(url);
  to.pathname += ending;
  to.searchParams.set('rid', rid);
  const headers = { 'content-type': 'text/plain; charset=utf-8' };
  return { url: to.href, headers, body: within(text, BODY_BYTES, undefined, bytes) };
}
