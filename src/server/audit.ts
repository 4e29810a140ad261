import { platform } from '../platform/platform.js';
import { neutralise } from '../reporting/neutralise.js';

/** What is written down of a call: nothing of its body, its token, or what it asked for that there is not. */
export interface Audited {
  client: string;
  method: string;
  /** As in the table of routes; null: none of them. */
  path: string | null;
  status: number;
  ms: number;
  /** Empty: it was well. */
  code?: string;
  target?: string | null;
  backup?: string | null;
  actor?: string | null;
}

/** One line for each call. */
export function audit({ client, method, path, status, ms, code, target, backup, actor }: Audited): void {
  const parts = [
    `call ${method} ${path ?? '-'} ${status}`,
    `${Math.round(ms)} ms`,
    `client=${client}`,
    ...(code ? [`code=${code}`] : []),
    ...(target ? [`target=${target}`] : []),
    ...(backup ? [`backup=${backup}`] : []),
    ...(actor ? [`actor=${JSON.stringify(actor)}`] : []),
  ];
  platform().info(neutralise(parts.join(' ')).replaceAll('\n', ' '));
}
