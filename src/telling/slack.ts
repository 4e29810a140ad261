import type { Webhook } from '../settings/notify-urls.js';
import { type Delivery, jsonDelivery } from './delivery.js';
import { lastLines, type Message } from './message.js';
import { entityButQuotes, within } from './text.js';

// https://docs.slack.dev/reference/block-kit/blocks
const [TITLE, TEXT, FIELD] = [150, 3000, 300];

const plain = (text: string, most: number) => ({ type: 'plain_text', text: within(text, most), emoji: false });

/** Blocks, every text from outside in one that has no markup. */
export function slack(message: Message, { url }: Pick<Webhook, 'url'>): Delivery {
  const { title, sections, facts, link, log } = message;
  const section = (text: string) => ({ type: 'section', text: plain(text, TEXT) });
  const fields = facts.map(([name, value]) => plain(`${name}\n${value}`, FIELD));
  return jsonDelivery(url, {
    // what a notification on a phone shows; it has markup
    text: within(title, TITLE, entityButQuotes),
    blocks: [
      { type: 'header', text: plain(title, TITLE) },
      ...sections.map(({ heading, text }) => section(`${heading}\n${text}`)),
      ...(fields.length === 0 ? [] : [{ type: 'section', fields }]),
      ...(log.length === 0 ? [] : [section(`Log\n${lastLines(message, TEXT - 10)}`)]),
      ...(link === null
        ? []
        : [{ type: 'context', elements: [{ type: 'mrkdwn', text: `<${linkOf(link)}|Open the run>` }] }]),
    ],
    unfurl_links: false,
    unfurl_media: false,
  });
}

const linkOf = (link: string): string => encodeURI(link).replaceAll('|', '%7C').replaceAll('&', '&amp;');
