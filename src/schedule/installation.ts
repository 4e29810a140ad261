import type { Calendar } from './calendar.js';

/** What can run by itself. */
export const JOBS = ['backup', 'verify', 'health'] as const;
export type Job = (typeof JOBS)[number];

export const SYSTEMS = ['systemd', 'cron', 'task-scheduler'] as const;
export type System = (typeof SYSTEMS)[number];

export interface Account {
  name: string;
  uid: number;
  home: string;
}

/** What is to be installed for one configuration. */
export interface Installation {
  /** Of the units, the block or the tasks; as names of backups are. */
  name: string;
  jobs: ReadonlyMap<Job, Calendar>;
  /** Who runs them. */
  account: Account;
  node: string;
  cli: string;
  config: string;
  needs: Needs;
}

/** What the runs of a configuration need of the machine. Paths are absolute. */
export interface Needs {
  /** Folders that they write to. */
  folders: readonly string[];
  /** Files that they read, besides the configuration. */
  files: readonly string[];
  /** Names of credentials of systemd. */
  credentials: readonly string[];
  /** Variables that secrets are expected in. */
  variables: readonly string[];
  /** They start what is not ours and may need rights of its own: sudo, the tool of a container, commands of the user. */
  startsOthers: boolean;
}

/** What is written somewhere. `where`: a path, or what it is. */
export interface Piece {
  where: string;
  text: string;
}

/** The command of a job, word by word. */
export const commandOf = (
  { node, cli, config }: Pick<Installation, 'node' | 'cli' | 'config'>,
  job: Job,
  ...more: string[]
): string[] => [node, cli, job, '--scheduled', '--config', config, ...more];
