import type { Webhook } from '../settings/notify-urls.js';
import { type Delivery, jsonDelivery } from './delivery.js';
import { bodyOf, lastLines, type Message } from './message.js';
import { mattermostEscape, within } from './text.js';

// A post has 16383 characters, its attachments as JSON included.
const [TITLE, BODY, LOG, NAME, VALUE] = [250, 5000, 3000, 60, 300];
const COLORS = { ok: '#2da44e', recovered: '#2da44e', failed: '#cf222e' };

/** One message attachment. */
export function mattermost(message: Message, { url }: Pick<Webhook, 'url'>): Delivery {
  const cut = (text: string, most: number) => within(text, most, mattermostEscape);
  const title = cut(message.title, TITLE);
  const log = message.log.length === 0 ? '' : `\n\nLog\n${cut(lastLines(message, LOG / 2), LOG)}`;
  return jsonDelivery(url, {
    attachments: [
      {
        fallback: title,
        color: COLORS[message.level],
        title,
        ...(message.link === null ? {} : { title_link: message.link }),
        text: cut(bodyOf(message), BODY) + log,
        fields: message.facts.map(([name, value]) => ({
          short: value.length < 30,
          title: cut(name, NAME),
          value: cut(value, VALUE),
        })),
      },
    ],
  });
}
