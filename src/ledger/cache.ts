import { AsyncLocalStorage } from 'node:async_hooks';
import { execFile } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MAX_CHARACTERS } from '../backups/ledger.js';
import { quoteOutside } from '../reporting/neutralise.js';

// GitHub's cache of a repository. Nothing here rejects, and nothing takes longer than it is given.

export interface Answer {
  /**
   * `missed`: there is no entry that this run may see; `spoilt`: there is one that is none of ours; `off`: there is no service; `failed`:
   * it did not answer well, or in time.
   */
  state: 'done' | 'missed' | 'spoilt' | 'off' | 'failed';
  /** What was read, or why nothing was done. */
  text: string;
}

/**
 * The service counts an entry as another one when the path in it is spelt otherwise, so this one is relative: RUNNER_TEMP is another
 * path on each self-hosted runner, and in a container. It is in the workspace for as long as the library works.
 */
const FOLDER = '.db-backup-ledger';
const FILE = `${FOLDER}/ledger.json`;

const PREFIX = 'db-backup-ledger-v1';

/** What the keys of a database begin with. `hash`: of all that tells it from every other one; without it, `app` would also find `app-2`. */
export const prefixOf = (name: string, hash: string): string => `${PREFIX}-${name}-${hash}-`;

/** Whether the runner has told where the service is; without that the library is not even loaded. */
export function mayBeThere(env: NodeJS.ProcessEnv): boolean {
  const isV2 = Boolean(env.ACTIONS_CACHE_SERVICE_V2 && env.ACTIONS_RESULTS_URL);
  return Boolean(env.ACTIONS_RUNTIME_TOKEN) && (isV2 || Boolean(env.ACTIONS_CACHE_URL));
}

/** The newest entry whose key begins so. */
export function readNewest(prefix: string, limitMs: number): Promise<Answer> {
  const answer = async (): Promise<Answer> => {
    const cache = await service();
    if (cache === null) return OFF;
    clear();
    mkdirSync(folder());
    // a key that never exists: only by its beginning can one be found, and that gives the newest
    const options = { segmentTimeoutInMs: limitMs };
    const { value, said } = await muffled(() => cache.restoreCache([FILE], `${prefix}none`, [prefix], options));
    const text = value === undefined ? null : readFileOf(join(workspace(), FILE));
    if (text !== null) return { state: 'done', text };
    if (value !== undefined || TAR_FAILED.test(said))
      return { state: 'spoilt', text: 'the saved entry is not a ledger' };
    return said === '' ? { state: 'missed', text: 'there is no ledger yet' } : { state: 'failed', text: said };
  };
  return within(limitMs, answer());
}

/** Saves a text under a key that was never used before. */
export function save(key: string, text: string, limitMs: number): Promise<Answer> {
  const answer = async (): Promise<Answer> => {
    const cache = await service();
    if (cache === null) return OFF;
    clear();
    mkdirSync(folder());
    writeFileSync(join(workspace(), FILE), text);
    const { value, said } = await muffled(() => cache.saveCache([FILE], key));
    return value === -1 ? { state: 'failed', text: said || 'the service did not accept it' } : { state: 'done', text };
  };
  return within(limitMs, answer());
}

const OFF: Answer = { state: 'off', text: 'this runner has no cache service, or no GNU tar' };

/** The library, or null where there is no service for it. */
async function service(): Promise<typeof import('@actions/cache') | null> {
  if (!mayBeThere(process.env) || !(await isGnuTar())) return null;
  const cache = await import('@actions/cache');
  return cache.isFeatureAvailable() ? cache : null;
}

/** In blocks of 10 KiB: twice the longest ledger. */
const MOST_RECORDS = Math.ceil((2 * MAX_CHARACTERS) / 10_240);

/**
 * The library unpacks what it gets with `tar -P`, and whoever can save an entry could name any file of the runner in it, or fill its disk
 * with a few bytes of zstd. GNU tar takes these options from its environment: whatever an archive holds becomes the one file that is read,
 * and tar ends itself after so many blocks (whole ones, also from a pipe). They stay set, since a library that was given up goes on.
 */
async function isGnuTar(): Promise<boolean> {
  const end = `--checkpoint=${MOST_RECORDS} --checkpoint-action=exec=kill\\ -9\\ $PPID`;
  process.env.TAR_OPTIONS = `--transform=s,.*,${FILE}, --blocking-factor=20 --read-full-records ${end}`;
  const tar = process.platform === 'darwin' ? 'gtar' : 'tar';
  const version = await promisify(execFile)(tar, ['--version']).catch(() => ({ stdout: '' }));
  return version.stdout.includes('GNU tar');
}

/** As the library has it. */
const workspace = (): string => process.env.GITHUB_WORKSPACE ?? process.cwd();
const folder = (): string => join(workspace(), FOLDER);

function clear(): void {
  const remove = () => rmSync(folder(), { recursive: true, force: true });
  try {
    remove();
  } catch {
    // a directory that nobody may look into, of a forged archive: it is empty
    rmdirSync(join(workspace(), FILE));
    remove();
  }
}

/** null: it is too long, or nothing that we have written. */
function readFileOf(file: string): string | null {
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found === undefined || !found.isFile() || found.size > MAX_CHARACTERS) return null;
  chmodSync(file, 0o600);
  return readFileSync(file, 'utf8');
}

async function within(limitMs: number, work: Promise<Answer>): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const tooSlow = new Promise<Answer>((resolve) => {
    const text = `the cache service did not answer within ${limitMs / 1000} s`;
    timer = setTimeout(() => resolve({ state: 'failed', text }), limitMs);
  });
  const failed = (error: unknown): Answer => ({ state: 'failed', text: quoteOutside(String(error), 300) });
  try {
    return await Promise.race([work.catch(failed), tooSlow]);
  } finally {
    clearTimeout(timer);
    try {
      clear();
    } catch {
      // somebody else's, in a workspace that is not ours to write
    }
  }
}

/** In what the library prints: that it failed, or that the runner has told it not to do it. */
const REASON =
  /^(?:::(?:warning|error)[^:\n]*::)?((?:Failed to (?:save|restore)|Cache (?:save|restore) skipped): .*)$/m;

/** It came, and could not be unpacked: no archive, or a longer one than we make. */
const TAR_FAILED = /^Failed to restore: \S+ failed with error: /;

const talk = new AsyncLocalStorage<string[]>();
let isMuffled = false;

/**
 * What the library does, and the reason that it prints when it fails. It writes warnings to the log of the step, which would be
 * annotations of ours, and the commands that it runs; all that comes from within it is kept from there, except what masks secrets.
 */
async function muffled<T>(work: () => Promise<T>): Promise<{ value: T; said: string }> {
  muffle();
  const said: string[] = [];
  const value = await talk.run(said, work);
  const reason = REASON.exec(said.join(''))?.[1] ?? '';
  return { value, said: reason === '' ? '' : quoteOutside(reason.replaceAll('%0A', '\n'), 300) };
}

function muffle(): void {
  if (isMuffled) return;
  isMuffled = true;
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream) as (...given: unknown[]) => boolean;
    stream.write = (chunk: unknown, ...rest: unknown[]): boolean => {
      const said = talk.getStore();
      if (said === undefined || String(chunk).startsWith('::add-mask::')) return write(chunk, ...rest);
      said.push(String(chunk));
      for (const done of rest) if (typeof done === 'function') done();
      return true;
    };
  }
}
