import { BackupError } from '../errors.js';

// The host may write anything into a manifest. These bounds are far above what a real one holds.
/** The host and the store send as much of one; catalogue_awk of host/programs/catalogue.sh has it too. */
export const MAX_READ_BYTES = 12 << 20;
/** Of one text, in characters; what writes a manifest keeps to it as well. */
export const LINE_LIMIT = 16 * 1024;
export const LIST_LIMIT = 100_000;
const SHOWN_LIMIT = 80;

/** One object or list of a manifest that the host printed: each reader checks one field, and names it when it refuses. */
export class Fields {
  /** @param path where this object is in the document, with a final dot; empty for the document itself. */
  private constructor(
    private readonly file: string,
    private readonly path: string,
    private readonly values: object,
  ) {}

  /** @throws BackupError E_MANIFEST, here and in every reader. */
  static parse(file: string, text: string): Fields {
    if (text.length > MAX_READ_BYTES) throw refused(file, 'text', `at most ${MAX_READ_BYTES} bytes`, text.length);
    let document: unknown;
    try {
      document = JSON.parse(text);
    } catch {
      throw refused(file, 'text', 'JSON', text);
    }
    if (!isObject(document)) throw refused(file, 'text', 'a JSON object', document);
    return new Fields(file, '', document);
  }

  /** The names of the fields, or the indexes of a list. */
  names(): string[] {
    return Object.keys(this.values);
  }

  /** Whether it is there at all, for what earlier versions did not write. */
  has(name: string): boolean {
    return Object.hasOwn(this.values, name);
  }

  /** The document itself, with the fields that nobody asked for. */
  all(): object {
    return this.values;
  }

  object(name: string): Fields {
    const value = this.get(name);
    if (!isObject(value)) this.refuse(name, 'an object');
    return new Fields(this.file, `${this.path}${name}.`, value);
  }

  objectOrNull(name: string): Fields | null {
    return this.get(name) === null ? null : this.object(name);
  }

  list(name: string): Fields {
    const value = this.get(name);
    if (!Array.isArray(value) || value.length > LIST_LIMIT) this.refuse(name, `a list of at most ${LIST_LIMIT}`);
    return new Fields(this.file, `${this.path}${name}.`, value);
  }

  listOrNull(name: string): Fields | null {
    return this.get(name) === null ? null : this.list(name);
  }

  text(name: string, minimum = 0): string {
    const value = this.get(name);
    if (typeof value !== 'string' || value.length < minimum || value.length > LINE_LIMIT) {
      this.refuse(name, `a text of ${minimum} to ${LINE_LIMIT} characters`);
    }
    return value;
  }

  textOrNull(name: string): string | null {
    return this.get(name) === null ? null : this.text(name);
  }

  matching(name: string, pattern: RegExp, rule: string): void {
    if (!pattern.test(this.text(name))) this.refuse(name, rule);
  }

  whole(name: string): number {
    const value = this.get(name);
    if (!Number.isSafeInteger(value) || (value as number) < 0) this.refuse(name, 'a whole number of 0 or more');
    return value as number;
  }

  wholeOrNull(name: string): void {
    if (this.get(name) !== null) this.whole(name);
  }

  oneOf<T extends string | number | boolean | null>(name: string, allowed: readonly T[]): T {
    const found = allowed.find((value) => value === this.get(name));
    if (found === undefined) this.refuse(name, allowed.map((value) => JSON.stringify(value)).join(' or '));
    return found;
  }

  /** An instant of the calendar in UTC, as `Date.toISOString` writes it, with or without milliseconds. */
  instant(name: string): Date {
    const text = this.text(name);
    const date = new Date(text);
    const exists = !Number.isNaN(date.getTime()) && [text, text.replace(/Z$/, '.000Z')].includes(date.toISOString());
    if (!exists) this.refuse(name, 'a UTC time such as "2026-11-20T10:15:00Z"');
    return date;
  }

  refuse(name: string, rule: string): never {
    throw refused(this.file, `${this.path}${name}`, rule, this.get(name));
  }

  private get(name: string): unknown {
    return (this.values as Record<string, unknown>)[name];
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(file: string, field: string, rule: string, value: unknown): BackupError {
  return new BackupError('E_MANIFEST', `${file}: ${shorten(field)}: expected ${rule}, got ${show(value)}`);
}

/** JSON keeps control characters of a hostile value out of the message; the length is bounded. */
function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return JSON.stringify(typeof value === 'string' ? shorten(value) : value);
}

function shorten(text: string): string {
  return text.length > SHOWN_LIMIT ? `${text.slice(0, SHOWN_LIMIT)}...` : text;
}
