import { neutralise } from '../reporting/neutralise.js';

/** Shorter parts of a longer secret, such as the last line of a key, or a password of one letter in a URL, are no secret by themselves. */
export const SHORTEST_PART = 4;

/** Texts that may be in nothing that is shown. */
export class Secrets {
  private readonly texts = new Set<string>();

  add(secret: string): void {
    const lines = secret.split(/\r\n|\r|\n/).map((line) => line.trim());
    const parts = lines.length === 1 ? lines : lines.filter((line) => line.length >= SHORTEST_PART && !isFrame(line));
    for (const part of [secret, ...parts]) {
      // also as it stands in JSON, in URLs, and in a text that was neutralised
      const forms = [part, JSON.stringify(part).slice(1, -1), inUrl(part), neutralise(part)];
      for (const form of forms) if (form !== '') this.texts.add(form);
    }
  }

  /** The text with `***` in place of each; the longest first, since one may be in another. */
  hidden(text: string): string {
    return [...this.texts]
      .sort((one, other) => other.length - one.length)
      .reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
  }
}

const isFrame = (line: string): boolean => /^-----(BEGIN|END) [A-Z ]+-----$/.test(line);

function inUrl(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    return text; // half a surrogate pair, of which no URL can be made
  }
}
