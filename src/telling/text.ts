/** Text from outside, made to fit and to mean nothing where it goes. */

const itself = (character: string): string => character;
const units = (text: string): number => text.length;
const CUT = '…';

/** Bytes of UTF-8. */
export const bytes = (text: string): number => Buffer.byteLength(text);
/** The same once it stands in JSON. */
export const jsonBytes = (text: string): number => bytes(JSON.stringify(text)) - 2;

/**
 * As much of the text as has at most `most` of `size` (UTF-16 units) when each of its characters is escaped; one that is cut ends with
 * "…". No escape is ever cut in two.
 */
export function within(text: string, most: number, escaped = itself, size = units): string {
  const parts: string[] = [];
  let used = 0;
  let fitting = 0;
  const room = most - size(CUT);
  for (const character of text) {
    const part = escaped(character);
    used += size(part);
    if (used > most) return parts.slice(0, fitting).join('') + CUT;
    parts.push(part);
    if (used <= room) fitting = parts.length;
  }
  return parts.join('');
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** For HTML, and for Slack and Telegram, which take the first three. */
export const entity = (character: string): string => ENTITIES[character] ?? character;
export const entityButQuotes = (character: string): string => (character === '"' ? '"' : entity(character));

/** A name behind "@" is told when it is one; with a zero-width space before it, it is none. */
const AT = '@\u200b';

/** For the Markdown of Discord. */
export const discordEscape = (character: string): string =>
  character === '@' ? AT : /[\\`*_~|<>[\]()#:-]/.test(character) ? `\\${character}` : character;

/** For the Markdown of Mattermost, which understands the marks of Slack as well. */
export const mattermostEscape = (character: string): string =>
  character === '@' ? AT : /[\\`*_{}[\]()#+\-.!|~<>:]/.test(character) ? `\\${character}` : character;
