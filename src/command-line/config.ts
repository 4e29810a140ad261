import { spawnSync } from 'node:child_process';
import { fstatSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Document, Node, Pair, ParsedNode, Scalar, YAMLMap } from 'yaml';
import type { BackupError } from '../errors.js';
import { clip } from '../reporting/format.js';
import { neutralise } from '../reporting/neutralise.js';
import { declared, INPUT_NAMES, type InputName } from '../settings/declared-inputs.js';
import { parseName } from '../settings/value-rules.js';
import { type Given, type Inputs, inFile, literally, MOST_BYTES, openFile, orEmpty } from './given.js';

/** One database of the configuration. */
export interface Target {
  name: string;
  inputs: Inputs;
  /** `all: true`: `database` is a server, and each of its databases is meant. */
  all?: true;
  /** One of those. */
  ofServer?: true;
  /** What does not stand in the configuration itself. */
  elsewhere: readonly Elsewhere[];
  /** Why nothing can be done with it, where that is known before. */
  refused?: BackupError;
}

/** Where an input comes from that the configuration only points to. `where`: a variable, an absolute path, the name of a credential, a line of the shell. */
export interface Elsewhere {
  input: InputName;
  by: 'env' | 'file' | 'credential' | 'command';
  where: string;
}

export interface Config {
  path: string;
  targets: readonly Target[];
  /** Whole messages. */
  wrong: readonly string[];
  /** The variables that it names, of which any may hold a secret. */
  variables: readonly string[];
  /** The files of secrets that it names in the home of whoever reads it, as they stand there. */
  atHome: readonly string[];
}

/** Where it is looked for when nobody says where it is. */
const OF_MACHINE = '/etc/db-backup/db-backup.yml';
const PLACES: readonly string[] = ['db-backup.yml', OF_MACHINE];
const SECRET_MS = 30_000;

/**
 * Reads the configuration; `given`: its path, where one is asked for. null: there is none. What is wrong with it is in `wrong`, all at once,
 * each with its line. A secret is not in it: it says where it is, and only secrets of the database that is asked for are fetched.
 */
export async function readConfig(given: string | null, env: NodeJS.ProcessEnv): Promise<Config | null> {
  const path = given ?? PLACES.find(isThere);
  if (path === undefined) return null;
  const failed = (wrong: string): Config => ({ path, targets: [], wrong: [wrong], variables: [], atHome: [] });
  let full: string;
  let text: string;
  try {
    full = realpathSync(path); // what stands in it is from its own folder, whatever it is called besides
    const { file, close } = openFile(full);
    try {
      const stranger = writableByOthers(file);
      if (stranger !== null) return failed(`${full}: ${stranger}: whoever can change it decides what runs, and where`);
      text = readFileSync(file, 'utf8');
    } finally {
      close();
    }
  } catch (error) {
    return failed(`${path}: it cannot be read: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`);
  }
  const yaml = await import('yaml');
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const wrong: string[] = [];
  const at = (offset: number | undefined): string => `${full}:${offset === undefined ? 1 : lines.linePos(offset).line}`;
  for (const { message, pos } of document.errors) wrong.push(`${at(pos[0])}: ${message}`);
  if (wrong.length > 0) return { path: full, targets: [], wrong, variables: [], atHome: [] };
  const atHome = new Set<string>();
  const reader = new Reader(yaml, document, { at, folder: dirname(full), env, wrong, atHome });
  const targets = reader.targets();
  const variables = targets.flatMap(({ elsewhere }) =>
    elsewhere.filter(({ by }) => by === 'env').map(({ where }) => where),
  );
  return { path: full, targets, wrong, variables, atHome: [...atHome] };
}

/** What can not be looked at is taken, and fails; but that of the machine may be kept from others, for whom it is not meant. */
function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    return path !== OF_MACHINE || (error as NodeJS.ErrnoException).code !== 'EACCES';
  }
}

/** In words, when somebody else than this user and root can write it; null: nobody can. */
function writableByOthers(file: number): string | null {
  const { uid, mode } = fstatSync(file);
  const me = process.getuid?.();
  if (me === undefined) return null; // Windows has other rights
  if (uid !== me && uid !== 0) return 'it belongs to another user';
  return (mode & 0o022) === 0 ? null : 'others can write it (chmod go-w)';
}

type Yaml = typeof import('yaml');
interface Around {
  at: (offset: number | undefined) => string;
  folder: string;
  env: NodeJS.ProcessEnv;
  wrong: string[];
  atHome: Set<string>;
}

/** `keep: 5` is a text here, `umask: 027` as well: what an input is, its own parser knows. */
class Reader {
  constructor(
    private readonly yaml: Yaml,
    private readonly document: Document.Parsed<ParsedNode>,
    private readonly around: Around,
  ) {}

  targets(): Target[] {
    const root = this.mapOf(this.document.contents, 'expected `databases:` with a name and the inputs of each');
    if (root === null) return [];
    const defaults = nothing();
    const targets: Target[] = [];
    for (const [key, value] of this.entries(root)) {
      if (key.text === 'defaults') this.inputs(value, defaults);
      else if (key.text !== 'databases')
        this.fault(key.node, `unknown key ${JSON.stringify(key.text)}: expected databases or defaults`);
    }
    for (const [key, value] of this.entries(root)) {
      if (key.text !== 'databases') continue;
      const databases = this.mapOf(value, 'expected a name and the inputs of each database');
      for (const [name, inputs] of databases === null ? [] : this.entries(databases)) {
        const own = nothing();
        try {
          parseName(name.text);
        } catch (error) {
          this.fault(name.node, `the name ${JSON.stringify(name.text)}: ${(error as Error).message}`);
        }
        const all = this.inputs(inputs, own, true);
        if (all && own.inputs.has('name'))
          this.fault(name.node, 'name: with `all: true`, each database gets its own name');
        const kept = defaults.elsewhere.filter(({ input }) => !own.inputs.has(input));
        targets.push({
          name: name.text,
          inputs: new Map([['name', literally(name.text)], ...defaults.inputs, ...own.inputs]),
          elsewhere: [...kept, ...own.elsewhere],
          ...(all ? { all } : {}),
        });
      }
    }
    if (targets.length === 0 && this.around.wrong.length === 0)
      this.fault(root, 'there are no databases under `databases:`');
    return targets;
  }

  /** `isTarget`: `all` may stand there; returns whether it is true. */
  private inputs(node: Node | null, into: Read, isTarget = false): boolean {
    const map = this.mapOf(node, 'expected inputs, such as `database: /srv/app/app.db`');
    let all = false;
    for (const [key, value] of map === null ? [] : this.entries(map)) {
      if (isTarget && key.text === 'all') {
        all = this.isTrue(value);
        continue;
      }
      const name = INPUT_NAMES.find((one) => one === key.text);
      if (name === undefined || name === 'command') {
        this.fault(key.node, `unknown input ${JSON.stringify(key.text)}`);
        continue;
      }
      const given = this.given(name, value, into.elsewhere);
      if (given !== null) into.inputs.set(name, given);
    }
    return all;
  }

  private isTrue(node: Node | null): boolean {
    const value = node !== null && this.yaml.isScalar(node) ? node.value : undefined;
    if (typeof value !== 'boolean') this.fault(node, 'all: expected true or false');
    return value === true;
  }

  private given(name: InputName, node: Node | null, elsewhere: Elsewhere[]): Given | null {
    const { isMap, isScalar, isSeq } = this.yaml;
    if (node === null || (isScalar(node) && node.value === null)) return null;
    if (isMap(node)) return this.fetched(name, node, elsewhere);
    if (declared[name].secret) {
      this.fault(
        node,
        `${name}: the configuration must not contain a secret: write where to find it, ${name}: { file: /etc/db-backup/${name} }, or { env: VARIABLE }, { credential: NAME }, { command: LINE }`,
      );
      return null;
    }
    if (isSeq(node)) {
      const items = node.items.map((item) => (isScalar(item) ? scalarText(item) : null));
      if (declared[name].lines && items.every((item) => item !== null)) return literally(items.join('\n'));
      this.fault(
        node,
        declared[name].lines ? `${name}: expected a list of texts` : `${name}: expected one text, not a list`,
      );
      return null;
    }
    if (isScalar(node)) return literally(scalarText(node));
    this.fault(node, `${name}: expected a text`);
    return null;
  }

  /** What is not in the file: `{ env: DATABASE_URL }`. Read when it is needed, which it may not be. */
  private fetched(name: InputName, node: YAMLMap, elsewhere: Elsewhere[]): Given | null {
    const [[key, value] = [], ...more] = this.entries(node);
    const where = value !== undefined && value !== null && this.yaml.isScalar(value) ? scalarText(value) : '';
    const by = SOURCES.find((one) => one === key?.text);
    if (by === undefined || more.length > 0 || where === '') {
      this.fault(node, `${name}: expected one of ${SOURCES.map((one) => `{ ${one}: ... }`).join(', ')}`);
      return null;
    }
    const { folder, env, atHome } = this.around;
    if (by === 'file' && where.startsWith('~/')) atHome.add(where);
    const file = resolve(folder, where.replace(/^~(?=\/)/, homedir()));
    elsewhere.push({ input: name, by, where: by === 'file' ? file : where });
    switch (by) {
      case 'env':
        return lazily(() => orEmpty(env[where] ?? '', `the variable ${where}`));
      case 'file':
        return lazily(inFile(file));
      case 'credential':
        return lazily(() => inCredentials(where, env));
      default:
        return lazily(() => saidBy(where));
    }
  }

  private mapOf(node: Node | null | undefined, rule: string): YAMLMap | null {
    if (node !== null && node !== undefined && this.yaml.isMap(node)) return node;
    this.fault(node ?? null, rule);
    return null;
  }

  private entries(map: YAMLMap): [key: { text: string; node: Node }, value: Node | null][] {
    return map.items.map((pair: Pair) => {
      const node = pair.key as Node;
      const value = pair.value as Node | null;
      return [
        { text: this.yaml.isScalar(node) ? scalarText(node) : '', node },
        value !== null && this.yaml.isAlias(value) ? (value.resolve(this.document) ?? null) : value,
      ];
    });
  }

  private fault(node: Node | null, rule: string): void {
    this.around.wrong.push(`${this.around.at(node?.range?.[0])}: ${rule}`);
  }
}

const SOURCES = ['env', 'file', 'credential', 'command'] as const;

/** Inputs, and where those of them are that only point somewhere. */
interface Read {
  inputs: Inputs;
  elsewhere: Elsewhere[];
}
const nothing = (): Read => ({ inputs: new Map(), elsewhere: [] });

/** As it stands there, since `027` would be the number 27. */
function scalarText(node: Scalar): string {
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
}

/** Of those that systemd hands to a service (`LoadCredential=`). */
function inCredentials(name: string, env: NodeJS.ProcessEnv): string {
  const folder = env.CREDENTIALS_DIRECTORY;
  if (!folder) throw new Error(`there are no systemd credentials here, so there is no ${name}`);
  if (!/^[A-Za-z0-9._-]+$/.test(name) || name.startsWith('.')) throw new Error('expected the name of a credential');
  return inFile(join(folder, name))();
}

/** What a line of the shell prints, such as `pass show backup/key`. What it says besides is shown when it fails alone: it may be about the secret. */
function saidBy(line: string): string {
  const { status, signal, error, stdout, stderr } = spawnSync('/bin/sh', ['-c', line], {
    ...{ encoding: 'utf8', timeout: SECRET_MS, maxBuffer: MOST_BYTES, stdio: ['ignore', 'pipe', 'pipe'] },
  });
  if (error !== undefined || status !== 0) {
    const [said = ''] = (stderr ?? '').trim().split('\n').slice(-1);
    const how = (error as NodeJS.ErrnoException | undefined)?.code ?? (signal === null ? `exit ${status}` : signal);
    throw new Error(
      `the command for it failed: ${how}${said === '' ? '' : `, and said: ${clip(neutralise(said), 200)}`}`,
    );
  }
  return orEmpty(stdout, 'what the command prints');
}

/** Asked once, however often it is read. */
function lazily(read: Given): Given {
  let known: { text: string } | { error: unknown } | null = null;
  return () => {
    if (known === null) {
      try {
        known = { text: read() };
      } catch (error) {
        known = { error };
      }
    }
    if ('error' in known) throw known.error;
    return known.text;
  };
}
