import { execFile, execFileSync, spawn } from 'node:child_process';
import { closeSync, copyFileSync, existsSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** The Node that runs actions; it has node:sqlite, whichever Node runs the tests. */
const node24 = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url));

/** The SQLite of that Node, which is newer than the sqlite3 tool; such as 3.53.4. */
export const newerVersion = (): string =>
  execFileSync(node24, ['-p', 'process.versions.sqlite'], { encoding: 'utf8' }).trim();

/** What that SQLite answers to one query, as JSON, after the statements before it; makes the database when it is missing. */
export function withNewer(path: string, query: string, ...statements: string[]): string {
  const script = `const { DatabaseSync } = require('node:sqlite');
const [path, query, ...statements] = process.argv.slice(1);
const db = new DatabaseSync(path);
for (const sql of statements) db.exec(sql);
process.stdout.write(JSON.stringify(db.prepare(query).all().map((row) => Object.values(row))));
db.close();`;
  return execFileSync(node24, ['--no-warnings', '-e', script, '--', path, query, ...statements], { encoding: 'utf8' });
}

/** Such a connection that stays open, after the statements; resolves to what closes it, or kills its process. */
export async function holdWithNewer(
  path: string,
  ...statements: string[]
): Promise<(signal?: NodeJS.Signals) => Promise<void>> {
  const script = `const { DatabaseSync } = require('node:sqlite');
const [path, ...statements] = process.argv.slice(1);
const db = new DatabaseSync(path);
for (const sql of statements) db.exec(sql);
process.stdout.write('open');
process.stdin.on('end', () => db.close()).resume();`;
  const child = spawn(node24, ['--no-warnings', '-e', script, '--', path, ...statements], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('close', () => reject(new Error(`${path} could not be opened`)));
  });
  return async (signal) => {
    if (signal === undefined) child.stdin.end();
    else child.kill(signal);
    await closed;
  };
}

export interface Invariant {
  /** Rows of table `a`, one for each commit, and of table `b`. */
  commits: number;
  blobs: number;
  sum: number;
}

/**
 * Makes a database with an invariant that holds in each committed state and that a torn copy breaks: `count(a) = count(b)` and
 * `sum(a.v) = sum(b.v) = sum(blobs.ver)`. `mb` is its size, of bytes that do not compress; `owner` the user who owns the file (needs root).
 */
export async function createDatabase(
  path: string,
  options: { mb?: number; wal?: boolean; owner?: string } = {},
): Promise<void> {
  if (existsSync(path)) throw new Error(`${path} exists`);
  const rows = Math.max(10, Math.round(((options.mb ?? 1) * 1_048_576) / 4096));
  await sql(
    path,
    `PRAGMA journal_mode = ${options.wal ? 'wal' : 'delete'};
     BEGIN;
     CREATE TABLE a (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
     CREATE TABLE b (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
     CREATE TABLE blobs (id INTEGER PRIMARY KEY, ver INTEGER NOT NULL, data BLOB NOT NULL);
     CREATE INDEX blobs_ver ON blobs (ver);
     INSERT INTO blobs (ver, data)
       WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) SELECT 0, randomblob(4000) FROM n;
     COMMIT;`,
  );
  if (options.owner !== undefined) await run('chown', [`${options.owner}:`, path]);
}

const WRITER = `
const { DatabaseSync } = require('node:sqlite');
const [path, pauseMs] = process.argv.slice(1);
const db = new DatabaseSync(path);
db.exec('PRAGMA busy_timeout = 60000');
const blobs = db.prepare('SELECT max(id) AS n FROM blobs').get().n;
const a = db.prepare('INSERT INTO a (v) VALUES (?)');
const blob = db.prepare('UPDATE blobs SET ver = ver + ? WHERE id = ?');
const b = db.prepare('INSERT INTO b (v) VALUES (?)');
let commits = 0;
let stopped = false;
// The end of stdin is the order to stop: it also comes when the test process dies.
process.stdin.on('end', () => { stopped = true; }).resume();
(function next() {
  if (stopped) { db.close(); process.stdout.write(commits + '\\n'); return; }
  const v = 1 + Math.floor(Math.random() * 1000);
  db.exec('BEGIN IMMEDIATE');
  a.run(v);
  blob.run(v, 1 + Math.floor(Math.random() * blobs));
  b.run(v);
  db.exec('COMMIT');
  if (commits === 0) process.stdout.write('started\\n');
  commits += 1;
  if (Number(pauseMs) > 0) setTimeout(next, Number(pauseMs)); else setImmediate(next);
})();
`;

export interface Writers {
  /** Lets each writer finish its transaction; the number of all commits. Throws when a writer failed before. */
  stop(): Promise<number>;
}

/**
 * Starts `count` processes that commit to a database of `createDatabase` without end, `pauseMs` (0: none) between two commits. Resolves when each has
 * committed once. They run as the user of the tests: SQLite gives the -wal and -shm files that root makes to the owner of the database.
 */
export async function startWriters(path: string, options: { count?: number; pauseMs?: number } = {}): Promise<Writers> {
  const writers = Array.from({ length: options.count ?? 1 }, () => {
    const child = spawn(node24, ['-e', WRITER, '--', path, String(options.pauseMs ?? 0)], { env: {} });
    let stdout = '';
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const started = new Promise<void>((resolve) => {
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text;
        resolve();
      });
      child.once('close', () => resolve());
    });
    // A writer that ended by itself has closed its stdin.
    child.stdin.on('error', () => {});
    return {
      started,
      async stop(): Promise<number> {
        child.stdin.end();
        await ended;
        if (child.exitCode !== 0) throw new Error(`a writer of ${path} failed: ${stderr.trim()}`);
        return Number(stdout.trim().split('\n').at(-1));
      },
    };
  });
  await Promise.all(writers.map(({ started }) => started));
  return {
    async stop() {
      const results = await Promise.allSettled(writers.map((writer) => writer.stop()));
      return results.reduce((sum, result) => {
        if (result.status === 'rejected') throw result.reason;
        return sum + result.value;
      }, 0);
    },
  };
}

/** Proves that the file is a sound database of `createDatabase` in a committed state; throws with what is wrong otherwise. */
export async function checkInvariant(path: string): Promise<Invariant> {
  // sqlite3 would create what does not exist. Not -readonly: that leaves -wal and -shm beside a database in WAL mode.
  if (!existsSync(path)) throw new Error(`${path} does not exist`);
  const answer = await sql(
    path,
    `PRAGMA busy_timeout = 60000;
     BEGIN;
     SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b), (SELECT coalesce(sum(v), 0) FROM a),
       (SELECT coalesce(sum(v), 0) FROM b), (SELECT coalesce(sum(ver), 0) FROM blobs), (SELECT count(*) FROM blobs);
     PRAGMA integrity_check;
     COMMIT;`,
  );
  const [, counts = '', ...integrity] = answer.trim().split('\n');
  if (integrity.join('\n') !== 'ok') throw new Error(`${path}: integrity_check says ${integrity.join('; ')}`);
  const [a, b, sumA, sumB, sumBlobs, blobs] = counts.split('|').map(Number);
  if (a !== b || sumA !== sumB || sumA !== sumBlobs || a === undefined || sumA === undefined || blobs === undefined) {
    throw new Error(`${path} is torn: count a ${a}, b ${b}; sum a ${sumA}, b ${sumB}, blobs ${sumBlobs}`);
  }
  return { commits: a, blobs, sum: sumA };
}

/** Unpacks a payload (by its name: `.zst`, `.gz`, or not packed) with the stock tools into a file that must not exist yet. */
export async function restorePayload(payloadPath: string, targetPath: string): Promise<void> {
  if (existsSync(targetPath)) throw new Error(`${targetPath} exists`);
  const tool = payloadPath.endsWith('.zst') ? 'zstd' : payloadPath.endsWith('.gz') ? 'gzip' : null;
  if (tool === null) {
    copyFileSync(payloadPath, targetPath);
    return;
  }
  const target = openSync(targetPath, 'wx', 0o600);
  try {
    await new Promise<void>((resolve, reject) => {
      const child = spawn(tool, ['-dc', payloadPath], { stdio: ['ignore', target, 'pipe'] });
      let stderr = '';
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
      });
      child.once('error', reject);
      child.once('close', (code) =>
        code === 0 ? resolve() : reject(new Error(`${tool} -dc ${payloadPath} ended with ${code}: ${stderr.trim()}`)),
      );
    });
  } finally {
    closeSync(target);
  }
}

/** What the sqlite3 tool prints of it. */
export async function sql(path: string, script: string): Promise<string> {
  const { stdout } = await run('sqlite3', ['-batch', '-init', '/dev/null', '-bail', path, script]);
  return stdout;
}
