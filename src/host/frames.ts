import { BackupError } from '../errors.js';

/** One event of the program on the host: `set KEY TEXT`, `fail CODE`, `done N STATUS`, `progress A B C`, `phase NAME BYTES`, ... */
export interface Frame {
  /** Our shell on the host itself, or the one that it has started as another user or in a container. */
  from: Speaker;
  event: string;
  /** Of a `set`: its key; of others empty. */
  key: string;
  /** The rest of the line; of a text of several lines (`begin KEY` ... `end`, an event `set`) the text. */
  rest: string;
}

export type Speaker = 'host' | 'elsewhere';
/** What the lines of each begin with: two words that can not be guessed, of which the one elsewhere knows its own alone. */
export type Marks = Record<Speaker, string>;
const SPEAKERS: readonly Speaker[] = ['host', 'elsewhere'];

/** The longest text that the host sends is a file of 12 MiB, which may be one line. */
const MAX_LINE = 13 << 20;
const MAX_BLOCK = 13 << 20;
/** Of one answer. */
const MAX_TOTAL = 256 << 20;
const MAX_NOISE = 4096;

/**
 * Takes the bytes that the host sends apart: lines that begin with a mark are frames, everything else is noise
 * (login scripts, banners), of which the first 4 KiB are kept. The host is not trusted: all is capped.
 */
export class FrameReader {
  noise = '';
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  private totalBytes = 0;
  private block: { from: Speaker; key: string; lines: string[]; bytes: number } | null = null;

  constructor(
    private readonly marks: Marks,
    private readonly onFrame: (frame: Frame) => void,
  ) {}

  /** Throws E_TOO_LARGE when a line, a text or the whole goes past its cap. */
  push(chunk: Buffer): void {
    this.totalBytes += chunk.length;
    if (this.totalBytes > MAX_TOTAL) throw tooLarge('output', MAX_TOTAL);
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.keep(chunk.subarray(start, end));
      start = end + 1;
      this.line(this.take());
    }
    if (start < chunk.length) this.keep(chunk.subarray(start));
  }

  /** Another answer begins, with caps of its own. */
  renew(): void {
    this.totalBytes = 0;
  }

  /** What came after the last line break, when the stream has ended: noise, or half a frame, which counts for nothing. */
  finish(): void {
    const tail = this.take();
    if (!SPEAKERS.some((from) => tail.startsWith(this.marks[from]))) this.addNoise(tail);
  }

  private keep(part: Buffer): void {
    this.pendingBytes += part.length;
    if (this.pendingBytes > MAX_LINE) throw tooLarge('a line', MAX_LINE);
    this.pending.push(part);
  }

  private take(): string {
    const line = Buffer.concat(this.pending).toString('utf8');
    this.pending = [];
    this.pendingBytes = 0;
    return line;
  }

  private line(line: string): void {
    const from = SPEAKERS.find((speaker) => line.startsWith(`${this.marks[speaker]} `));
    if (from !== undefined) this.marked(from, line.slice(this.marks[from].length + 1));
    else if (this.block === null) this.addNoise(`${line}\n`);
    else {
      this.block.bytes += Buffer.byteLength(line) + 1;
      if (this.block.bytes > MAX_BLOCK) throw tooLarge('a text', MAX_BLOCK);
      this.block.lines.push(line);
    }
  }

  private marked(from: Speaker, line: string): void {
    const [event, rest] = cut(line);
    if (event === 'begin') this.block = { from, key: rest, lines: [], bytes: 0 };
    else if (event === 'end' && this.block?.from === from) {
      const { key, lines } = this.block;
      this.block = null;
      // the program puts a line break of its own between the text and `end`
      this.onFrame({ from, event: 'set', key, rest: lines.join('\n') });
    } else if (event === 'set') {
      const [key, text] = cut(rest);
      this.onFrame({ from, event, key, rest: text });
    } else {
      // also in the middle of a text: its sender may have been killed there
      this.onFrame({ from, event, key: '', rest });
    }
  }

  private addNoise(text: string): void {
    if (this.noise.length < MAX_NOISE) this.noise = (this.noise + text).slice(0, MAX_NOISE);
  }
}

/** At the first blank. */
function cut(text: string): [string, string] {
  const at = text.indexOf(' ');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function tooLarge(what: string, cap: number): BackupError {
  return new BackupError(
    'E_TOO_LARGE',
    `the host sent ${what} of more than ${cap} bytes, which our program never sends`,
  );
}
