import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { MAX_CHARACTERS } from '../../src/backups/ledger.js';
import { type Answer, mayBeThere, prefixOf } from '../../src/ledger/cache.js';
import { type CacheService, startCacheService } from '../helpers/cache-service.js';

const PREFIX = prefixOf('app', '0123456789ab');
/** Far more than the service needs, and less than the library would take. */
const LIMIT_MS = 20_000;

const repository = fileURLToPath(new URL('../..', import.meta.url));
const node = join(repository, 'node_modules', '.bin', 'node');

let service: CacheService;
let root: string;
let workspace: string;

beforeEach(async () => {
  service = await startCacheService();
  root = mkdtempSync(join(tmpdir(), 'dbb-cache-'));
  workspace = join(root, 'work');
  mkdirSync(workspace);
  mkdirSync(join(root, 'temp'));
});

afterEach(async () => {
  await service.stop();
  rmSync(root, { recursive: true, force: true });
});

type Call = ['read', prefix: string, limitMs: number] | ['save', key: string, text: string, limitMs: number];

const read = (limitMs = LIMIT_MS): Call => ['read', PREFIX, limitMs];
const saving = (key: string, text = 'text', limitMs = LIMIT_MS): Call => ['save', key, text, limitMs];

/** What comes of these calls, one after the other, in a step of a job. Whatever they are, nothing is left in the workspace. */
async function answersTo(calls: Call[], env: Record<string, string> = {}) {
  const given = {
    ...{ PATH: process.env.PATH ?? '', GITHUB_ACTIONS: 'true', GITHUB_WORKSPACE: workspace, RUNNER_DEBUG: '1' },
    ...{ RUNNER_TEMP: join(root, 'temp'), ...service.env, ...env },
  };
  const args = ['--disable-warning=ExperimentalWarning', '--experimental-transform-types'];
  const modules = ['--import', join(repository, 'scripts', 'typescript.mjs')];
  const program = join(repository, '__tests__', 'ledger', 'cache-calls.ts');
  const child = spawn(node, [...args, ...modules, program, JSON.stringify(calls)], {
    env: given,
    cwd: given.GITHUB_WORKSPACE,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const [out, err, told] = await Promise.all([1, 2, 3].map((fd) => text(child.stdio[fd] as Readable)));
  expect(err).toBe('');
  expect(readdirSync(given.GITHUB_WORKSPACE)).toEqual([]);
  const lines = (out ?? '').split('\n').filter((line) => line !== '');
  const masks = lines.filter((line) => line.startsWith('::add-mask::'));
  // what the library says is nowhere in the log of the step, with or without debugging
  expect(lines.filter((line) => !line.startsWith('::add-mask::'))).toEqual([]);
  return { answers: JSON.parse(told ?? '') as Answer[], masks };
}

describe('with the service', () => {
  test('what is saved is read; the newest of a database, and of no other', async () => {
    const other = `${prefixOf('app', 'ba9876543210')}3`;
    const { answers, masks } = await answersTo([
      read(),
      saving(`${PREFIX}1`, 'first'),
      saving(`${PREFIX}2`, 'second'),
      saving(other, 'of another'),
      read(),
    ]);
    expect(answers).toEqual([
      { state: 'missed', text: 'there is no ledger yet' },
      { state: 'done', text: 'first' },
      { state: 'done', text: 'second' },
      { state: 'done', text: 'of another' },
      { state: 'done', text: 'second' },
    ]);
    expect(service.keys()).toEqual([`${PREFIX}1`, `${PREFIX}2`, other]);
    // the signatures of the service are masked
    expect(masks.join()).toContain('secret-signature');
  });

  test('another runner, elsewhere, finds it', async () => {
    await answersTo([saving(`${PREFIX}1`)]);
    const elsewhere = join(root, 'deeper', 'and', 'deeper');
    mkdirSync(elsewhere, { recursive: true });
    const { answers } = await answersTo([read()], { GITHUB_WORKSPACE: elsewhere, RUNNER_TEMP: join(root, 'deeper') });
    expect(answers).toEqual([{ state: 'done', text: 'text' }]);
  });

  test('a key that is taken is not saved again', async () => {
    const { answers } = await answersTo([saving(`${PREFIX}1`, 'first'), saving(`${PREFIX}1`, 'second'), read()]);
    expect(answers).toEqual([
      { state: 'done', text: 'first' },
      { state: 'failed', text: expect.stringContaining('Unable to reserve cache') },
      { state: 'done', text: 'first' },
    ]);
  });

  test('a forged archive writes nothing but the one file that is read', async () => {
    await answersTo([read()]);
    const victim = join(root, 'victim');
    const evil = join(root, 'evil');
    mkdirSync(evil);
    writeFileSync(join(evil, 'a'), 'forged');
    symlinkSync(victim, join(evil, 'link'));
    const archive = (...args: string[]) => {
      const file = join(root, 'archive');
      execFileSync('tar', ['--zstd', '-cPf', file, '-C', evil, ...args]);
      return readFileSync(file);
    };
    const cases: [archive: Buffer, answer: object][] = [
      [archive(`--transform=s,.*,${victim},`, 'a'), { state: 'done', text: 'forged' }],
      [archive('--transform=s,.*,../victim,', 'a'), { state: 'done', text: 'forged' }],
      [archive('link', 'a'), { state: 'done', text: 'forged' }],
    ];
    for (const [at, [bytes]] of cases.entries()) service.forge(`${at}-forged`, bytes);
    const { answers } = await answersTo(cases.map((_, at) => ['read', `${at}-`, LIMIT_MS]));
    expect(answers).toMatchObject(cases.map(([, answer]) => answer));
    expect(existsSync(victim)).toBe(false);
  });

  test('a folder of that name in the workspace, and where it leads, is not written to', async () => {
    await answersTo([saving(`${PREFIX}1`)]);
    const victim = join(root, 'victim');
    mkdirSync(victim);
    symlinkSync(victim, join(workspace, '.db-backup-ledger'));
    const { answers } = await answersTo([read(), saving(`${PREFIX}2`)]);
    expect(answers.map(({ state }) => state)).toEqual(['done', 'done']);
    expect(readdirSync(victim)).toEqual([]);
  });

  test('what is none of ours is told from a service that fails, and nothing is left of it', async () => {
    const evil = join(root, 'evil');
    mkdirSync(join(evil, 'folder'), { recursive: true });
    execFileSync('mkfifo', [join(evil, 'fifo')]);
    symlinkSync('/etc/passwd', join(evil, 'link'));
    writeFileSync(join(evil, 'long'), Buffer.alloc(1_500_000));
    writeFileSync(join(evil, 'secret'), 'forged');
    const archive = (...args: string[]) =>
      execFileSync('tar', ['--zstd', '-c', '-C', evil, ...args], {
        maxBuffer: 1e7,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
    const none = ['fifo', 'folder', 'link', 'long', '--files-from=/dev/null'];
    const archives = [...none.map((name) => archive(name)), archive('--mode=0', 'folder'), Buffer.from('no archive')];
    await answersTo([read()]);
    for (const [at, bytes] of [...archives, archive('--mode=0', 'secret')].entries())
      service.forge(`${at}-forged`, bytes);
    const calls = [...archives.keys()].map((at): Call => ['read', `${at}-`, LIMIT_MS]);
    const { answers } = await answersTo([...calls, ['read', `${archives.length}-`, LIMIT_MS]]);
    const spoilt = { state: 'spoilt', text: 'the saved entry is not a ledger' };
    expect(answers).toEqual([...archives.map(() => spoilt), { state: 'done', text: 'forged' }]);
  });

  test('the longest ledger comes back, and of a longer archive no more is unpacked than twice as much', async () => {
    await answersTo([read()]);
    const packed = (make: string) => {
      execFileSync('sh', ['-c', `${make} >file && tar --zstd -cf archive file && rm file`], { cwd: root });
      return readFileSync(join(root, 'archive'));
    };
    service.forge(`${PREFIX}1`, packed(`head -c ${MAX_CHARACTERS / 2} /dev/urandom | od -An -v -tx1 | tr -d ' \\n'`));
    const { answers } = await answersTo([read()]);
    expect(answers.map(({ state, text: { length } }) => [state, length])).toEqual([['done', MAX_CHARACTERS]]);
    // tells how large the file was when tar had ended; with debugging, the library lists the archive first
    const bin = join(root, 'bin');
    mkdirSync(bin);
    const wrapper = `#!/bin/sh
/usr/bin/tar "$@"
code=$?
case " $* " in *" -xf "*) wc -c <${workspace}/.db-backup-ledger/ledger.json >${root}/unpacked ;; esac
exit $code
`;
    writeFileSync(join(bin, 'tar'), wrapper, { mode: 0o755 });
    service.forge(`${PREFIX}2`, packed('head -c 200000000 /dev/zero'));
    const again = await answersTo([read()], { PATH: `${bin}:${process.env.PATH}`, RUNNER_DEBUG: '' });
    expect(again.answers).toMatchObject([{ state: 'spoilt' }]);
    const unpacked = Number(readFileSync(join(root, 'unpacked'), 'utf8'));
    expect(unpacked).toBeGreaterThan(0);
    expect(unpacked).toBeLessThanOrEqual(2 * MAX_CHARACTERS + 10_240);
  });
});

describe('without', () => {
  const both: Call[] = [read(), saving(`${PREFIX}1`)];

  test('wrong token, nobody there, too many calls: it fails, with the reason', async () => {
    const bad = await answersTo(both, { ACTIONS_RUNTIME_TOKEN: 'another' });
    const nobody = await answersTo(both, { ACTIONS_RESULTS_URL: await freePort() });
    service.behave(429);
    const many = await answersTo(both);
    for (const [{ answers }, reason] of [
      [bad, /401/],
      [nobody, /ECONNREFUSED/],
      [many, /429/],
    ] as const) {
      expect(answers).toMatchObject([{ state: 'failed' }, { state: 'failed' }]);
      expect(answers[0]?.text).toMatch(reason);
    }
  });

  test.each(['silent', 503] as const)('%s: it is given up in time', async (how) => {
    service.behave(how);
    const { answers } = await answersTo([read(500), saving(`${PREFIX}1`, 'text', 500)]);
    const slow = { state: 'failed', text: 'the cache service did not answer within 0.5 s' };
    expect(answers).toEqual([slow, slow]);
  });

  test('GitHub Enterprise Server, whose runners name another service: off', async () => {
    const { answers } = await answersTo(both, { GITHUB_SERVER_URL: 'https://github.example.org' });
    expect(answers).toMatchObject([{ state: 'off' }, { state: 'off' }]);
    expect(service.calls).toEqual([]);
  });

  test('what the runner does not allow is no empty ledger', async () => {
    const { answers } = await answersTo(both, { ACTIONS_CACHE_MODE: 'none' });
    expect(answers).toEqual([
      { state: 'failed', text: expect.stringContaining('Cache restore skipped') },
      { state: 'failed', text: expect.stringContaining('Cache save skipped') },
    ]);
  });

  test('no GNU tar: off', async () => {
    const bin = join(root, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'tar'), '#!/bin/sh\necho "tar (busybox) 1.35"\n', { mode: 0o755 });
    const { answers } = await answersTo(both, { PATH: `${bin}:${process.env.PATH}` });
    expect(answers).toMatchObject([{ state: 'off' }, { state: 'off' }]);
    expect(service.calls).toEqual([]);
  });

  test.each([
    [{}, false],
    [{ ACTIONS_RUNTIME_TOKEN: 't' }, false],
    [{ ACTIONS_RUNTIME_TOKEN: 't', ACTIONS_RESULTS_URL: 'u' }, false],
    [{ ACTIONS_CACHE_SERVICE_V2: 'true', ACTIONS_RESULTS_URL: 'u' }, false],
    [{ ACTIONS_RUNTIME_TOKEN: 't', ACTIONS_CACHE_SERVICE_V2: 'true', ACTIONS_RESULTS_URL: 'u' }, true],
    [{ ACTIONS_RUNTIME_TOKEN: 't', ACTIONS_CACHE_URL: 'u' }, true],
  ])('whether the runner names a service: %j', (env, expected) => {
    expect(mayBeThere(env)).toBe(expected);
  });
});

/** The address of a port that nobody listens on. */
async function freePort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}/`;
}
