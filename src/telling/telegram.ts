import type { Webhook } from '../settings/notify-urls.js';
import { type Delivery, jsonDelivery } from './delivery.js';
import { bodyOf, lastLines, type Message } from './message.js';
import { entity, entityButQuotes, within } from './text.js';

// 4096 characters after the HTML was parsed: so it is cut before it is escaped
const [TITLE, BODY, LOG, NAME, VALUE] = [200, 1600, 800, 20, 110];

/** A message in the HTML of Telegram. */
export function telegram(message: Message, { url, to }: Pick<Webhook, 'url' | 'to'>): Delivery {
  const cut = (text: string, most: number) => Array.from(within(text, most), entityButQuotes).join('');
  const { level, title, facts, link, log } = message;
  const parts = [
    `<b>${cut(title, TITLE)}</b>`,
    cut(bodyOf(message), BODY),
    facts.map(([name, value]) => `${cut(name, NAME)}: ${cut(value, VALUE)}`).join('\n'),
    link === null ? '' : `<a href="${Array.from(link, entity).join('')}">Open the run</a>`,
    log.length === 0 ? '' : `<pre>${cut(lastLines(message, LOG), LOG)}</pre>`,
  ];
  return jsonDelivery(url, {
    chat_id: to,
    parse_mode: 'HTML',
    text: parts.filter((part) => part !== '').join('\n\n'),
    link_preview_options: { is_disabled: true },
    disable_notification: level === 'ok',
  });
}
