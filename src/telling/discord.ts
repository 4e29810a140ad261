import type { Webhook } from '../settings/notify-urls.js';
import { type Delivery, jsonDelivery } from './delivery.js';
import { bodyOf, lastLines, type Message } from './message.js';
import { discordEscape, within } from './text.js';

// https://docs.discord.com/developers/resources/message#embed-object: 6000 in all texts of the embed together
const [TITLE, BODY, LOG, NAME, VALUE] = [250, 2200, 1300, 30, 180];
const COLORS = { ok: 0x2da44e, recovered: 0x2da44e, failed: 0xcf222e };

/** One embed, which mentions nobody. */
export function discord(message: Message, { url }: Pick<Webhook, 'url'>): Delivery {
  const cut = (text: string, most: number) => within(text, most, discordEscape);
  const log = message.log.length === 0 ? '' : `\n\nLog\n${cut(lastLines(message, LOG / 2), LOG)}`;
  const description = (cut(bodyOf(message), BODY) + log).trim();
  return jsonDelivery(url, {
    allowed_mentions: { parse: [] },
    embeds: [
      {
        title: cut(message.title, TITLE),
        ...(description === '' ? {} : { description }),
        color: COLORS[message.level],
        timestamp: message.at,
        ...(message.link === null ? {} : { url: message.link }),
        fields: message.facts.map(([name, value]) => ({
          name: cut(name, NAME),
          value: cut(value, VALUE) || '-',
          inline: value.length < 30,
        })),
      },
    ],
  });
}
