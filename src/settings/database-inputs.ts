import type { KeepRules } from '../backups/retention.js';
import type { Source } from '../engines/engine.js';
import { ENGINES, engineOf, parseSource } from '../engines/lookup.js';
import type { InputName, Parsed } from './declared-inputs.js';
import { type InputReader, toGive } from './input-reader.js';
import type { Command } from './settings.js';

// What `database` and the inputs about it may be is for the engine to say, whose database it is.

export function readDatabase(reader: InputReader): Source | undefined {
  const read = reader.requireAs('database', (text) => parsed(reader, 'database', text), missing());
  const source = read && byMethod(reader, read);
  if (source === undefined) return source;
  const engine = engineOf(source);
  const { inputs, refuses = {} } = engine;
  for (const name of new Set(Object.values(ENGINES).flatMap((one) => one.inputs))) {
    if (!inputs.includes(name)) reader.ignore(name, withoutMethod(name) ?? `with a ${engine.title} database`);
  }
  for (const [name, why] of Object.entries(refuses) as [InputName, string][]) {
    if (reader.isChanged(name)) reader.problem(name, why);
  }
  const password = reader.read('database-password');
  if (typeof password !== 'string' || engine.withPassword === undefined) return source;
  reader.mask(encodeURIComponent(password)); // as it stands in URLs
  try {
    return engine.withPassword(source, password);
  } catch (error) {
    reader.problem('database-password', (error as Error).message);
    return source;
  }
}

/** The database as the engine of `method` has it; undefined: wrong, and noted. */
function byMethod(reader: InputReader, source: Source): Source | undefined {
  const method = reader.require('method');
  const engine = Object.values(ENGINES).find((one) => one.method?.name === method);
  if (method === undefined || engine?.method === undefined) return method && source;
  const { of, example, missingName } = engine.method;
  if (source.engine !== of) {
    reader.problem(
      'method',
      `expected logical with a ${engineOf(source).title} database: ${method} backs up a ${engine.title}`,
    );
    return undefined;
  }
  const name = reader.require('stanza', `required with method ${method}: ${missingName}, such as ${example}`);
  return name === undefined ? undefined : engine.method.take(source, name);
}

/** Why an input means nothing where its method is not the one of the run; null: it is of no method. */
function withoutMethod(name: InputName): string | null {
  const engine = Object.values(ENGINES).find(({ method }) => method?.inputs.includes(name));
  return engine === undefined ? null : `without \`method: ${engine.method?.name}\``;
}

/** That the rules of `keep` mean something to the engine. */
export function checkKeep(reader: InputReader, keep: KeepRules | undefined, database: Source | undefined): void {
  const { keepOnly } = database === undefined ? {} : engineOf(database);
  if (keepOnly === undefined || keep === undefined) return;
  const other = Object.keys(keep).find((rule) => !keepOnly.rules.includes(rule));
  if (other !== undefined)
    reader.problem(
      'keep',
      `expected only ${keepOnly.rules.map((rule) => `${rule}=`).join(' and ')}, not ${other}=: ${keepOnly.why}`,
    );
}

const missing = (): string =>
  `required, but empty: ${toGive('database', `the secret that fills it, such as DATABASE_URL, is probably not set. Run \`gh secret set DATABASE_URL\` and paste the URL, then use \`secrets.DATABASE_URL\`. The path of a database file is no secret: \`database: /srv/app/app.db\``)}`;

/** Everything secret in the text is masked before anything else can be said about it. */
function parsed(reader: InputReader, name: 'database' | 'restore-to', text: string): Source {
  const { source, secrets, remarks } = parseSource(text);
  for (const secret of secrets) reader.mask(secret);
  reader.warnings.push(...remarks.map((remark) => `${name}: ${remark}`));
  return source;
}

export function readContainer(reader: InputReader, database: Source | undefined): string | null | undefined {
  const { noContainer, title } = database === undefined ? {} : engineOf(database);
  if (noContainer === undefined) return reader.read('container');
  return reader.readAs('container', () => {
    throw new Error(`expected nothing with a ${title} database: ${noContainer}`);
  });
}

/** `restore-to`, which has to be of the engine of `database`. */
export function readSameEngine(reader: InputReader, database: Source | undefined): Source | null | undefined {
  return reader.readAs('restore-to', (text) => {
    const source = parsed(reader, 'restore-to', text);
    if (database === undefined || source.engine === database.engine) return source;
    throw new Error(`expected ${engineOf(database).form}, because database is one`);
  });
}

/** Where a proof makes its throw-away database; null: beside the live one, or it is a file. */
export function readScratch(
  reader: InputReader,
  command: Command | undefined,
  verify: Parsed<'verify'> | undefined,
  verifyOn: Parsed<'verify-on'> | undefined,
  database: Source | undefined,
): Source | null | undefined {
  if (verify === 'checksum' || verify === 'content') reader.ignore('restore-to', `with verify ${verify}`);
  const { scratch, title } = database === undefined ? {} : engineOf(database);
  if (database !== undefined && scratch === undefined) {
    reader.ignore('restore-to', `with a ${title} database, which is restored into a temporary file`);
  }
  const place = readSameEngine(reader, database);
  if (database === undefined || scratch === undefined) return place;
  if (place === null && command === 'verify' && verify === 'restore' && verifyOn === 'runner') {
    reader.missing('restore-to', `required with verify-on runner and verify restore: ${scratch.onRunner}`);
  }
  if (!place || !scratch.isSame(place, database)) return place;
  // not thrown above, where a password in the URL would keep the rule from being shown
  reader.problem('restore-to', `expected ${scratch.elsewhere}`);
  return undefined;
}
