import type { Webhook } from '../settings/notify-urls.js';
import { type Delivery, jsonDelivery } from './delivery.js';
import { bodyOf, lastLines, type Message } from './message.js';
import { jsonBytes, within } from './text.js';

// Teams takes 28 KB; in bytes of JSON
const [TITLE, BODY, LOG, NAME, VALUE] = [600, 10_000, 5_000, 60, 500];
const COLORS = { ok: 'Good', recovered: 'Good', failed: 'Attention' };

/** An adaptive card. Its TextBlock understands Markdown, a TextRun does not. */
export function teams(message: Message, { url }: Pick<Webhook, 'url'>): Delivery {
  const run = (text: string, most: number, style = {}) => ({
    type: 'TextRun',
    text: within(text, most, undefined, jsonBytes),
    ...style,
  });
  const block = (...inlines: object[]) => ({ type: 'RichTextBlock', inlines });
  const { title, level, facts, link, log } = message;
  const body = bodyOf(message);
  const content = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    msteams: { width: 'Full' },
    body: [
      block(run(title, TITLE, { weight: 'Bolder', size: 'Large', color: COLORS[level] })),
      ...(body === '' ? [] : [block(run(body, BODY))]),
      ...facts.map(([name, value]) => block(run(`${name}: `, NAME, { weight: 'Bolder' }), run(value, VALUE))),
      ...(log.length === 0 ? [] : [block(run(lastLines(message, LOG, jsonBytes), LOG, { fontType: 'Monospace' }))]),
    ],
    ...(link === null ? {} : { actions: [{ type: 'Action.OpenUrl', title: 'Open the run', url: link }] }),
  };
  return jsonDelivery(url, {
    type: 'message',
    attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content }],
  });
}
