import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type EncryptionKeys, makeKeys, PASSPHRASE } from '../helpers/encryption-keys.js';
import { failedWith, told } from '../helpers/invariants.js';
import { backupsIn, nothingLeft, sqlite3, stateOf, succeeded, until } from '../helpers/outcome.js';
import type { ProcessInfo } from '../helpers/processes.js';
import { listProcesses } from '../helpers/processes.js';
import type { ActionResult, RunningAction } from '../helpers/run-action.js';
import { sample } from '../helpers/sample.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { type SlowTools, slowTools } from '../helpers/slow-tools.js';
import { temporaryPathsOf } from '../helpers/users.js';

// Every process of a run that encrypts or decrypts is killed in the middle of its work: no backup that is none, nothing in clear left.

type Inputs = Record<string, string>;

/** Bytes of random data in the database, which no compression makes smaller. */
const BYTES = 40_000_000; // of which the stages together keep a good part

let keys: EncryptionKeys;
let slow: SlowTools;
let scene: Scene;
beforeAll(async () => {
  keys = makeKeys();
  slow = slowTools(['wc', 'sha256sum', 'age', 'gpg']);
  scene = await startScene({
    transport: 'local',
    mb: 0.1,
    wal: false,
    post: 'always',
    path: slow.config.replace('SetEnv PATH=', ''),
  });
  sqlite3(scene.database, 'CREATE TABLE big (b)', `INSERT INTO big VALUES (randomblob(${BYTES}))`);
});
afterEach(() => slow.fast());
afterAll(async () => {
  keys?.remove();
  await scene?.stop();
  slow?.remove();
});

const HOWS = ['age', 'gpg', 'passphrase'] as const;
type How = (typeof HOWS)[number];
const encrypt = (how: How): Inputs =>
  how === 'passphrase'
    ? { encrypt: 'gpg', 'encryption-passphrase': PASSPHRASE }
    : { encrypt: how, 'encryption-recipients': keys[how].recipient };
const decrypt = (how: How): Inputs =>
  how === 'passphrase' ? { 'decryption-passphrase': PASSPHRASE } : { 'decryption-key': keys[how].identity };
const toolOf = (how: How): string => (how === 'age' ? 'age' : 'gpg');

/** The bytes of the payload that is being written. */
function written(): number {
  const work = join(scene.directory, '.work');
  if (!existsSync(work)) return 0;
  const sizes = readdirSync(work).map(
    (name) => statSync(join(work, name, 'payload'), { throwIfNoEntry: false })?.size ?? 0,
  );
  return Math.max(0, ...sizes);
}

const running = (command: RegExp): ProcessInfo[] => scene.processes().filter((one) => command.test(one.command));

/** The shells of a run, from the one that reads the requests to the one that is the parent of this process. */
function shellsAbove(pid: number): ProcessInfo[] {
  const all = listProcesses();
  const above = (of: number): ProcessInfo[] => {
    const one = all.find((each) => each.pid === of);
    return one === undefined || !/\bsh\b/.test(one.command.split(' ')[0] ?? '') ? [] : [...above(one.ppid), one];
  };
  return above(all.find((each) => each.pid === pid)?.ppid ?? 0);
}

/** Every trace of a run on the host. */
async function noTrace(): Promise<void> {
  await nothingLeft(scene);
  expect(temporaryPathsOf(scene.user.uid)).toEqual([]);
}

function kill(one: ProcessInfo | undefined, signal: NodeJS.Signals): void {
  if (one === undefined)
    throw new Error(
      `it does not run: ${scene
        .processes()
        .map(({ command }) => command)
        .join('\n')}`,
    );
  process.kill(one.pid, signal);
}

/** A backup whose stages are all in the middle of the data. */
async function inTheMiddle(inputs: Inputs): Promise<RunningAction> {
  slow.throttle('wc', 3_000_000); // seconds until the source has read all, however busy the machine is
  const action = scene.start(inputs);
  await until(() => written() > 2_000_000);
  return action;
}

const SIGNALS = ['SIGKILL', 'SIGTERM'] as const;
const STAGES: [stage: string, command: (how: How) => RegExp][] = [
  ['the encrypting tool', (how) => new RegExp(`^${toolOf(how)} `)],
  ['the shell above it', (how) => new RegExp(`^${toolOf(how)} `)],
  ['tee', () => /^tee .*packed_hash/],
  ['the compressor', () => /^zstd -q -c/],
  ['the writer', () => /^cat$/],
  ['sha256sum', () => /^sha256sum/],
  ['wc', () => /\/wc -c/],
  ['the source', () => /^cat copy.db/],
  ['the comparison', () => /^cmp /],
];
const KILLS = SIGNALS.flatMap((signal) =>
  HOWS.flatMap((how) =>
    STAGES.filter(([stage]) => how !== 'passphrase' || stage !== 'the comparison').map(
      ([stage, command]): [stage: string, how: How, signal: NodeJS.Signals, command: RegExp] => [
        stage,
        how,
        signal,
        command(how),
      ],
    ),
  ),
);

describe('a stage of a backup', () => {
  test.each(sample(KILLS, 8))('%s, encrypted by %s, %s', async (stage, how, signal, command) => {
    const live = stateOf(scene.database);
    const before = backupsIn(scene.directory);
    const action = await inTheMiddle(encrypt(how));
    const [one] = running(command);
    kill(stage === 'the shell above it' ? shellsAbove(one?.pid ?? 0).at(-1) : one, signal);
    const result = await action.result();
    expect({ ...told(result), message: messageOf(result) }).toEqual({
      ...failedWith('E_DUMP_FAILED'),
      message: expect.stringMatching(/exit status/),
    });
    expect(backupsIn(scene.directory)).toEqual(before);
    expect(stateOf(scene.database)).toEqual(live);
    await noTrace();
  });
});

const messageOf = (result: ActionResult): string => reportOf(result).error?.message ?? '';

describe('a whole run', () => {
  const ENDS: [what: string, code: string, end: (action: RunningAction, shells: ProcessInfo[]) => void][] = [
    ["the session's shell", 'E_REMOTE_LOST', (_, shells) => kill(shells[0], 'SIGKILL')],
    ["the job's shell", 'E_REMOTE_LOST', (_, shells) => kill(shells[1], 'SIGKILL')],
    ['the runner', '', (action) => action.kill('SIGKILL')],
    ['cancelled', 'E_CANCELLED', (action) => action.kill('SIGINT')],
  ];
  test.each(
    sample(
      HOWS.flatMap((how) => ENDS.map((end): [string, How, ...typeof end] => [end[0], how, ...end])),
      6,
    ),
  )('%s, encrypted by %s', async (_name, how, _what, code, end) => {
    const before = backupsIn(scene.directory);
    const action = await inTheMiddle(encrypt(how));
    end(action, shellsAbove(running(new RegExp(`^${toolOf(how)} `))[0]?.pid ?? 0));
    const result = await action.result();
    if (code === '') expect(result.signal).toBe('SIGKILL');
    else expect(told(result)).toEqual(failedWith(code));
    expect(backupsIn(scene.directory)).toEqual(before);
    await noTrace();
  });
});

test('everything at once, also the shell that cleans up: the next run leaves no trace of it', async () => {
  const before = backupsIn(scene.directory);
  const action = await inTheMiddle(encrypt('gpg'));
  expect(temporaryPathsOf(scene.user.uid)).toHaveLength(1);
  // by one call: those that live on would clean up
  spawnSync('kill', ['-KILL', ...scene.processes().map(({ pid }) => String(pid))]);
  expect(told(await action.result())).toEqual(failedWith('E_REMOTE_LOST'));
  slow.fast();
  const id = succeeded(await scene.run());
  expect(backupsIn(scene.directory)).toMatchObject(before);
  expect(scene.manifest(id).encryption).toBe('none');
  await noTrace();
});

describe('while it is decrypted', () => {
  const ids = new Map<How, string>();
  beforeAll(async () => {
    for (const how of HOWS) ids.set(how, succeeded(await scene.run(encrypt(how))));
  });

  /** The tool, behind what makes it slow, and perhaps what unpacks what comes out of it. */
  const tool = (how: How) => running(new RegExp(`perl .*/${toolOf(how)} .*(-d|--decrypt)`))[0];
  const unpacking = () => running(/^zstd -q -d/)[0];

  const PASSES = ['before anything is used', 'while it is used'] as const;
  const COMMANDS: Record<string, Inputs> = {
    verify: { command: 'verify', verify: 'content' },
    restore: { command: 'restore', confirm: 'app.db', 'safety-backup': 'false' },
  };
  const VICTIMS: Record<string, (how: How) => ProcessInfo | undefined> = {
    'the tool': tool,
    'the shell above it': (how) => shellsAbove(tool(how)?.pid ?? 0).at(-1),
    'the shell of the session': (how) => shellsAbove(tool(how)?.pid ?? 0)[0],
  };
  const CASES = PASSES.flatMap((pass) =>
    Object.keys(COMMANDS).flatMap((command) =>
      Object.keys(VICTIMS).flatMap((victim) => HOWS.map((how) => ({ command, victim, how, pass }))),
    ),
  );

  test.each(sample(CASES, 7))('$command: $victim is killed, of $how, $pass', async ({ command, victim, how, pass }) => {
    const live = stateOf(scene.database);
    const before = backupsIn(scene.directory);
    slow.throttle(toolOf(how), 15_000_000);
    const action = scene.start({ ...COMMANDS[command], ...decrypt(how), backup: ids.get(how) ?? '' });
    const isUsed = () => pass === 'before anything is used' || unpacking() !== undefined;
    await until(() => tool(how) !== undefined && isUsed());
    await sleep(200);
    kill(VICTIMS[victim]?.(how), 'SIGKILL');
    const result = await action.result();
    expect({ ...told(result), message: messageOf(result) }).toEqual({
      ...failedWith('E_REMOTE_LOST'),
      message: expect.stringMatching(
        victim === 'the shell of the session' ? /before (?:it|the program) finished/ : /was killed \(status 137\)/,
      ),
    });
    // that it was killed says nothing against the backup
    expect(backupsIn(scene.directory)).toEqual(before);
    expect(stateOf(scene.database)).toEqual(live);
    await noTrace();
  });
});
