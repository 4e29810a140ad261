import type { Finding } from '../backups/finding.js';
import type { Database } from '../engines/database.js';
import { engineOf, programsOf } from '../engines/lookup.js';
import type { Host } from '../host/host.js';
import { type Facts, type HostProgress, type HostRequest, Session } from '../host/session.js';
import { leftBefore } from '../left.js';
import { formatBytes, formatDuration, formatRate } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { EVERY_MS, Progress } from '../reporting/progress.js';
import type { Problem } from '../reporting/report.js';
import { explain } from './explain.js';
import type { Run } from './run.js';

/** Far more than a real run has; what a hostile host can put into the log must end somewhere. */
const MAX_TOLD = 2_000;
const MAX_NOTES = 50;
const MAX_PHASES = 50;
/** There is no connection to wait for, and the machine may be busy. */
const LOCAL_START_MS = 120_000;

/** The session of one run, with what it says put into the log and the report. */
export interface Connection {
  host: Host;
  hello: Promise<Facts>;
  /** As Session.send; failures are BackupErrors in words. */
  send(...requests: HostRequest[]): Promise<Facts>;
  /** What was reported under a key since the last `send`, also when that has failed. */
  said(key: string): string[];
  /** What people know a file of the host by, where that is not its path. */
  names: Map<string, string>;
  /** The host can not be asked any more. */
  isLost(): boolean;
}

/** Connects, starts the session, hands it to `work`, and ends it on every path. */
export async function connected<T>(run: Run, work: (connection: Connection) => Promise<T>): Promise<T> {
  const { log, report, signal } = run;
  const connecting = performance.now();
  run.left = 'nothing-run';
  const host = await log.group('Connect', () => unlessAborted(signal, connect(run)));
  report.host = host.label;
  return inSession(run, host, (connection) => {
    report.stages.push({ name: 'connect', ms: Math.round(performance.now() - connecting) });
    return work(connection);
  });
}

/** Starts a session, hands it to `work`, and ends it and the connection on every path. `where`: people have to type there what helps. */
export async function inSession<T>(
  run: Run,
  host: Host,
  work: (connection: Connection) => Promise<T>,
  where = 'On the host',
): Promise<T> {
  const { settings, log, signal } = run;
  const phases = new Phases(run);
  const tell = teller(run);
  const names = new Map<string, string>();
  let said: [key: string, text: string][] = [];
  let session: Session | null = null;
  const giveUp = (): void => {
    if (session === null) host.close();
    else session.abort(signal.reason as Error);
  };
  signal.addEventListener('abort', giveUp);
  try {
    run.hostIsClean = false;
    const opening = Session.open(host, {
      engine: programsOf(engineOf(settings.database)),
      idleTimeoutMs: settings.idleTimeoutMs,
      startTimeoutMs: settings.transport.transport === 'ssh' ? settings.transport.connectTimeoutMs : LOCAL_START_MS,
      onProgress: (progress) => phases.progress(progress),
      onPhase: (name, bytes) => phases.start(name, bytes),
      onFact: (key, text) => {
        said.push([key, text]);
        tell(key, text);
      },
    });
    const opened = await unlessAborted(signal, opening);
    session = opened;
    const greeted = (): void => {
      if (run.left === 'nothing-run') run.left = leftBefore(settings);
    };
    void opened.hello.then(greeted, () => {});
    if (signal.aborted) throw signal.reason;
    return await work({
      host,
      hello: opened.hello,
      names,
      isLost: () => opened.isOver,
      said: (key) => said.filter(([other]) => other === key).map(([, text]) => text),
      send: async (...requests) => {
        said = [];
        try {
          const facts = await opened.send(...requests);
          phases.end();
          return facts;
        } catch (error) {
          phases.stop();
          throw await explain(error, opened.hello, { names, where }, run);
        }
      },
    });
  } finally {
    signal.removeEventListener('abort', giveUp);
    if (session !== null) {
      if (session.noise !== '') {
        log.warning(
          `the login scripts of ${host.label} print text in sessions without a terminal; this action ignores it, but other tools may not: ${quoteOutside(session.noise, 200)}`,
        );
      }
      run.hostIsClean = await session.close();
      if (!run.hostIsClean) log.info(`${host.label} did not confirm that it has cleaned up; the post step checks`);
    } else host.close();
  }
}

/** As `work`, but rejects as soon as the run is to end, also where the network does not answer. */
function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason);
    if (signal.aborted) giveUp();
    signal.addEventListener('abort', giveUp);
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
  });
}

async function connect(run: Run): Promise<Host> {
  const { transport } = run.settings;
  // Loaded when used: ssh2 costs a quarter of the start-up time.
  if (transport.transport === 'local') {
    const { localHost } = await import('../host/local.js');
    return localHost();
  }
  const { connectSsh } = await import('../host/ssh.js');
  run.log.info(
    `connecting to ${transport.username}@${transport.host}:${transport.port}${transport.jump === null ? '' : ` through ${transport.jump.host}:${transport.jump.port}`}`,
  );
  return connectSsh(transport, (message) => warn(run, message), run.signal);
}

export const warn = (run: Run, message: string): void => tellProblem(run, { level: 'warning', message });

/** What `health` fails for, when it is an error, is a warning everywhere else: the command itself did what it was asked for. `fails`: unless it fails for it, too. */
export function tellFinding(
  run: Run,
  { level, code, message, todo }: Finding,
  fails = run.settings.command === 'health',
): void {
  tellProblem(run, { level: fails ? level : 'warning', code, message, ...(todo === '' ? {} : { todo }) });
}

/** Into the report, and as an annotation with its code and what to do. */
export function tellProblem({ report, log }: Run, problem: Problem): void {
  const { level, code, message, todo } = problem;
  report.problems.push(problem);
  log[level](`${code === undefined ? '' : `${code}: `}${message}${todo === undefined ? '' : `. ${todo}`}`);
}

/** What is so, and is nobody's fault: no annotation, and the run stays as good as it is. */
export function note(run: Run, message: string): void {
  run.report.notes.push(message);
  run.log.info(`note: ${message}`);
}

/** What the program on the host says on the way. */
function teller(run: Run): (key: string, text: string) => void {
  let told = 0;
  const noted = new Set<string>();
  const lines: Record<string, (said: string) => string> = {
    waiting: (said) => `waiting for the lock, which another run holds: ${said}`,
    swept: (said) => `removed what an earlier run left behind: ${said}`,
    user: (said) => `logged in as ${said}`,
    missing: (said) => `${said} does not exist`,
    deleted: (said) => `deleted ${said}`,
    published: (said) => `published ${said}`,
    running: (said) => `running ${said}`,
    // by commands of the user
    said: (said) => `  ${said}`,
    before_said: (said) => `  ${said}`,
    after_said: (said) => `  ${said}`,
    left_said: (said) => `  ${said}`,
  };
  return (key, text) => {
    const line = Object.hasOwn(lines, key) ? lines[key] : undefined;
    if (line === undefined && key !== 'note' && key !== 'aside') return;
    told++;
    const said = quoteOutside(text, 500);
    if (line === undefined) {
      // what two steps have found is one finding
      if (told <= MAX_NOTES && !noted.has(said)) (key === 'note' ? warn : note)(run, said);
      noted.add(said);
    } else if (told <= MAX_TOLD) run.log.info(line(said));
  };
}

/** The stage that ends the making of a backup; what comes after it is its proof by restore. */
export const READ_BACK = 'read back';

const TITLES: Record<string, string> = {
  copy: 'copy',
  dump: 'dump',
  count: 'row counts',
  check: 'content check',
  compress: 'compress and hash',
  read_back: READ_BACK,
  checksum: 'checksum',
  unpack: 'unpack',
  decrypt: 'decrypt',
  restore: 'restore',
  load: 'load',
  swap: 'swap',
};

/** The stages on the host: their times for the report, their progress for the log. */
class Phases {
  private count = 0;
  private current: { name: string; started: number; bytes: number; progress: Progress } | null = null;

  private printed = Number.NEGATIVE_INFINITY;

  constructor(private readonly run: Run) {}

  start(name: string, expectedBytes: number): void {
    this.end();
    if (++this.count > MAX_PHASES) return;
    const title = Object.hasOwn(TITLES, name) ? (TITLES[name] ?? name) : name.slice(0, 40);
    this.current = {
      name: title,
      started: performance.now(),
      bytes: expectedBytes,
      progress: new Progress(this.run.log, title, expectedBytes > 0 ? expectedBytes : null),
    };
  }

  progress({ copied, packed, read }: HostProgress): void {
    const phase = this.current;
    const now = performance.now();
    if (phase === null) return;
    const bytes = phase.name === TITLES.copy ? copied : phase.name === READ_BACK ? read : packed || copied || read;
    // one line each 10 s, also across phases
    if (phase.progress.update(bytes, now - this.printed >= EVERY_MS)) this.printed = now;
  }

  /** It did not come to its end, so that there is no time and rate of the whole to tell. */
  stop(): void {
    const phase = this.current;
    this.current = null;
    if (phase !== null) {
      this.run.log.info(`${phase.name}: stopped after ${formatDuration(performance.now() - phase.started)}`);
    }
  }

  end(): void {
    const phase = this.current;
    if (phase === null) return;
    this.current = null;
    const ms = Math.round(performance.now() - phase.started);
    this.run.report.stages.push({ name: phase.name, ms, bytes: phase.bytes });
    const size = phase.bytes === 0 ? '' : `${formatBytes(phase.bytes)} in `;
    const rate = phase.bytes === 0 ? '' : ` (${formatRate(phase.bytes, ms)})`;
    this.run.log.info(`${phase.name}: ${size}${formatDuration(ms)}${rate}`);
  }
}

/**
 * The host by its own name, as manifests keep it. Where nobody logs in to one, and the database is on a server elsewhere, it is that server: each
 * job may run on another machine.
 */
export function hostOf(run: Run, hello: Facts): string {
  return directServer(run, run.database) ?? hello.get('hostname') ?? run.report.host;
}

/** The server of a database on another machine, where nobody logs in to a host: what is left on this machine may go with the job. */
export function directServer({ settings }: Run, { server }: Database): string | undefined {
  return settings.transport.transport === 'local' && settings.container === null ? server : undefined;
}
