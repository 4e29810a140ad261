import { isIP } from 'node:net';
import type { Served } from '../server/calls.js';
import { declared, type InputName } from '../settings/declared-inputs.js';
import { parseTimer, wholeNumber } from '../settings/value-rules.js';
import { inputsOf } from './arguments.js';
import { readConfig } from './config.js';
import { fromEnvironment, unknownIn, variableOf } from './environment.js';
import { inFile } from './given.js';

export const TOKEN = 'DB_BACKUP_TOKEN';
/** What each call says for itself. */
const SAID_BY_CALLS: readonly InputName[] = ['command', 'backup', 'confirm', 'pin', 'dry-run'];
/** Inputs that are no options of the server: those, what only a job of GitHub has, and the port of SSH, since `--port` is its own. */
export const NOT_OPTIONS: readonly InputName[] = [...SAID_BY_CALLS, 'summary', 'ledger', 'port'];
/** What makes one database of several. */
const OWN: readonly InputName[] = ['database', 'name', 'database-password', 'restore-to'];
/** The password of a server is that of all its databases. */
const OF_ONE_SERVER = OWN.filter((name) => name !== 'database-password');

export interface ServeOptions extends Record<string, unknown> {
  port: string;
  listen: string;
  allowedHost?: string[];
  behindProxy?: true;
  tokenFile?: string;
  token?: unknown;
  stopTimeout: string;
  config?: string;
}

export interface Read {
  served: Served & { listen: string; port: number; isLoopback: boolean };
  graceMs: number;
  /** Whole messages; the rest is of no use when there is one. */
  wrong: readonly string[];
}

/** All that is wrong with the options, the environment and the configuration at once. */
export async function readServeOptions(options: ServeOptions, environment: NodeJS.ProcessEnv): Promise<Read> {
  const wrong: string[] = [];
  const reading = <T>(name: string, otherwise: T, read: () => T): T => {
    try {
      return read();
    } catch (error) {
      wrong.push(`${name}: ${(error as Error).message}`);
      return otherwise;
    }
  };
  const { listen } = options;
  const isLoopback = /^(127(\.\d+){3}|::1|localhost)$/.test(listen);
  const hosts = reading('allowed-host', [], () => (options.allowedHost ?? []).map(parseHostName));
  if (!isLoopback && hosts.length === 0)
    wrong.push(`allowed-host: required with --listen ${listen}: give the name that clients use to reach it`);
  const port = reading('port', 0, () => wholeNumber(0, 65_535)(options.port));
  const graceMs = reading('stop-timeout', 0, () => parseTimer(options.stopTimeout));
  const token = await readToken(options, environment, wrong);

  const given = inputsOf({ ...options, port: undefined });
  const variables = fromEnvironment({ ...environment });
  const config = await readConfig(options.config ?? (environment.DB_BACKUP_CONFIG || null), { ...environment });
  wrong.push(...unknownIn(environment), ...(config?.wrong ?? []));
  const { namesOf } = await import('../server/target.js');
  const all = config?.targets ?? [];
  const targets = all.filter((target) => !target.all).map(({ name }) => name);
  const servers = all.filter((target) => target.all).map(({ name }) => name);
  if (config === null && !given.has('database') && !variables.has('database'))
    wrong.push('database: required: give --database, the variable, or a configuration (--config)');
  for (const name of all.length > 1 ? OWN : servers.length > 0 ? OF_ONE_SERVER : []) {
    if (given.has(name) || variables.has(name)) {
      const each = namesOf({ targets, servers }).join(', ');
      wrong.push(`${name}: it would apply to each of ${each}: set it in ${config?.path} instead`);
    }
  }
  // An option is a variable of those that carry calls out: each takes what it uses, and the configuration counts for less.
  const env = withoutCalls(environment);
  for (const [name, text] of given) {
    env[variableOf(name)] = reading(name, '', () => checked(name, text()));
    delete env[`${variableOf(name)}_FILE`];
  }
  const program = { script: process.argv[1] ?? '', env, log: 'inherit' } as const;
  const served = {
    token,
    program,
    config: config?.path ?? null,
    targets,
    servers,
    hosts,
    behindProxy: options.behindProxy === true,
  };
  return { served: { ...served, listen, port, isLoopback }, graceMs, wrong };
}

/** The environment without the token, which is for the server alone, and without what each call says. */
function withoutCalls(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const env = { ...environment };
  for (const variable of [TOKEN, ...SAID_BY_CALLS.map(variableOf)]) {
    delete env[variable];
    delete env[`${variable}_FILE`];
  }
  return env;
}

/** The text, when it is what the input may be. */
function checked(name: InputName, text: string): string {
  if (text.trim() !== '') declared[name].parse(text.trim());
  return text;
}

/** From a file, or from the variable. */
async function readToken(options: ServeOptions, env: NodeJS.ProcessEnv, wrong: string[]): Promise<string> {
  const { faultOfToken } = await import('../server/token.js');
  try {
    if (options.token !== undefined)
      throw new Error('it cannot be an option, because every user of the machine can see the arguments');
    const file = options.tokenFile ?? (env[`${TOKEN}_FILE`] || null);
    const token = file === null ? (env[TOKEN]?.trim() ?? '') : inFile(file)();
    const fault = token === '' ? 'it is required' : faultOfToken(token);
    if (fault !== null) throw new Error(fault);
    return token;
  } catch (error) {
    wrong.push(`token: ${(error as Error).message}: give a file with --token-file FILE, or set ${TOKEN}`);
    return '';
  }
}

/** As the header `Host` has it. */
function parseHostName(text: string): string {
  const name = isIP(text) === 6 ? `[${text}]` : text;
  if (!/^(\[[0-9a-f:.]+\]|[a-z0-9._-]{1,253})$/i.test(name))
    throw new Error('expected a name such as backup.example.org, without a port');
  return name.toLowerCase();
}
