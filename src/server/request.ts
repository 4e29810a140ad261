import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { Refusal, unfit } from './refusal.js';
import type { Field, Given } from './routes.js';

/** How a caller may name this machine when nothing else is said. A web page reaches loopback as well, but by a name of its own. */
export const LOOPBACK_NAMES: readonly string[] = ['127.0.0.1', 'localhost', '[::1]'];

/** Whether the header `Host` has one of these names, in lower case; with whatever port. */
export function isHost({ headersDistinct: { host = [] } }: IncomingMessage, names: readonly string[]): boolean {
  const name = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?$/i.exec(host[0] ?? '')?.[1];
  return host.length === 1 && name !== undefined && names.includes(name.toLowerCase());
}

/** The address of who calls: as the proxy in front says, which adds it as the last one, or of the connection. */
export function clientOf({ socket, headersDistinct }: IncomingMessage, behindProxy: boolean): string {
  const said = behindProxy ? (headersDistinct['x-forwarded-for']?.at(-1)?.split(',').at(-1)?.trim() ?? '') : '';
  return (isIP(said) === 0 ? (socket.remoteAddress ?? 'gone') : said).replace(/^::ffff:(?=[0-9.]+$)/i, '');
}

export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';

/** The body, which is JSON of at most so many bytes; undefined: there is none. Throws a Refusal. */
export async function readBody(request: IncomingMessage, most: number): Promise<unknown> {
  if (!hasBody(request)) return undefined;
  const { headers } = request;
  const isJson = /^application\/json *(;|$)/i.test(headers['content-type'] ?? '');
  if (!isJson || headers['content-encoding'] !== undefined)
    throw new Refusal(415, 'E_REQUEST', 'expected a body of type application/json, without Content-Encoding');
  const tooLarge = new Refusal(413, 'E_REQUEST', `expected a body of at most ${most} bytes`);
  if (Number(headers['content-length'] ?? 0) > most) throw tooLarge;
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of request) {
      bytes += part.length;
      if (bytes > most) throw tooLarge;
      parts.push(part);
    }
  } catch (error) {
    throw error instanceof Refusal ? error : new Refusal(408, 'E_REQUEST', 'the request did not arrive completely');
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts)));
  } catch {
    throw new Refusal(400, 'E_REQUEST', 'the body is not valid JSON');
  }
}

/** The query, in which each name may stand once. Throws a Refusal. */
export function readQuery(text: string): Given {
  const query = new URLSearchParams(text);
  const names = [...query.keys()];
  if (new Set(names).size < names.length) throw unfit('the query has the same name more than once');
  return Object.fromEntries(query);
}

/** Of what is wrong. */
const MOST_TOLD = 10;

/** What is given, when it is these fields and no others; all that is wrong with it at once. Throws a Refusal. */
export function fitting(given: unknown, fields: Record<string, Field>, optional = false): Given {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw unfit('expected a JSON object');
  const wrong: string[] = [];
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(fields, name)) wrong.push(`unknown field ${JSON.stringify(name.slice(0, 60))}`);
  }
  for (const [name, field] of Object.entries(fields)) {
    const value = Object.hasOwn(given, name) ? (given as Record<string, unknown>)[name] : undefined;
    if (value === undefined) {
      if (!optional) wrong.push(`${name}: required: ${field.description}`);
    } else if (typeof value !== 'string' || !isFit(value, field)) {
      wrong.push(`${name}: expected a string of at most ${field.maxLength} characters: ${field.description}`);
    }
  }
  if (wrong.length > 0) throw unfit(wrong.slice(0, MOST_TOLD).join('; '));
  return given as Given;
}

const isFit = (value: string, { pattern, maxLength }: Field): boolean =>
  [...value].length <= maxLength && new RegExp(pattern, 'u').test(value);
