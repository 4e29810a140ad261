import { BackupError } from '../errors.js';
import { mendedPem } from '../host/private-key.js';
import { platform } from '../platform/platform.js';
import { declared, INPUT_NAMES, type InputName, type Parsed } from './declared-inputs.js';
import type { HandOption } from './hand-inputs.js';

/** Longer values are cut in messages. */
const SHOWN = 120;
const SECRET_KEY = /PRIVATE KEY|PuTTY-User-Key|AGE-SECRET-KEY-/;

/** How what is missing is given: `inAWorkflow` in a job, by hand as an option or a variable. The end of a sentence. */
export const toGive = (name: InputName, inAWorkflow: string): string => platform().byHand?.gives(name) ?? inAWorkflow;

/** Why what is empty is probably so, in a job; somebody who types knows that. `filler`: what a workflow fills it with. */
export const unset = (examples: string, filler = 'secret or variable'): string =>
  platform().byHand === null ? `; the ${filler} that fills it is probably not set (for example ${examples})` : '';

/**
 * The inputs of this run, read once, in the order of action.yml, with every secret masked before anything can fail.
 *
 * Nothing here throws at the first wrong value: problems are collected, so that the user sees all of them at once.
 * `undefined` stands for "wrong, already noted", `null` for "not given".
 */
export class InputReader {
  readonly warnings: string[] = [];
  readonly #problems: string[] = [];
  readonly #values = new Map<InputName, string>();
  readonly #secrets: string[] = [];
  #anyEmpty = false;

  constructor() {
    this.#problems.push(...platform().wrong);
    for (const name of INPUT_NAMES) {
      const value = this.#given(name);
      this.#values.set(name, value);
      if (declared[name].secret && value !== '') this.#mask(value);
      // What a library may start, such as the program that a profile of AWS names for its credentials, finds none of them.
      delete process.env[`INPUT_${name.toUpperCase()}`];
    }
  }

  /** The value, else the default of action.yml, else null: an empty string means "not given" and goes no further. */
  text(name: InputName): string | null {
    return this.#values.get(name) || declared[name].default || null;
  }

  /** Whether the user asked for something else than the default. */
  isChanged(name: InputName): boolean {
    return this.text(name) !== (declared[name].default || null);
  }

  /** The value as its own parser makes it, or null when it is not given. */
  read<N extends InputName>(name: N): Parsed<N> | null | undefined {
    return this.readAs(name, declared[name].parse as (text: string) => Parsed<N>);
  }

  /** As `read`, for inputs that have a default or must be given. `missing` is what to say when it is not. */
  require<N extends InputName>(name: N, missing?: string): Parsed<N> | undefined {
    return this.requireAs(name, declared[name].parse as (text: string) => Parsed<N>, missing);
  }

  /**
   * The value as `parse` makes it, which knows of other inputs. It throws an Error whose text is the rule; the value is added to it unless
   * it is secret, or the table says that the rules of this input quote by themselves or must not be followed by the value.
   */
  readAs<T>(name: InputName, parse: (text: string) => T): T | null | undefined {
    const text = this.text(name);
    if (text === null) return null;
    if (!declared[name].lines && /[\0\r\n]/.test(text)) {
      this.problem(name, 'expected one line');
      return undefined;
    }
    try {
      return parse(text);
    } catch (error) {
      const rule = (error as Error).message;
      if (this.#holdsSecret(text)) {
        this.problem(name, 'it is malformed; it is not shown here because it contains a secret');
      } else if (declared[name].quotes) {
        this.problem(name, rule);
      } else {
        this.problem(name, `${rule}, got ${JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text)}`);
      }
      return undefined;
    }
  }

  requireAs<T>(name: InputName, parse: (text: string) => T, missing = 'required, but empty'): T | undefined {
    const value = this.readAs(name, parse);
    if (value === null) this.missing(name, missing);
    return value ?? undefined;
  }

  /** Notes what is wrong with an input, or an option. The rule must not hold any secret. */
  problem(name: InputName | HandOption, rule: string): void {
    this.#problems.push(`${name}: ${rule}`);
  }

  /** Notes that an input which must be given is not. */
  missing(name: InputName, rule: string): void {
    if (platform().wrong.length > 0) return; // it may be in what could not be read
    this.#anyEmpty = true;
    this.problem(name, rule);
  }

  /**
   * The value as `judge` makes it, for inputs that are secret or may be by mistake: it throws an Error whose text is the rule and holds nothing
   * of the value, or a BackupError with a whole message. Unlike `readAs` nothing is added to it.
   */
  async judge<T>(name: InputName, judge: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await judge();
    } catch (error) {
      if (error instanceof BackupError) this.#problems.push(error.message);
      else this.problem(name, (error as Error).message);
      return undefined;
    }
  }

  /** Awaits a check that throws a BackupError with a whole message, and notes it. */
  async check<T>(action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof BackupError)) throw error;
      this.#problems.push(error.message);
      return undefined;
    }
  }

  /** Puts an input that has no effect back to its default, with a warning if it was given. */
  ignore(name: InputName, circumstance: string): void {
    if (this.isChanged(name)) this.warnings.push(`${name}: it has no effect ${circumstance}`);
    this.#values.delete(name);
  }

  /** Masks a value that was made from a secret one. */
  mask(value: string): void {
    this.#mask(value);
  }

  /** Throws E_INPUT with every problem on its own line; else nothing in `parts` is undefined, and the type says so. */
  settle<T extends object>(parts: T): { [K in keyof T]: Exclude<T[K], undefined> } {
    if (this.#problems.length > 0) {
      throw new BackupError(
        'E_INPUT',
        this.#scrubbed(this.#problems.join('\n')),
        this.#anyEmpty ? platform().advice.empty : platform().advice.wrong,
      );
    }
    for (const [name, value] of Object.entries(parts)) {
      if (value === undefined) throw new Error(`the setting ${name} is missing, although no input is wrong`);
    }
    return parts as { [K in keyof T]: Exclude<T[K], undefined> };
  }

  #given(name: InputName): string {
    try {
      return platform().input(name);
    } catch (error) {
      this.problem(name, (error as Error).message);
      return '';
    }
  }

  #mask(value: string): void {
    this.#secrets.push(value);
    platform().secret(withoutComments(value));
    // With newlines written as `\n` or in base64, the lines that may turn up in a log are others than those given.
    const pem = mendedPem(value);
    if (pem !== null && pem.trim() !== value) platform().secret(pem);
  }

  /** A secret pasted into the wrong input must not come back in its message. */
  #holdsSecret(text: string): boolean {
    if (SECRET_KEY.test(text)) return true;
    return this.#secrets.some((secret) => text.includes(secret));
  }

  /** A rule may name the host or the name of the backups, which somebody may have filled with a secret. */
  #scrubbed(message: string): string {
    return this.#secrets.reduce((text, secret) => text.replaceAll(secret, '***'), message);
  }
}

/** The runner masks each line by itself: a comment in a file of keys that is "#" alone would be masked wherever there is one. */
function withoutComments(secret: string): string {
  const lines = secret.split(/\r\n|\r|\n/);
  const kept = lines.filter((line) => !/^\s*#/.test(line) || SECRET_KEY.test(line));
  return kept.length === 0 || kept.length === lines.length ? secret : kept.join('\n');
}
