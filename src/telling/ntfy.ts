import type { Webhook } from '../settings/notify-urls.js';
import { type Delivery, jsonDelivery } from './delivery.js';
import { bodyOf, factLines, lastLines, type Message } from './message.js';
import { bytes, within } from './text.js';

// A message over 4096 bytes becomes a file.
const [TITLE, BODY, FACTS, LOG] = [250, 1900, 1100, 1000];
const PRIORITIES = { ok: 2, recovered: 3, failed: 4 };

/** JSON to the root of the server: a title in a header would have to be encoded. */
export function ntfy(message: Message, { url, headers, to }: Pick<Webhook, 'url' | 'headers' | 'to'>): Delivery {
  const cut = (text: string, most: number) => within(text, most, undefined, bytes);
  const parts = [cut(bodyOf(message), BODY), cut(factLines(message), FACTS), cut(lastLines(message, LOG, bytes), LOG)];
  const title = cut(message.title, TITLE);
  return jsonDelivery(
    url,
    {
      topic: to,
      title,
      message: parts.filter((part) => part !== '').join('\n\n') || title,
      priority: PRIORITIES[message.level],
      ...(message.link === null ? {} : { click: message.link }),
    },
    headers,
  );
}
