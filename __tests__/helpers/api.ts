import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { openApi } from '../../src/server/openapi.js';
import { processTree } from './processes.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
export const PROGRAM = join(repository, 'dist', 'cli.js');
export const API_TOKEN = '0123456789abcdef0123456789abcdef';

export interface Api {
  child: ChildProcess;
  /** Such as http://127.0.0.1:43117 */
  url: string;
  port: number;
  log(): string;
  /** The exit status, or the name of the signal. */
  ended: Promise<number | string | null>;
  /** Asks it to end, and waits for that. */
  stop(): Promise<number | string | null>;
}

const running = new Set<ChildProcess>();

/** After a test that failed: one that is left keeps its pipes, and jest, open. What they have started ends with them. */
export function endServers(): void {
  for (const { pid } of running) {
    if (pid === undefined) continue;
    for (const one of processTree(pid)) kill(one.pid);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended meanwhile
  }
}

/** `db-backup serve` as a process of its own; nothing but PATH comes from the environment of the tests. */
export function startServe(
  args: string[],
  { env = {}, cwd = repository }: { env?: Record<string, string>; cwd?: string } = {},
): {
  child: ChildProcess;
  log(): string;
  ended: Promise<number | string | null>;
  line(pattern: RegExp): Promise<RegExpExecArray>;
} {
  const child = spawn(process.execPath, [PROGRAM, 'serve', '--port', '0', ...args], {
    env: { PATH: process.env.PATH ?? '', HOME: cwd, DB_BACKUP_TOKEN: API_TOKEN, ...env },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('close', () => running.delete(child));
  let log = '';
  const wanted = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      for (const look of wanted) look();
    });
  }
  const ended = new Promise<number | string | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  const line = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(log);
        if (found === null) return;
        wanted.delete(look);
        resolve(found);
      };
      wanted.add(look);
      look();
      void ended.then((how) => reject(new Error(`serve ended with ${how} before ${pattern}: ${log}`)));
    });
  return { child, log: () => log, ended, line };
}

export async function startApi(...how: Parameters<typeof startServe>): Promise<Api> {
  const { child, log, ended, line } = startServe(...how);
  const [, url = '', port] = await line(/listening on (http:\/\/\S+?:(\d+))\b/);
  return {
    ...{ child, url, port: Number(port), log, ended },
    stop() {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

export interface Called {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: looked into by the tests, and held against the document before
  body: any;
  headers: Headers;
}

export interface CallOptions {
  /** null: none. */
  token?: string | null;
  body?: unknown;
  headers?: Record<string, string>;
}

/** One call, whose answer is held against the OpenAPI document when it is of a call that there is. */
export async function call(
  url: string,
  line: `${'GET' | 'POST' | 'DELETE'} /${string}`,
  { token = API_TOKEN, body, headers = {} }: CallOptions = {},
): Promise<Called> {
  const [method = '', path = ''] = line.split(/ (.*)/s);
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  expect(response.headers.get('content-type')).toBe('application/json');
  const called = { status: response.status, body: JSON.parse(text), headers: response.headers };
  expectDocumented(method, path, called);
  return called;
}

/** Writes these bytes, then `drip` again and again, and waits for the end. `from`: the address of who calls. */
export function raw(
  port: number,
  first: string,
  drip = '',
  from = '127.0.0.1',
): Promise<{ answer: string; ms: number }> {
  return new Promise((resolve) => {
    const started = performance.now();
    let answer = '';
    const socket = connect({ port, host: '127.0.0.1', localAddress: from }, () => socket.write(first));
    const timer = drip === '' ? undefined : setInterval(() => socket.write(drip), 50);
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(timer);
      resolve({ answer, ms: performance.now() - started });
    });
  });
}

type Json = Record<string, unknown>;
interface Document {
  paths: Record<string, Record<string, { responses: Record<string, Json> }>>;
}

/** No key may be missing in the document, though clients take those that are added. */
const strict = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(strict);
  if (typeof value !== 'object' || value === null) return value;
  const all = Object.fromEntries(Object.entries(value).map(([key, one]) => [key, strict(one)]));
  return 'properties' in all ? { ...all, additionalProperties: false } : all;
};

const document = strict(openApi()) as Document;
const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
ajv.addSchema(document as object, 'api');

const pointer = (...keys: string[]): string =>
  `api#/${keys.map((key) => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;

/** Expects the status and the body to be in the document; of what is no call of it only that it is a failure. */
function expectDocumented(method: string, path: string, { status, body }: Called): void {
  const [bare = ''] = path.split('?');
  const template = Object.keys(document.paths).find((one) =>
    new RegExp(`^${one.replaceAll('.', '\\.').replace('{id}', '[^/]+')}$`).test(bare),
  );
  const responses = document.paths[template ?? '']?.[method.toLowerCase()]?.responses;
  let schema = pointer('components', 'schemas', 'Failure');
  if (template !== undefined && responses !== undefined) {
    const key = [String(status), `${String(status)[0]}XX`].find((one) => one in responses);
    expect({ method, path, status, documented: key !== undefined }).toMatchObject({ documented: true });
    if (status === 200) {
      schema = pointer(
        'paths',
        template,
        method.toLowerCase(),
        'responses',
        '200',
        'content',
        'application/json',
        'schema',
      );
    }
  }
  const isFit = ajv.validate({ $ref: schema }, body);
  expect({ body, faults: isFit ? [] : ajv.errors }).toEqual({ body, faults: [] });
}
