import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { madeOnce, pathForAll } from './made-once.js';
import { parseCommandFile } from './runner-commands.js';
import { type Annotation, RunnerLog } from './runner-log.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
/** The Node of `runs.using: node24`. */
const node24 = join(repository, 'node_modules', '.bin', 'node');

export interface ActionOptions {
  /** The folder of action.yml; default: this repository. */
  dir?: string;
  /** Above what the runner sets. Nothing but PATH comes from the environment of the tests. */
  env?: Record<string, string>;
  /** The runner starts post always; here not, by default, where main has saved that it finished: then it ends at once. */
  post?: 'always';
  /** Whose runner it is; default: root's. */
  user?: { uid: number; gid: number };
}

export interface StepResult {
  /** Null when it ended by a signal. */
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface ActionResult extends StepResult {
  /** Of main (as are `code` and `signal`) and of post; post is null where action.yml has none, or it was left out. */
  steps: { main: StepResult; post: StepResult | null };
  /** What later steps see: the last value of each name. */
  outputs: Record<string, string>;
  /** What later jobs see: the runner drops outputs that contain a masked string. */
  jobOutputs: Record<string, string>;
  /** The lines of GITHUB_OUTPUT in the order written, main before post. */
  outputLines: [string, string][];
  /** Outputs set by `::set-output` or `##[set-output` in stdout or stderr; the runner obeys them, so they are in `outputs` too. */
  legacyOutputs: [string, string][];
  state: Record<string, string>;
  summary: string;
  /** Everything on stdout and stderr, as the process wrote it. */
  log: string;
  /** What people see: commands carried out, strings masked from the line on that masked them. */
  visible: string;
  masks: string[];
  annotations: Annotation[];
  /** Why the runner would refuse a command file and fail the step. */
  fileErrors: string[];
}

export interface RunningAction {
  child: ChildProcess;
  /** Resolves when main has ended; never rejects for a bad exit. */
  main: Promise<StepResult>;
  /** To the process of main alone, as the runner does. */
  kill(signal: NodeJS.Signals): void;
  /** Resolves with the first line of the log, old or new, that matches. Rejects when main ends without it. */
  line(pattern: RegExp): Promise<string>;
  /** Waits for main, runs post as the runner does, and removes the temporary folder. Must be called. */
  result(): Promise<ActionResult>;
}

interface ActionMeta {
  inputs?: Record<string, { default?: unknown } | null>;
  runs: { main: string; post?: string };
}

/** A copy of the action, and Node, that other users can read, wherever this repository is; once for all tests. */
export async function actionForAll(): Promise<string> {
  return madeOnce('action', async (folder) => {
    mkdirSync(folder);
    for (const name of ['dist', 'action.yml']) cpSync(join(repository, name), join(folder, name), { recursive: true });
    cpSync(realpathSync(node24), join(folder, 'node'));
    execFileSync('chmod', ['-R', 'a+rX', folder]);
    // each user has a folder of his own in it
    const compiled = pathForAll('compiled');
    mkdirSync(compiled, { recursive: true });
    chmodSync(compiled, 0o1777);
  });
}

/** Runs main and post of the action as the runner does, on Node 24; `inputs` over the defaults of action.yml. */
export async function runAction(inputs: Record<string, string>, options: ActionOptions = {}): Promise<ActionResult> {
  return startAction(inputs, options).result();
}

/** Starts main and returns at once, so that a test can look, send a signal, and then ask for the `result()`. */
export function startAction(inputs: Record<string, string>, options: ActionOptions = {}): RunningAction {
  const dir = options.dir ?? repository;
  const meta = parse(readFileSync(join(dir, 'action.yml'), 'utf8')) as ActionMeta;
  for (const name of Object.keys(inputs)) {
    if (!Object.hasOwn(meta.inputs ?? {}, name)) throw new Error(`action.yml has no input "${name}"`);
  }
  const inputEnv: Record<string, string> = {};
  for (const [name, input] of Object.entries(meta.inputs ?? {})) {
    inputEnv[`INPUT_${name.replaceAll(' ', '_').toUpperCase()}`] = inputs[name] ?? String(input?.default ?? '');
  }

  const root = mkdtempSync(join(tmpdir(), 'dbb-action-'));
  const given = (path: string) => options.user && chownSync(path, options.user.uid, options.user.gid);
  given(root);
  for (const sub of ['temp', 'tool', 'work', 'home', 'files']) {
    mkdirSync(join(root, sub));
    given(join(root, sub));
  }
  const commandFile = (step: string, kind: string) => join(root, 'files', `${step}_${kind}`);
  const log = new RunnerLog();
  const outputLines: [string, string][] = [];
  const state = new Map<string, string>();
  const exported: Record<string, string> = {};
  const fileErrors: string[] = [];
  let summary = '';

  const start = (step: 'main' | 'post', script: string) => {
    const kinds = ['OUTPUT', 'STATE', 'ENV', 'PATH', 'STEP_SUMMARY'];
    for (const kind of kinds) {
      writeFileSync(commandFile(step, kind), '');
      given(commandFile(step, kind));
    }
    const env = {
      ...runnerEnvironment(root),
      ...inputEnv,
      ...exported,
      ...Object.fromEntries([...state].map(([name, value]) => [`STATE_${name}`, value])),
      ...Object.fromEntries(kinds.map((kind) => [`GITHUB_${kind}`, commandFile(step, kind)])),
      ...options.env,
    };
    const child = spawn(options.user ? pathForAll('action/node') : node24, [join(dir, script)], {
      ...options.user,
      env,
      cwd: join(root, 'work'),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    log.attach(child.stdout);
    log.attach(child.stderr);
    const ended = new Promise<StepResult>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        log.flush();
        readCommandFiles(step);
        resolve({ code, signal });
      });
    });
    return { child, ended };
  };

  /** The runner reads the files after every step, however it ended. */
  const readCommandFiles = (step: string) => {
    const read = (kind: string) => {
      const { pairs, error } = parseCommandFile(readFileSync(commandFile(step, kind), 'utf8'));
      if (error !== null) fileErrors.push(`${step} ${kind}: ${error}`);
      return pairs;
    };
    outputLines.push(...read('OUTPUT'));
    for (const [name, value] of log.legacyState) state.set(name, value);
    for (const [name, value] of read('STATE')) state.set(name, value);
    for (const [name, value] of read('ENV')) exported[name] = value;
    summary += readFileSync(commandFile(step, 'STEP_SUMMARY'), 'utf8');
  };

  const { child, ended: main } = start('main', meta.runs.main);
  const finish = async (): Promise<ActionResult> => {
    try {
      const mainResult = await main;
      const isIdle = state.has('finished') && options.post !== 'always';
      const post = meta.runs.post === undefined || isIdle ? null : await start('post', meta.runs.post).ended;
      const outputs = Object.fromEntries([...log.legacyOutputs, ...outputLines]);
      return {
        ...mainResult,
        steps: { main: mainResult, post },
        outputs,
        jobOutputs: Object.fromEntries(Object.entries(outputs).filter(([, value]) => !log.isMasked(value))),
        outputLines,
        legacyOutputs: log.legacyOutputs,
        state: Object.fromEntries(state),
        summary,
        log: log.raw,
        visible: log.visible,
        masks: log.masks,
        annotations: log.annotations,
        fileErrors,
      };
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  };
  let result: Promise<ActionResult> | null = null;
  return {
    child,
    main,
    kill: (signal) => void child.kill(signal),
    line: (pattern) => log.line(pattern, main),
    result() {
      result ??= finish();
      return result;
    },
  };
}

function runnerEnvironment(root: string): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    HOME: join(root, 'home'),
    LANG: 'C.UTF-8',
    // compiled once for all runs of the tests, as each starts the same bundle
    NODE_COMPILE_CACHE: pathForAll('compiled'),
    CI: 'true',
    GITHUB_ACTIONS: 'true',
    GITHUB_ACTION: '__self',
    GITHUB_ACTOR: 'octocat',
    GITHUB_WORKSPACE: join(root, 'work'),
    GITHUB_REPOSITORY: 'owner/repo',
    GITHUB_REF: 'refs/heads/main',
    GITHUB_REF_NAME: 'main',
    GITHUB_SHA: '0123456789abcdef0123456789abcdef01234567',
    GITHUB_RUN_ID: '1',
    GITHUB_RUN_NUMBER: '1',
    GITHUB_RUN_ATTEMPT: '1',
    GITHUB_JOB: 'backup',
    GITHUB_WORKFLOW: 'deploy',
    GITHUB_EVENT_NAME: 'push',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_API_URL: 'https://api.github.com',
    RUNNER_OS: 'Linux',
    RUNNER_ARCH: 'X64',
    RUNNER_NAME: 'runner',
    RUNNER_TEMP: join(root, 'temp'),
    RUNNER_TOOL_CACHE: join(root, 'tool'),
  };
}
