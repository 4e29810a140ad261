import type { Webhook } from '../settings/notify-urls.js';
import { type Delivery, jsonDelivery } from './delivery.js';
import type { Message } from './message.js';

/** `report`: as `status.json` has it, without secrets. With it goes `notification`: what the other services are told. */
export function json(
  { level, title, link, log }: Message,
  { url, headers }: Pick<Webhook, 'url' | 'headers'>,
  report: object,
): Delivery {
  return jsonDelivery(url, { ...report, notification: { level, title, run: link, log } }, headers);
}
