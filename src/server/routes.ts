import { parseFileName, parseId } from '../backups/names.js';
import type { ANSWERS } from './answers.js';
import { unfit } from './refusal.js';
import type { Schema } from './schema.js';

/** What a caller has given, by name; each fits its schema. */
export type Given = Readonly<Record<string, string>>;

/** A text that a call takes. */
export type Field = Schema & { description: string; pattern: string; maxLength: number };

/** What is run for a call. */
export interface Run {
  command: 'health' | 'list' | 'backup' | 'restore' | 'delete';
  /** One at a time. */
  changes: boolean;
  /** The id in the path. */
  path?: Record<string, Field>;
  /** What the body has, all of it required; absent: there is no body. */
  body?: Record<string, Field>;
  /** Which of these names the backup that it is about. */
  backup?: 'id' | 'filename';
  /** What the command takes besides. */
  options?: (given: Given) => string[];
  answer: keyof typeof ANSWERS;
}

export interface Route {
  method: 'GET' | 'POST' | 'DELETE';
  /** With `{id}` for what is in its place. */
  path: string;
  operation: string;
  summary: string;
  /** What runs nothing needs no token. */
  does: Run | 'alive' | 'document';
}

const field = (description: string, pattern: string, maxLength: number, example: string): Field => ({
  ...{ type: 'string', description, pattern, maxLength, examples: [example] },
});

const EXAMPLE = 'app-20261120T101500Z-7f3a';
const ID = '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}-[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}(\\.[a-z0-9]+){0,3}$';
const id = field(`The id or file name of a backup, such as ${EXAMPLE}`, ID, 120, EXAMPLE);
const confirm = field(
  'The exact name of the database to replace, without blanks around it: for a file, its name without the folder',
  '^[^\\s\\u0000-\\u001f\\u007f]([^\\u0000-\\u001f\\u007f]*[^\\s\\u0000-\\u001f\\u007f])?$',
  255,
  'app.db',
);

/** The query of each call that runs something. */
export const TARGET: Field = field(
  'Which database of the configuration; required if it has several. For a server with `all: true` it is NAME-DATABASE, and always required. Letters, digits and "._-", the first a letter or digit',
  '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
  64,
  'app',
);

/** Whom a caller names for the audit: nobody proves it. */
export const ACTOR: Field = field(
  'Who is behind the call, for the log: letters (a to z, A to Z), digits and "@._+-", the first a letter or digit',
  '^[A-Za-z0-9][A-Za-z0-9@._+-]*$',
  64,
  'ada@example.org',
);

export const ROUTES: readonly Route[] = [
  { method: 'GET', path: '/health', operation: 'alive', summary: 'Whether the server is running', does: 'alive' },
  { method: 'GET', path: '/openapi.json', operation: 'document', summary: 'This document', does: 'document' },
  {
    ...{ method: 'GET', path: '/api/database/health', operation: 'health' },
    summary: 'The health of the database and its backups',
    does: { command: 'health', changes: false, answer: 'Health' },
  },
  {
    ...{ method: 'GET', path: '/api/database/backups', operation: 'list' },
    summary: 'List the backups, the newest first',
    does: { command: 'list', changes: false, answer: 'Backups' },
  },
  {
    ...{ method: 'POST', path: '/api/database/backup', operation: 'backup' },
    summary: 'Take a verified backup, then rotate; answers when done',
    does: { command: 'backup', changes: true, body: {}, answer: 'Made' },
  },
  {
    ...{ method: 'POST', path: '/api/database/restore', operation: 'restore' },
    summary: 'Restore a backup, after taking a safety backup to roll back to; answers when done',
    does: {
      ...{ command: 'restore', changes: true, body: { filename: id, confirm }, backup: 'filename', answer: 'Restored' },
      options: ({ confirm: name }) => [`--confirm=${name}`],
    },
  },
  {
    ...{ method: 'DELETE', path: '/api/database/backups/{id}', operation: 'delete' },
    summary: 'Delete one backup that is neither pinned nor the last good one',
    does: { command: 'delete', changes: true, path: { id }, backup: 'id', answer: 'Deleted' },
  },
  {
    ...{ method: 'GET', path: '/api/database/storage', operation: 'storage' },
    summary: 'The disk space of the database and its backups',
    does: { command: 'health', changes: false, answer: 'Storage' },
  },
];

/** The id of a backup, given as such or as the name of its payload. Throws a Refusal. */
export function idOf(given = ''): string {
  if (parseId(given) !== null) return given;
  const file = parseFileName(given);
  if (file?.part === 'payload') return file.id;
  throw unfit(`expected the id of a backup, such as ${EXAMPLE}, or its file name, as in the list`);
}
