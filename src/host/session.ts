import { randomBytes } from 'node:crypto';
import { BackupError, ERRORS, type ErrorCode } from '../errors.js';
import { type CountedRows, Facts, HostFailure, type HostProgress } from './facts.js';
import { type Frame, FrameReader, type Marks } from './frames.js';
import type { Host, Shell, ShellEnd } from './host.js';
import { type Programs, programFor, tellsElsewhere } from './program.js';
import { call } from './quoting.js';
import { ended, idle, silent, stopped } from './session-errors.js';

export { type CountedRows, Facts, HostFailure, type HostProgress };

/** `request`: short, in the session's own shell, may change its state. `job`: in the background, as long as it takes. */
export type HostRequest = readonly ['request' | 'job', name: string, args: readonly string[]];

export interface SessionOptions {
  /** Whose functions the session has. */
  engine: Programs;
  idleTimeoutMs: number;
  /** How long the login shell may take until our program answers. */
  startTimeoutMs: number;
  onProgress?: (progress: HostProgress) => void;
  onPhase?: (name: string, expectedBytes: number) => void;
  onFact?: (key: string, text: string) => void;
}

interface Waiting {
  number: number;
  facts: Facts;
  resolve: (facts: Facts) => void;
  reject: (error: Error) => void;
}

/** The host ends a session that gets no beat for 45 s. The answer to each is the progress, and whether the job is alive. */
const BEAT_MS = 2_000;
const CLEAN_UP_MS = 5_000;
/** Of all that the host reports in one answer, each report counted with what it costs to keep. */
const MAX_REPORTED = 128 << 20;
const COST_OF_ONE = 200;

/**
 * One POSIX shell on the host, fed over stdin: the program first, then requests, each one group. The only code that
 * knows the protocol of host/programs/session.sh. When anything ends it, stdin ends, and the host cleans up by itself.
 */
export class Session {
  /** Facts of the hello: `user`, `uid`, `hostname`, `system`. */
  readonly hello: Promise<Facts>;
  private readonly greeting: Waiting;
  private greeted = false;
  private cleanedUp = false;
  /** Answers of requests come on stdout, answers to beats on stderr; either may carry noise. */
  private readonly stdout: FrameReader;
  private readonly stderr: FrameReader;
  private readonly startTimer: NodeJS.Timeout;
  private readonly beats: NodeJS.Timeout;
  private lastNumber = 0;
  private waiting: Waiting | null = null;
  /** Why no request is possible any more. */
  private failure: Error | null = null;
  private ending: Promise<boolean> | null = null;
  private lastMove = Date.now();
  private lastProgress = '';
  private lastElsewhere = '';
  private reported = 0;
  private readonly mayTellElsewhere: (told: string) => boolean;

  /** Starts the shell and sends the program; does not wait for an answer, so that the first requests travel with it. */
  static async open(host: Host, options: SessionOptions): Promise<Session> {
    return new Session(host, await host.openShell(), options);
  }

  private constructor(
    private readonly host: Host,
    private readonly shell: Shell,
    private readonly options: SessionOptions,
  ) {
    this.mayTellElsewhere = tellsElsewhere(options.engine);
    const marks: Marks = { host: markOf(), elsewhere: markOf() };
    [this.greeting, this.hello] = expecting(0);
    this.stdout = new FrameReader(marks, (frame) => this.frame(frame));
    this.stderr = new FrameReader(marks, (frame) => this.frame(frame));
    shell.onStdout((chunk) => this.read(this.stdout, chunk));
    shell.onStderr((chunk) => this.read(this.stderr, chunk));
    void shell.closed.then((end) => this.fail(this.ended(end)));
    shell.write(programFor(marks, options.engine));
    this.startTimer = setTimeout(
      () => this.abort(silent(host.label, options.startTimeoutMs, this.said())),
      options.startTimeoutMs,
    );
    this.beats = setInterval(() => this.beat(), Math.min(BEAT_MS, Math.max(500, options.idleTimeoutMs / 3)));
  }

  /**
   * Sends requests in one write and resolves with the facts of all of them when the last is done.
   * Rejects with HostFailure (the program said why), or BackupError (E_REMOTE_LOST, E_SHELL, E_TIMEOUT).
   */
  send(...requests: HostRequest[]): Promise<Facts> {
    if (this.waiting !== null) throw new BackupError('E_INTERNAL', 'a second request before the first was answered');
    const groups = requests.map(([kind, name, args]) => `{ ${kind} ${++this.lastNumber} ${call(name, args)}; }\n`);
    const [waiting, answer] = expecting(this.lastNumber);
    if (this.failure !== null) waiting.reject(this.failure);
    else {
      this.waiting = waiting;
      this.reported = 0;
      for (const reader of [this.stdout, this.stderr]) reader.renew();
      this.lastMove = Date.now();
      this.shell.write(groups.join(''));
    }
    return answer;
  }

  /**
   * Ends the session because of an error of ours. The host stops and cleans up; what is pending rejects with the error
   * when it has done so, or after 5 s: by then it is known what the job came to do.
   */
  abort(error: Error): void {
    this.failure ??= error;
    this.stopTimers();
    this.shell.end();
    this.ending ??= this.endsWithin(CLEAN_UP_MS);
    void this.ending.then(() => this.fail(error));
  }

  /** Ends the session; after a failure it waits as `abort` does. False: the host did not say that it has cleaned up. */
  async close(): Promise<boolean> {
    const clean = this.failure === null && this.waiting === null;
    this.abort(new BackupError('E_INTERNAL', 'the session is closed'));
    const ended = clean || (await this.ending) === true;
    this.host.close();
    return ended;
  }

  /** Nothing can be asked any more. */
  get isOver(): boolean {
    return this.failure !== null;
  }

  /** What login scripts printed before our program's first line; neutralise it before it is shown. */
  get noise(): string {
    return this.stdout.noise.trim();
  }

  private read(reader: FrameReader, chunk: Buffer): void {
    try {
      reader.push(chunk);
    } catch (error) {
      this.abort(error as Error);
    }
  }

  private frame({ from, event, key, rest }: Frame): void {
    const told = event === 'set' ? `set ${key}` : event;
    if (from === 'elsewhere' && !this.mayTellElsewhere(told)) {
      throw new BackupError(
        'E_INTERNAL',
        `a program on ${this.host.label} that runs as another user or in a container sent a message that it must not send (${JSON.stringify(told.slice(0, 60))})`,
      );
    }
    // these come of themselves, and count when they tell of something else than before
    if (event !== 'progress' && event !== 'elsewhere') this.lastMove = Date.now();
    this.reported += rest.length + COST_OF_ONE;
    if (this.reported > MAX_REPORTED) {
      throw new BackupError('E_TOO_LARGE', `${this.host.label} reported more than ${MAX_REPORTED} bytes`);
    }
    // The first requests travel with the program, so what the hello reports comes before their answers.
    const facts = this.greeted ? this.waiting?.facts : this.greeting.facts;
    switch (event) {
      case 'hello':
        this.greeted = true;
        clearTimeout(this.startTimer);
        this.greeting.resolve(this.greeting.facts);
        break;
      case 'set':
        facts?.add(key, rest);
        this.options.onFact?.(key, rest);
        break;
      case 'rows':
      case 'restored': {
        const [hex = '', rows = ''] = rest.split(' ');
        facts?.[event].push({ name: Buffer.from(hex, 'hex'), rows: Number(rows) });
        break;
      }
      case 'phase': {
        const [name = '', bytes = ''] = rest.split(' ');
        this.options.onPhase?.(name, Number(bytes) || 0);
        break;
      }
      case 'progress': {
        if (rest !== this.lastProgress) this.lastMove = Date.now();
        this.lastProgress = rest;
        const [copied, packed, read] = rest.split(' ').map(Number);
        this.options.onProgress?.({ copied: copied || 0, packed: packed || 0, read: read || 0 });
        break;
      }
      // From where our shell can not look: as another user, in a container.
      case 'elsewhere': {
        if (rest !== this.lastElsewhere) this.lastMove = Date.now();
        this.lastElsewhere = rest;
        const [copied, read] = rest.split(' ').map(Number);
        this.options.onProgress?.({ copied: copied || 0, packed: 0, read: read || 0 });
        break;
      }
      case 'fail': {
        const code = Object.hasOwn(ERRORS, rest) ? (rest as ErrorCode) : 'E_INTERNAL';
        this.settle(({ facts }) => new HostFailure(code, facts.get('failure') ?? '', facts));
        break;
      }
      case 'done': {
        const [number, status] = rest.split(' ').map(Number);
        if (number !== this.waiting?.number) break; // of a request that had failed
        this.settle(() => (status === 0 ? null : this.stopped(`status ${status}`)));
        break;
      }
      case 'bye':
        this.cleanedUp = true;
        break;
      case 'gone':
        if (Number(rest) === this.waiting?.number) this.abort(this.stopped('killed'));
        break;
    }
  }

  private beat(): void {
    const { idleTimeoutMs } = this.options;
    if (this.waiting !== null && Date.now() - this.lastMove > idleTimeoutMs) {
      this.abort(idle(this.host.label, idleTimeoutMs));
    } else this.shell.write('{ beat; }\n');
  }

  /** Answers what is pending; an error after an abort is only its consequence. */
  private settle(outcome: (waiting: Waiting) => Error | null): void {
    const { waiting } = this;
    this.waiting = null;
    if (waiting === null) return;
    const error = outcome(waiting);
    if (error === null) waiting.resolve(waiting.facts);
    else waiting.reject(this.failure ?? error);
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.stopTimers();
    this.greeting.reject(this.failure);
    this.settle(() => error);
  }

  private stopTimers(): void {
    clearTimeout(this.startTimer);
    clearInterval(this.beats);
  }

  private async endsWithin(ms: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), ms);
    });
    // A status says nothing: a login shell around ours reports one for it, also when ours was killed.
    const clean = ({ lost }: ShellEnd): boolean => this.cleanedUp || (lost === null && !this.greeted);
    const ended = await Promise.race([this.shell.closed.then(clean), tooLong]);
    clearTimeout(timer);
    return ended;
  }

  private stopped(how: string): BackupError {
    return stopped(this.host.label, how, this.said());
  }

  private ended(end: ShellEnd): BackupError {
    this.stdout.finish();
    this.stderr.finish();
    return ended(this.host.label, end, this.greeted, this.said());
  }

  private said(): string {
    return `${this.stdout.noise}\n${this.stderr.noise}`;
  }
}

const markOf = (): string => `@${randomBytes(16).toString('hex')}`;

function expecting(number: number): [Waiting, Promise<Facts>] {
  let settlers: Pick<Waiting, 'resolve' | 'reject'> | undefined;
  const answer = new Promise<Facts>((resolve, reject) => {
    settlers = { resolve, reject };
  });
  answer.catch(() => {}); // it may fail before anybody awaits it
  return [{ number, facts: new Facts(), ...(settlers as Pick<Waiting, 'resolve' | 'reject'>) }, answer];
}
