import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Manifest } from '../../src/backups/manifest.js';
import type { Report } from '../../src/reporting/report.js';
import { type ProcessInfo, processesOfUser } from './processes.js';
import { type ActionResult, type RunningAction, runAction, startAction } from './run-action.js';
import { createDatabase } from './sqlite.js';
import { type Sshd, type SshdOptions, startSshd } from './sshd.js';
import { createUser, type TestUser } from './users.js';

type Inputs = Record<string, string>;

/** A production host in small: an sshd, a login user, a live database of its own, and the inputs that fit. */
export interface Scene {
  sshd: Sshd;
  user: TestUser;
  /** The live database. */
  database: string;
  /** Where the backups go. */
  directory: string;
  inputs: Inputs;
  run(inputs?: Inputs, env?: Record<string, string>): Promise<ActionResult>;
  start(inputs?: Inputs): RunningAction;
  /** Names in the backup directory, sorted, without `.work`; empty when there is none. */
  files(): string[];
  manifest(id: string): Manifest;
  /** What is in `.work` apart from the lock's own two files. */
  leftovers(): string[];
  /** Processes of the login user, without those of sshd itself. */
  processes(): ProcessInfo[];
  stop(): Promise<void>;
}

export interface SceneOptions {
  shell?: string;
  mb?: number;
  wal?: boolean;
  sshd?: SshdOptions;
  /** Login user when it is not a new one. */
  user?: TestUser;
}

export async function startScene(options: SceneOptions = {}): Promise<Scene> {
  const [sshd, user] = await Promise.all([
    startSshd(options.sshd),
    options.user ?? createUser(options.shell === undefined ? {} : { shell: options.shell }),
  ]);
  const app = mkdtempSync(join(tmpdir(), 'dbb-app-'));
  chmodSync(app, 0o755);
  const folder = join(app, 'data');
  mkdirSync(folder);
  const database = join(folder, 'app.db');
  await createDatabase(database, { mb: options.mb ?? 1, wal: options.wal ?? true, owner: user.name });
  await own(folder, user);
  const directory = join(user.home, 'db-backups');
  const inputs: Inputs = {
    host: '127.0.0.1',
    port: String(sshd.port),
    username: user.name,
    key: sshd.clientKey,
    'known-hosts': sshd.knownHosts,
    database,
  };
  return {
    sshd,
    user,
    database,
    directory,
    inputs,
    run: (more, env) => runAction({ ...inputs, ...more }, env === undefined ? {} : { env }),
    start: (more) => startAction({ ...inputs, ...more }),
    files: () =>
      existsSync(directory)
        ? readdirSync(directory)
            .filter((name) => name !== '.work')
            .sort()
        : [],
    manifest: (id) => JSON.parse(readFileSync(join(directory, `${id}.json`), 'utf8')) as Manifest,
    leftovers: () => {
      const work = join(directory, '.work');
      return existsSync(work) ? readdirSync(work).filter((name) => !['lock', 'holder'].includes(name)) : [];
    },
    processes: () => processesOfUser(user.uid).filter(({ command }) => !command.startsWith('sshd')),
    async stop() {
      await sshd.stop();
      if (options.user === undefined) await user.remove();
      rmSync(app, { recursive: true, force: true });
    },
  };
}

async function own(path: string, user: TestUser): Promise<void> {
  const { chown } = await import('node:fs/promises');
  await chown(path, user.uid, user.gid);
}

export function reportOf(result: ActionResult): Report {
  return JSON.parse(result.outputs.report ?? '') as Report;
}
