import type { Webhook } from '../settings/notify-urls.js';
import { type Delivery, jsonDelivery } from './delivery.js';
import { type Message, plainText } from './message.js';
import { within } from './text.js';

const [TITLE, TEXT] = [250, 8000];
/** From 8 on a phone rings. */
const PRIORITIES = { ok: 2, recovered: 5, failed: 8 };

export function gotify(message: Message, { url, headers }: Pick<Webhook, 'url' | 'headers'>): Delivery {
  const click = message.link === null ? {} : { 'client::notification': { click: { url: message.link } } };
  return jsonDelivery(
    url,
    {
      title: within(message.title, TITLE),
      message: within(plainText(message) || message.title, TEXT),
      priority: PRIORITIES[message.level],
      extras: { 'client::display': { contentType: 'text/plain' }, ...click },
    },
    headers,
  );
}
