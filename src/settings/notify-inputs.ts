import { SHORTEST_PART } from '../platform/secrets.js';
import type { InputReader } from './input-reader.js';
import { type Destination, type PingTarget, parseNotifyUrl, parsePingUrl } from './notify-urls.js';

/** Who is told how a run ended. */
export interface Telling {
  /** `line`: of `notify-urls`, for messages, which never show the URL. */
  destinations: { line: number; to: Destination }[];
  ping: PingTarget | null;
  /** `failure`: and the first success after one. Pings are sent in any case. */
  when: 'failure' | 'always' | 'never';
  /** With the last lines of the log. */
  withLog: boolean;
}

export const NOBODY: Telling = { destinations: [], ping: null, when: 'never', withLog: false };

const MOST_LINES = 20;

/** Everything that can be used of these inputs; what can not is noted. A dry run tells nobody. */
export function readTelling(reader: InputReader, dryRun: boolean): Telling {
  const urls = reader.text('notify-urls');
  const destinations = readDestinations(reader, urls ?? '');
  const ping = readPing(reader);
  if (urls === null) for (const name of ['notify', 'notify-log'] as const) reader.ignore(name, 'without notify-urls');
  const when = reader.require('notify') ?? 'failure';
  const withLog = reader.require('notify-log') ?? false;
  return dryRun ? NOBODY : { destinations, ping, when, withLog };
}

function readDestinations(reader: InputReader, text: string): Telling['destinations'] {
  const lines = text.split(/\r\n|\r|\n/).map((line, index) => ({ text: line.trim(), line: index + 1 }));
  const given = lines.filter((line) => line.text !== '');
  maskParts(
    reader,
    given.map(({ text }) => text),
  );
  if (given.length > MOST_LINES) reader.problem('notify-urls', `expected at most ${MOST_LINES} lines`);
  return given.slice(0, MOST_LINES).flatMap(({ text: url, line }) => {
    try {
      const { target, secrets } = parseNotifyUrl(url);
      maskParts(reader, secrets);
      return [{ line, to: target }];
    } catch (error) {
      reader.problem('notify-urls', `line ${line}: ${(error as Error).message}`);
      return [];
    }
  });
}

function readPing(reader: InputReader): PingTarget | null {
  const text = reader.text('ping-url');
  if (text === null) return null;
  try {
    const { target, secrets } = parsePingUrl(text);
    maskParts(reader, secrets);
    return target;
  } catch (error) {
    reader.problem('ping-url', (error as Error).message);
    return null;
  }
}

/** Not those of a character or three, such as the password `a`: masked alone they would make every text unreadable. */
function maskParts(reader: InputReader, parts: string[]): void {
  for (const part of parts) if (part.length >= SHORTEST_PART) reader.mask(part);
}
