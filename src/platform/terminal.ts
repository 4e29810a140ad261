import { StringDecoder } from 'node:string_decoder';
import { styleText } from 'node:util';
import type { Hand, Platform } from './platform.js';
import { Secrets } from './secrets.js';

export interface TerminalOptions {
  /** Default: variables of the environment, as GitHub's runner names them. */
  input?: (name: string) => string;
  isScheduled?: boolean;
  wrong?: readonly string[];
  /** It was started as `db-backup`. */
  hand?: Omit<Hand, 'write'>;
  /** Those that are known already; default: none. */
  secrets?: Secrets;
  /** Stands before what is logged, where several databases take turns. */
  about?: string;
  /** Warnings and errors alone. */
  quiet?: boolean;
  /** What the command was asked for is not printed: the report is, by others. */
  silentResult?: boolean;
  /** Draws one line over and over; absent: it can not be done. */
  draw?: LiveLine;
}

/** The last line of a terminal, which is written anew. */
export interface LiveLine {
  draw(text: string, share: number | null): void;
  /** Takes it away, before something else is printed. */
  clear(): void;
}

const ADVICE = {
  wrong:
    'Correct what is named here, in the options, the environment or the configuration. `db-backup COMMAND --help` says what each input means.',
  empty:
    'Give what is missing as an option, in the environment or in the configuration. `db-backup COMMAND --help` says what each input means, `db-backup --help` where they come from.',
};

/**
 * A shell, cron, systemd: whoever reads gets plain text, from which the secrets are taken here, since no runner does it. What the run does
 * goes to stderr; what the command was asked for goes to stdout. On a terminal in colours, elsewhere each line with its time and level.
 */
export function terminal({
  input,
  isScheduled = false,
  wrong = [],
  hand,
  secrets = new Secrets(),
  about = '',
  quiet = false,
  silentResult = false,
  draw,
}: TerminalOptions = {}): Platform {
  const states = new Map<string, string>();
  const say = (level: Level, text: string): void => {
    draw?.clear();
    const shown = secrets.hidden(text);
    if (process.stderr.isTTY) process.stderr.write(`${COLOURED[level](shown)}\n`);
    else process.stderr.write(stamped(level, about === '' ? shown : shown.replace(/^/gm, `[${about}] `)));
  };
  const told: Platform = {
    input: input ?? ((name) => (process.env[`INPUT_${name.toUpperCase()}`] ?? '').trim()),
    isScheduled,
    wrong,
    advice: ADVICE,
    byHand: hand === undefined ? null : { ...hand, write: stdoutWriter() },
    secret: (text) => secrets.add(text),
    hidden: (text) => secrets.hidden(text),
    info(text) {
      if (!quiet) say('INFO', text);
    },
    result(text) {
      if (silentResult) return;
      draw?.clear();
      process.stdout.write(`${secrets.hidden(text)}\n`);
    },
    live(text, share) {
      if (draw === undefined || quiet) return false;
      draw.draw(secrets.hidden(text), share);
      return true;
    },
    warning: (message) => say('WARN', hand?.worded(message) ?? message),
    error: (message) => say('ERROR', hand?.worded(message) ?? message),
    debug(text) {
      if (process.env.RUNNER_DEBUG === '1') say('DEBUG', text);
    },
    startGroup(title) {
      if (!quiet) say('GROUP', title);
    },
    endGroup: () => {},
    fail(message) {
      process.exitCode = 1;
      told.error(message);
    },
    // The exit status tells; there is no later step.
    output: () => {},
    saveState: (name, value) => void states.set(name, value),
    state: (name) => states.get(name) ?? '',
    async summary(forms) {
      // in a pipe the log has said it all
      const text = process.stderr.isTTY && !quiet ? forms.text() : '';
      if (text !== '') say('INFO', `\n${text}\n`);
    },
  };
  return told;
}

/** As fast as it is taken. On a terminal, which obeys what it shows, nothing that moves or colours is left of it. */
function stdoutWriter(): (bytes: Uint8Array) => Promise<void> {
  const decoder = new StringDecoder('utf8');
  const shown = (bytes: Uint8Array): string => decoder.write(bytes).replace(/(?![\n\t])[\p{Cc}\p{Cf}]/gu, '\uFFFD');
  return (bytes) =>
    new Promise((resolve, reject) => {
      process.stdout.write(process.stdout.isTTY ? shown(bytes) : bytes, (error) => (error ? reject(error) : resolve()));
    });
}

type Level = 'INFO' | 'GROUP' | 'WARN' | 'ERROR' | 'DEBUG';

const style = (format: Parameters<typeof styleText>[0], text: string): string =>
  styleText(format, text, { stream: process.stderr });
const COLOURED: Record<Level, (text: string) => string> = {
  INFO: (text) => text,
  GROUP: (text) => style('bold', text),
  WARN: (text) => `${style('yellow', 'warning:')} ${text}`,
  ERROR: (text) => `${style(['bold', 'red'], 'error:')} ${text}`,
  DEBUG: (text) => style('dim', text),
};

/** For a file, cron's mail or the journal: each line by itself. */
function stamped(level: Level, text: string): string {
  const start = `${new Date().toISOString().slice(0, 19)}Z ${(level === 'GROUP' ? 'INFO' : level).padEnd(5)} `;
  return text
    .split('\n')
    .map((line) => `${start}${line}\n`)
    .join('');
}
