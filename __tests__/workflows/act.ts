import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CALLED, repository, textOf } from './workflow-files.js';

type Texts = Record<string, string>;

export interface Run {
  example: string;
  /** What the reader of the example would change: each text on the left is there. */
  changes: Texts;
  event?: 'push' | 'workflow_dispatch' | 'schedule';
  /** What is typed into the form. */
  inputs?: Texts;
  vars: Texts;
  secrets: Texts;
  /** Scripts in the caller's repository, by name. */
  scripts?: Texts;
}

export interface Ran {
  code: number | null;
  log: string;
  /** The commit of the caller's repository. */
  sha: string;
}

/**
 * Two of our texts are newer than act 0.2.89. `$/` is the repository of the file itself: act gets that repository under the name by which the
 * examples call it. `queue` only matters when several runs wait.
 */
const NEWER_THAN_ACT: Texts = {
  'uses: $/\n': 'uses: org/db-backup-action@v1\n',
  '      queue: max\n': '',
};

/** The runner gets every action of a job before its first step, also one whose step is skipped; here there is none to get it from. */
const NEVER_RUN = 'name: aws\nruns: { using: composite, steps: [{ run: exit 1, shell: sh }] }\n';

function awsAction(): string {
  const pinned = /aws-actions\/configure-aws-credentials@[0-9a-f]{40}/.exec(textOf('.github/workflows/backup.yml'));
  if (pinned === null) throw new Error('backup.yml has no step for AWS');
  return pinned[0];
}

/** Runs an example as GitHub would, on this machine and without containers, with the workflows, action.yml and dist of this repository. */
export async function runExample(act: string, run: Run): Promise<Ran> {
  const folder = mkdtempSync(join(tmpdir(), 'dbb-act-'));
  try {
    const ours = join(folder, 'db-backup-action');
    mkdirSync(join(ours, '.github/workflows'), { recursive: true });
    cpSync(join(repository, 'action.yml'), join(ours, 'action.yml'));
    cpSync(join(repository, 'dist'), join(ours, 'dist'), { recursive: true });
    for (const name of CALLED) {
      const file = `.github/workflows/${name}.yml`;
      writeFileSync(join(ours, file), changed(file, NEWER_THAN_ACT));
    }
    const aws = join(folder, 'aws');
    mkdirSync(aws);
    writeFileSync(join(aws, 'action.yml'), NEVER_RUN);
    const { caller, sha } = callersRepository(folder, run);
    const file = (name: string, content: unknown) => {
      writeFileSync(join(folder, name), JSON.stringify(content), { mode: 0o600 });
      return join(folder, name);
    };
    const ran = await start(act, folder, [
      ...[run.event ?? 'push', '-C', caller, '-W', `.github/workflows/${run.example}`],
      ...['-P', 'ubuntu-latest=-self-hosted', '--container-daemon-socket', '-', '--no-cache-server'],
      ...['--local-repository', `org/db-backup-action@v1=${ours}`],
      ...['--local-repository', `${awsAction()}=${aws}`],
      ...['--eventpath', file('event.json', { inputs: run.inputs ?? {} })],
      // JSON is YAML, and a file of YAML takes values of several lines.
      ...['--var-file', file('vars.yml', run.vars), '--secret-file', file('secrets.yml', run.secrets)],
    ]);
    return { ...ran, sha };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function callersRepository(folder: string, run: Run): { caller: string; sha: string } {
  const caller = join(folder, 'caller');
  mkdirSync(join(caller, '.github/workflows'), { recursive: true });
  writeFileSync(join(caller, '.github/workflows', run.example), changed(`examples/${run.example}`, run.changes));
  for (const [name, text] of Object.entries(run.scripts ?? {})) {
    writeFileSync(join(caller, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@example.com', '-C', caller, ...args], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: folder, GIT_CONFIG_NOSYSTEM: '1' },
    }).trim();
  git('init', '-q', '-b', 'main');
  git('remote', 'add', 'origin', 'https://github.com/org/app.git');
  git('add', '.');
  git('commit', '-q', '-m', 'app');
  return { caller, sha: git('rev-parse', 'HEAD') };
}

/** The text of a file of this repository with these changes; throws when one does not fit, so that no change is silently none. */
function changed(file: string, changes: Texts): string {
  return Object.entries(changes).reduce((text, [from, to]) => {
    const parts = text.split(from);
    if (parts.length < 2) throw new Error(`${file} has no ${JSON.stringify(from)}`);
    return parts.join(to);
  }, textOf(file));
}

function start(act: string, folder: string, args: string[]): Promise<{ code: number | null; log: string }> {
  const home = join(folder, 'home');
  if (!existsSync(home)) mkdirSync(home);
  const env = {
    // The Node of `runs.using: node24` first.
    PATH: `${join(repository, 'node_modules/.bin')}:${process.env.PATH}`,
    HOME: home,
    XDG_CACHE_HOME: join(folder, 'cache'),
    XDG_CONFIG_HOME: join(folder, 'config'),
  };
  return new Promise((resolve, reject) => {
    const child = spawn(act, args, { env, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        log += text;
      });
    }
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, log }));
  });
}
