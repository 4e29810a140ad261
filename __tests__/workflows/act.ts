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

/** The commit that the examples pin: act gets this repository under that name. */
const OURS = /\borg\/db-backup-action@[0-9a-f]{40}/.exec(textOf('examples/drill.yml'))?.[0];
if (OURS === undefined) throw new Error('examples/drill.yml does not pin our action');

/**
 * What is newer than act 0.2.89. `$/` is the repository of the file itself. `queue` only matters when several runs wait, `deployment` and
 * `timezone` only on GitHub; a step in the background runs in its turn here, and there is nothing to wait for.
 */
const NEWER_THAN_ACT: [RegExp, string][] = [
  [/uses: \$\/step$/gm, `uses: ${OURS.replace('@', '/step@')}`],
  [/^ *(?:queue: max|deployment: false|timezone: |background: true).*\n/gm, ''],
  [/^( *)wait: \w+$/gm, '$1run: "true"'],
];

function forAct(text: string): string {
  return NEWER_THAN_ACT.reduce((rest, [newer, older]) => rest.replace(newer, older), text);
}

/** The runner gets every action of a job before its first step, also one whose step is skipped; here there is none to get it from. */
const NEVER_RUN = 'name: aws\nruns: { using: composite, steps: [{ run: exit 1, shell: sh }] }\n';

function awsAction(): string {
  const pinned = /aws-actions\/configure-aws-credentials@[0-9a-f]{40}/.exec(textOf('.github/workflows/backup.yml'));
  if (pinned === null) throw new Error('backup.yml has no step for AWS');
  return pinned[0];
}

/** Runs an example as GitHub would, on this machine and without containers, with the workflows, action.yml and dist of this repository. */
export async function runExample(act: string, run: Run): Promise<Ran> {
  const { example, changes } = run;
  return runWorkflow(act, { ...run, files: { [example]: changed(`examples/${example}`, changes) }, options: [] });
}

/** Runs a job of ci.yml, and those that it needs, in the same way. */
export async function runJobOfCi(act: string, job: string, changes: Texts): Promise<Ran> {
  const files = Object.fromEntries(CALLED.map((name) => [`${name}.yml`, textOf(`.github/workflows/${name}.yml`)]));
  files['ci.yml'] = changed('.github/workflows/ci.yml', changes);
  return runWorkflow(act, { example: 'ci.yml', files, options: ['-j', job], vars: {}, secrets: {} });
}

interface WorkflowRun extends Omit<Run, 'changes'> {
  /** The workflows of the caller, by name. */
  files: Texts;
  /** More options of act. */
  options: string[];
}

async function runWorkflow(act: string, run: WorkflowRun): Promise<Ran> {
  const folder = mkdtempSync(join(tmpdir(), 'dbb-act-'));
  try {
    const ours = ourRepository(folder);
    const aws = join(folder, 'aws');
    mkdirSync(aws);
    writeFileSync(join(aws, 'action.yml'), NEVER_RUN);
    const { caller, sha } = callersRepository(folder, run);
    const file = (name: string, content: unknown) => {
      writeFileSync(join(folder, name), JSON.stringify(content), { mode: 0o600 });
      return join(folder, name);
    };
    const ran = await start(act, folder, [
      ...[run.event ?? 'push', '-C', caller, '-W', `.github/workflows/${run.example}`, ...run.options],
      ...['-P', 'ubuntu-latest=-self-hosted', '--container-daemon-socket', '-', '--no-cache-server'],
      ...['--local-repository', `${OURS}=${ours}`],
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

/** What the runner fetches of this repository, and the called workflows as act knows them. */
function ourRepository(folder: string): string {
  const ours = join(folder, 'db-backup-action');
  mkdirSync(join(ours, '.github/workflows'), { recursive: true });
  for (const name of ['action.yml', 'step', 'dist']) {
    cpSync(join(repository, name), join(ours, name), { recursive: true });
  }
  for (const name of CALLED) {
    const file = `.github/workflows/${name}.yml`;
    writeFileSync(join(ours, file), forAct(textOf(file)));
  }
  return ours;
}

function callersRepository(folder: string, run: WorkflowRun): { caller: string; sha: string } {
  const caller = join(folder, 'caller');
  mkdirSync(join(caller, '.github/workflows'), { recursive: true });
  for (const [name, text] of Object.entries(run.files)) {
    writeFileSync(join(caller, '.github/workflows', name), forAct(text));
  }
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
