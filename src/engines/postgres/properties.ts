import type { Manifest } from '../../backups/manifest.js';
import { contentOf } from './format.js';

// What belongs to a database itself, as the manifest keeps it: one statement a line, which postgres-backup.sh had the server write. A
// manifest may be an attacker's: each statement is taken apart, and written anew out of what was in it. What is none of ours is left out.

/** How a database is made to be like another one. */
export interface DatabaseLike {
  encoding: string;
  collate: string;
  ctype: string;
  /** null: of before PostgreSQL 15, which knows but one. */
  provider: 'libc' | 'icu' | 'builtin' | null;
  /** Of the providers icu and builtin. */
  locale: string | null;
  /** Of the provider icu, since PostgreSQL 16. */
  rules: string | null;
  owner: string | null;
}

const NAME = String.raw`(?:"(?:[^"\0]|"")+"|[a-z_][a-z0-9_$]*)`;
/** As `quote_literal` writes it: with backslashes only after an E, which it puts a blank before. */
const TEXT = String.raw`(?: ?E'(?:[^'\\\0]|''|\\\\)*'|'(?:[^'\\\0]|'')*')`;
const ON = `DATABASE ${NAME}`;
const WHO = `(?<who>PUBLIC|${NAME})`;

const CREATE = new RegExp(
  `^CREATE ${ON} TEMPLATE template0 ENCODING (?<encoding>${TEXT}) LC_COLLATE (?<collate>${TEXT}) LC_CTYPE (?<ctype>${TEXT})(?<provider> LOCALE_PROVIDER (?:libc|(?:icu ICU|builtin BUILTIN)_LOCALE (?<locale>${TEXT})(?: ICU_RULES (?<rules>${TEXT}))?))?(?: OWNER (?<owner>${NAME}))?;$`,
);

type Parts = Record<string, string | undefined>;

/** Each statement of ours, and how it reads for another database. */
const FORMS: readonly [form: RegExp, write: (to: string, parts: Parts) => string][] = [
  [
    new RegExp(String.raw`^ALTER ${ON} CONNECTION LIMIT (?<limit>-?\d{1,9});$`),
    (to, { limit }) => `ALTER DATABASE ${to} CONNECTION LIMIT ${limit};`,
  ],
  [
    new RegExp(`^COMMENT ON ${ON} IS (?<text>${TEXT});$`),
    (to, { text }) => `COMMENT ON DATABASE ${to} IS ${literal(textIn(text))};`,
  ],
  [
    new RegExp(`^REVOKE ALL ON ${ON} FROM ${WHO};$`),
    (to, { who }) => `REVOKE ALL ON DATABASE ${to} FROM ${grantee(who)};`,
  ],
  [
    new RegExp(
      `^GRANT (?<rights>(?:CREATE|CONNECT|TEMPORARY)(?:, (?:CREATE|CONNECT|TEMPORARY))*) ON ${ON} TO ${WHO}(?<option> WITH GRANT OPTION)?;$`,
    ),
    (to, { rights, who, option = '' }) => `GRANT ${rights} ON DATABASE ${to} TO ${grantee(who)}${option};`,
  ],
  [
    // names in a list: as earlier versions kept it
    new RegExp(
      `^ALTER (?:ROLE (?<role>${NAME}) IN )?${ON} SET (?<setting>${NAME}) TO (?<values>${TEXT}(?:, ${TEXT})*|${NAME}(?:, *${NAME})*);$`,
    ),
    (to, { role, setting, values }) =>
      `ALTER ${role === undefined ? '' : `ROLE ${identifier(textIn(role))} IN `}DATABASE ${to} SET ${identifier(textIn(setting))} TO ${textsIn(values).map(literal).join(', ')};`,
  ],
];

const EACH_VALUE = new RegExp(`${TEXT}|${NAME}`, 'g');
const SEARCH_PATH = new RegExp(`^ALTER ${ON} SET search_path TO (?<values>.*);$`, 's');

/** A name as SQL has it. */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** A text as SQL has it, whatever the server takes a backslash for. */
export const literal = (text: string): string =>
  `${text.includes('\\') ? 'E' : ''}'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

/** Of a name or text as the server wrote it. */
function textIn(word = ''): string {
  const text = word.trimStart();
  if (text.startsWith('"')) return text.slice(1, -1).replaceAll('""', '"');
  if (text.startsWith("E'")) return text.slice(2, -1).replaceAll("''", "'").replaceAll('\\\\', '\\');
  return text.startsWith("'") ? text.slice(1, -1).replaceAll("''", "'") : text;
}

const textsIn = (list = ''): string[] => [...list.matchAll(EACH_VALUE)].map(([word]) => textIn(word));

const grantee = (who = ''): string => (who === 'PUBLIC' ? who : identifier(textIn(who)));

/** What the manifest says of how the database was made; null where it says nothing that can be relied on. */
export function likeOf(content: Manifest['content']): DatabaseLike | null {
  const [first = ''] = propertiesOf(content);
  const parts: Parts | undefined = CREATE.exec(first)?.groups;
  if (parts === undefined) return null;
  const { encoding, collate, ctype, provider = '', locale, rules, owner } = parts;
  return {
    encoding: textIn(encoding),
    collate: textIn(collate),
    ctype: textIn(ctype),
    provider:
      (['libc', 'icu', 'builtin'] as const).find((name) => provider.startsWith(` LOCALE_PROVIDER ${name}`)) ?? null,
    locale: locale === undefined ? null : textIn(locale),
    rules: rules === undefined ? null : textIn(rules),
    owner: owner === undefined ? null : textIn(owner),
  };
}

/** For people: makes a database like the one of the backup. */
export function createStatement(name: string, content: Manifest['content']): string {
  const like = likeOf(content);
  const made = `CREATE DATABASE ${identifier(name)} TEMPLATE template0`;
  if (like === null) return made;
  const provider =
    like.provider === null
      ? ''
      : ` LOCALE_PROVIDER ${like.provider}${like.locale === null ? '' : ` ${like.provider.toUpperCase()}_LOCALE ${literal(like.locale)}`}${like.rules === null ? '' : ` ICU_RULES ${literal(like.rules)}`}`;
  return `${made} ENCODING ${literal(like.encoding)} LC_COLLATE ${literal(like.collate)} LC_CTYPE ${literal(like.ctype)}${provider}`;
}

/** Grants, settings and comment of the database that was backed up, for another one; `leftOut` statements were none of ours. */
export function propertiesFor(name: string, content: Manifest['content']): { statements: string[]; leftOut: number } {
  const told = propertiesOf(content).slice(1);
  const statements = told.flatMap((statement) => {
    for (const [form, write] of FORMS) {
      const parts = form.exec(statement)?.groups;
      if (parts !== undefined) return [write(identifier(name), parts)];
    }
    return [];
  });
  return { statements, leftOut: told.length - statements.length };
}

/** The search_path of the database that was backed up, as a session sets it; empty where none was set. */
export function searchPathOf(content: Manifest['content']): string {
  for (const statement of propertiesOf(content)) {
    const values = SEARCH_PATH.exec(statement)?.groups?.values;
    if (values !== undefined) return textsIn(values).map(identifier).join(', ');
  }
  return '';
}

const propertiesOf = (content: Manifest['content']): string[] => contentOf({ content })?.properties ?? [];
