import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Manifest } from '../../src/backups/manifest.js';
import type { Report } from '../../src/reporting/report.js';
import { type ProcessInfo, processesOfUser } from './processes.js';
import {
  type ActionOptions,
  type ActionResult,
  actionForAll,
  type RunningAction,
  runAction,
  startAction,
} from './run-action.js';
import { createDatabase } from './sqlite.js';
import { type Sshd, type SshdOptions, startSshd } from './sshd.js';
import { createUser, type TestUser } from './users.js';

type Inputs = Record<string, string>;

/** A production host in small: a login user, a live database of its own, and the inputs that fit. */
export interface Scene {
  /** Fails where the scene has none. */
  sshd: Sshd;
  user: TestUser;
  /** The live database. */
  database: string;
  /** Where the backups go. */
  directory: string;
  inputs: Inputs;
  run(inputs?: Inputs, env?: Record<string, string>): Promise<ActionResult>;
  start(inputs?: Inputs): RunningAction;
  /** Names in the backup directory, sorted, without `.work` and the history; empty when there is none. */
  files(): string[];
  manifest(id: string): Manifest;
  /** What is in `.work` apart from the lock's own two files. */
  leftovers(): string[];
  /** Processes of the login user, without those of sshd itself. */
  processes(): ProcessInfo[];
  stop(): Promise<void>;
}

export interface SceneOptions {
  /** `local`: the runner is the host, and the login user's own, which takes half of the time; no sshd is started. Default: ssh. */
  transport?: 'ssh' | 'local';
  shell?: string;
  /** Of a scene without sshd. */
  path?: string;
  /** As of ActionOptions. */
  post?: 'always';
  mb?: number;
  wal?: boolean;
  sshd?: SshdOptions;
  /** Login user when it is not a new one. */
  user?: TestUser;
}

export async function startScene(options: SceneOptions = {}): Promise<Scene> {
  const isLocal = options.transport === 'local';
  const [sshd, user, dir] = await Promise.all([
    isLocal ? null : startSshd(options.sshd),
    options.user ?? createUser(options.shell === undefined ? {} : { shell: options.shell }),
    isLocal ? actionForAll() : undefined,
  ]);
  const app = mkdtempSync(join(tmpdir(), 'dbb-app-'));
  chmodSync(app, 0o755);
  const folder = join(app, 'data');
  mkdirSync(folder);
  const database = join(folder, 'app.db');
  await createDatabase(database, { mb: options.mb ?? 1, wal: options.wal ?? true, owner: user.name });
  await own(folder, user);
  const directory = join(user.home, 'db-backups');
  const reached: Inputs =
    sshd === null
      ? { transport: 'local', directory }
      : {
          host: '127.0.0.1',
          port: String(sshd.port),
          username: user.name,
          key: sshd.clientKey,
          'known-hosts': sshd.knownHosts,
        };
  const inputs: Inputs = { ...reached, database };
  const post = options.post === undefined ? {} : { post: options.post };
  const action = (env: Record<string, string> = {}): ActionOptions =>
    dir === undefined ? { ...post, env } : { ...post, dir, user, env: { ...environment, ...env } };
  // as a login has it
  const environment = { HOME: user.home, PATH: options.path ?? '/usr/local/bin:/usr/bin:/bin' };
  return {
    get sshd() {
      if (sshd === null) throw new Error('this scene has no sshd');
      return sshd;
    },
    user,
    database,
    directory,
    inputs,
    run: (more, env) => runAction({ ...inputs, ...more }, action(env)),
    start: (more) => startAction({ ...inputs, ...more }, action()),
    files: () =>
      existsSync(directory)
        ? readdirSync(directory)
            .filter((name) => name !== '.work' && name !== 'history.jsonl')
            .sort()
        : [],
    manifest: (id) => JSON.parse(readFileSync(join(directory, `${id}.json`), 'utf8')) as Manifest,
    leftovers: () => {
      const work = join(directory, '.work');
      return existsSync(work) ? readdirSync(work).filter((name) => !['lock', 'holder'].includes(name)) : [];
    },
    processes: () => processesOfUser(user.uid).filter(({ command }) => !/^sshd|\/dist\/(index|post)\.js/.test(command)),
    async stop() {
      await sshd?.stop();
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
