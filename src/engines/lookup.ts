import { useFormats } from '../backups/format.js';
import type { Programs } from '../host/program.js';
import type { DumpSettings } from '../settings/settings.js';
import type { Database } from './database.js';
import type { Engine, Parsed, Server, Source } from './engine.js';
import * as registry from './registry.js';
import { isKeywords, schemeOf } from './scheme.js';

/** Every engine by its name; in no order that means anything. */
export const ENGINES: Readonly<Record<string, Engine>> = registry satisfies Record<string, Engine>;

const ALL = Object.values(ENGINES);

/** Those that read texts by themselves. */
const READERS = ALL.filter(({ method }) => method === undefined);

useFormats(ENGINES);

/** Throws when nothing that was read can have brought us here. */
export function engineOf({ engine }: Pick<Source, 'engine'>): Engine {
  const found = Object.hasOwn(ENGINES, engine) ? ENGINES[engine] : undefined;
  if (found === undefined) throw new Error(`no engine is called ${JSON.stringify(engine)}`);
  return found;
}

/** The engine of which a file of that kind is a dump; null when it is none of ours. */
export const engineOfKind = (kind: string): Engine | null =>
  ALL.find(({ kinds, foreignKinds = [] }) => [...kinds, ...foreignKinds].includes(kind)) ?? null;

/** What a session of an engine has on the host: its own programs, and what recognises a dump of any engine, its own asked first. */
export function programsOf(engine: Engine): Programs {
  const recognisers = [...ALL.filter((other) => other !== engine), engine].flatMap(({ recogniser = [] }) => recogniser);
  return { ...engine, programs: [...recognisers, ...engine.programs] };
}

export const databaseOf = (source: Source, dump: DumpSettings): Database => engineOf(source).open(source, dump);

/** The engine whose server a text names, and the text with a database in it that can be asked for the others. Throws an Error whose text is the rule. */
export function serverIn(text: string): { server: Server; asking: string } {
  if (/\p{Cc}/u.test(text)) throw new Error('expected one line without control characters');
  for (const { server } of ALL) {
    const asking = server?.asking(text) ?? null;
    if (server !== undefined && asking !== null) return { server, asking };
  }
  const forms = ALL.filter(({ server }) => server !== undefined).map(({ form }) => form);
  throw new Error(`with \`all: true\` expected a server, as ${forms.join(' or ')}`);
}

/** Schemes of databases that nobody here knows, so that the message can name them. Anything else unknown is not repeated. */
const OTHERS = /^(timescaledb|cockroachdb|mysql|mysql2|mariadb|mssql|sqlserver|oracle|mongodb|redis|rediss|libsql|d1)$/;

/**
 * Reads what applications keep in DATABASE_URL; each engine is asked. Throws an Error whose text is the rule, and never holds any of the
 * text, which may have a password in it.
 */
export function parseSource(text: string): Parsed {
  if (/\p{Cc}/u.test(text)) throw new Error('expected one line without control characters');
  for (const engine of ALL) {
    const parsed = engine.parse(text);
    if (parsed !== null) return parsed;
  }
  throw new Error(whyNobodys(text));
}

function whyNobodys(text: string): string {
  const forms = `expected ${READERS.map((engine) => engine.forms).join(', or ')}`;
  if (text === '') return forms;
  if (isKeywords(text)) return `${forms}, not a connection string of keywords`;
  const scheme = schemeOf(text);
  // quotes or a name around a URL, with its password in it, would pass for a path
  if (scheme === null) return `${forms}; the bare value, without quotes or NAME= around it`;
  if (!OTHERS.test(scheme.name)) return `${forms}; a relative path with a colon in its first segment starts with "./"`;
  const titles = READERS.map(({ title }) => title).join(' and ');
  return `it names a ${scheme.name} database, but this version only backs up ${titles}; ${forms}`;
}
