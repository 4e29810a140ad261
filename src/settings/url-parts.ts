/** What of a URL may be a secret, besides the whole of it. */
import { SHORTEST_PART } from '../platform/secrets.js';

/** Shorter parts of a URL are words that may stand anywhere. */
const SHORTEST_TOKEN = 8;

/**
 * Path and parts that look like tokens, as they stand in the URL and decoded. Words are none: a path on the host, or a name of
 * backups, may be made of the same.
 */
export function tokensOf(url: URL, shortest = SHORTEST_TOKEN): string[] {
  const tokens = partsOf(url).filter((part) => part.length >= shortest && looksLikeToken(decoded(part)));
  return tokens.length === 0 ? [] : spelled([...wholes(url), ...tokens]);
}

/** The same with words, the longest first: nothing of it is to be seen in what a receiver answers. */
export function tracesOf(url: URL): string[] {
  const parts = partsOf(url).filter((part) => part.length >= SHORTEST_TOKEN);
  const whole = wholes(url).filter((path) => path.length >= SHORTEST_PART);
  return spelled([...whole, ...parts]).sort((one, other) => other.length - one.length);
}

const wholes = ({ pathname, search }: URL): string[] => [pathname + search, pathname];

/** Segments of the path and values of the query; of a query without names all of it. */
const partsOf = ({ pathname, search, searchParams }: URL): string[] => [
  ...pathname.split('/'),
  ...search
    .slice(1)
    .split('&')
    .map((pair) => pair.slice(pair.indexOf('=') + 1)),
  ...searchParams.values(),
];

const looksLikeToken = (text: string): boolean =>
  /\p{Nd}/u.test(text) || (/\p{Lu}/u.test(text) && /\p{Ll}/u.test(text));

const spelled = (texts: string[]): string[] => [...new Set(texts.flatMap((text) => [text, decoded(text)]))];

/** What is no escape, or no UTF-8, is left or replaced, and never an error: a receiver has taken it for something, too. */
const decoded = (text: string): string =>
  text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (escapes) => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'));
