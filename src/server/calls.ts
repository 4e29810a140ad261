import type { IncomingMessage } from 'node:http';
import { parseId } from '../backups/names.js';
import type { Report } from '../reporting/report.js';
import { ANSWERS, failureOf } from './answers.js';
import type { Audited } from './audit.js';
import { Buckets } from './buckets.js';
import type { Limits } from './limits.js';
import { OneChange } from './one-change.js';
import { openApi } from './openapi.js';
import { Refusal, statusOf, unfit } from './refusal.js';
import { clientOf, fitting, hasBody, isHost, LOOPBACK_NAMES, readBody, readQuery } from './request.js';
import { ACTOR, type Given, idOf, ROUTES, type Route, type Run, TARGET } from './routes.js';
import { type Program, Running } from './running.js';
import { type Targets, targetOf } from './target.js';
import { tokenCheck } from './token.js';
import { Turns } from './turns.js';

export interface Served extends Targets {
  token: string;
  program: Program;
  /** The configuration; null: options and variables are all there is. */
  config: string | null;
  /** Names of this server, besides those of loopback, in lower case. */
  hosts: readonly string[];
  /** A proxy in front says in `X-Forwarded-For` who calls. */
  behindProxy: boolean;
}

export interface Reply {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

type Noted = Pick<Audited, 'path' | 'code' | 'target' | 'backup' | 'actor'>;

/** Who calls, and about which database. */
interface Caller {
  client: string;
  actor: string | null;
  target: string | null;
  isGone: () => boolean;
}

const PATHS = ROUTES.map((route) => ({
  route,
  pattern: new RegExp(`^${route.path.replaceAll('.', '\\.').replace('{id}', '(?<id>[^/]+)')}$`),
}));

/** What becomes of a call, from its headers to its answer. */
export class Calls {
  private readonly isToken: (header: string | undefined) => boolean;
  private readonly names: readonly string[];
  private readonly buckets: { calls: Buckets; wrong: Buckets; open: Buckets };
  private readonly turns: Turns;
  private readonly change = new OneChange();
  private readonly running: Running;
  private stopping = false;

  constructor(
    private readonly served: Served,
    private readonly limits: Limits,
  ) {
    this.isToken = tokenCheck(served.token);
    this.names = [...LOOPBACK_NAMES, ...served.hosts];
    const { calls, wrong, open, reads, waiting } = limits;
    this.buckets = { calls: new Buckets(calls), wrong: new Buckets(wrong), open: new Buckets(open) };
    this.turns = new Turns(reads, waiting);
    this.running = new Running(served.program);
  }

  /** Puts into `noted` what the audit line is to tell. Throws a Refusal, or what is our bug. */
  async answer(request: IncomingMessage, noted: Noted): Promise<Reply> {
    const client = clientOf(request, this.served.behindProxy);
    if (!isHost(request, this.names)) throw new Refusal(421, 'E_REQUEST', 'the Host header does not name this server');
    const [path = '', query = ''] = (request.url ?? '').split(/\?(.*)/s);
    const found = PATHS.filter(({ pattern }) => pattern.test(path));
    noted.path = found[0]?.route.path ?? null;
    this.admit(request, client, found.length > 0 && found.every(({ route }) => typeof route.does === 'string'));
    if (this.stopping) throw ends();
    const { route, pattern } = found.find((one) => one.route.method === request.method) ?? noRoute(found);
    const { does } = route;
    if (does === 'alive') return { status: 200, body: { status: 'ok' } };
    if (does === 'document') return { status: 200, body: openApi() };
    const id = pattern.exec(path)?.groups?.id;
    const inPath = fitting(id === undefined ? {} : { id: decoded(id) }, does.path ?? {});
    const target = targetOf(fitting(readQuery(query), { target: TARGET }, true).target, this.served);
    const named = request.headers['x-actor'];
    const { 'X-Actor': actor = null } = fitting(
      named === undefined ? {} : { 'X-Actor': named },
      { 'X-Actor': ACTOR },
      true,
    );
    Object.assign(noted, { target, actor });
    if (does.body === undefined && hasBody(request)) throw new Refusal(400, 'E_REQUEST', 'this call takes no body');
    const sent = does.body === undefined ? undefined : await readBody(request, this.limits.bodyBytes);
    const inBody = fitting(sent === undefined ? {} : sent, does.body ?? {});
    const given = { ...inPath, ...inBody };
    const backup = does.backup === undefined ? null : idOf(given[does.backup]);
    noted.backup = backup;
    const words = this.wordsOf(does, given, target, backup);
    return this.carryOut(does, words, { target, actor, client, isGone: () => request.socket.destroyed }, noted);
  }

  /** From now on nothing is begun; resolves when all that runs has ended, by itself or after this time. */
  stop(graceMs: number): Promise<void> {
    this.stopping = true;
    return this.running.end(graceMs);
  }

  /** The token, and how often somebody may try. Who has the right one is not refused for what others do behind the same address. */
  private admit({ headers }: IncomingMessage, client: string, isOpen: boolean): void {
    const isKnown = this.isToken(headers.authorization);
    const wait = this.buckets[isOpen ? 'open' : isKnown ? 'calls' : 'wrong'].take(client);
    if (wait > 0) {
      throw new Refusal(429, 'E_LIMIT', `too many calls from ${client}: wait ${wait} s`, {
        headers: { 'retry-after': String(wait) },
      });
    }
    if (!isOpen && !isKnown) {
      const why =
        headers.authorization === undefined
          ? 'expected the header "Authorization: Bearer TOKEN"'
          : 'the token is wrong';
      throw new Refusal(401, 'E_TOKEN', why, { headers: { 'www-authenticate': 'Bearer' } });
    }
  }

  /** The arguments of the process that carries it out; what a caller has given is a value in them, and never an option. */
  private wordsOf({ changes, options }: Run, given: Given, target: string | null, backup: string | null) {
    const { config } = this.served;
    return [
      ...['--json', ...(changes ? [] : ['--quiet'])],
      ...(config === null ? [] : [`--config=${config}`]),
      ...(target === null ? [] : [`--target=${target}`]),
      ...(options?.(given) ?? []),
      ...(backup === null ? [] : ['--', backup]),
    ];
  }

  private async carryOut(
    { command, changes, answer }: Run,
    words: readonly string[],
    { target, actor, client, isGone }: Caller,
    noted: Noted,
  ): Promise<Reply> {
    const run = async (): Promise<Report> => {
      if (this.stopping) throw ends();
      return this.running.run(command, words);
    };
    const report = await (changes
      ? this.change.make({ command, target, since: new Date().toISOString(), client, actor }, run)
      : this.turns.take(async () => (isGone() ? Promise.reject(gone()) : run())));
    noted.code = report.errorCode;
    noted.backup ??= report.backup !== null && parseId(report.backup.id) !== null ? report.backup.id : null;
    // that something is wrong with the database is an answer
    if (report.errorCode === '' || (command === 'health' && report.errorCode === 'E_UNHEALTHY')) {
      return { status: 200, body: ANSWERS[answer].of(report) };
    }
    return { status: statusOf(report.errorCode), body: failureOf(report) };
  }
}

const ends = (): Refusal => new Refusal(503, 'E_LIMIT', 'the server is stopping', { headers: { 'retry-after': '30' } });

/** While it waited. */
const gone = (): Refusal => new Refusal(408, 'E_REQUEST', 'the client has disconnected');

function noRoute(found: readonly { route: Route }[]): never {
  if (found.length === 0) throw new Refusal(404, 'E_REQUEST', 'no such path: see /openapi.json');
  const allow = found.map(({ route }) => route.method).join(', ');
  throw new Refusal(405, 'E_REQUEST', `expected ${allow}`, { headers: { allow } });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw unfit('the path cannot be decoded');
  }
}
