/**
 * The names of the files in a backup directory:
 * `<name>-<YYYYMMDDTHHMMSSZ>-<4 hex>` and one ending. What does not parse here is not ours: never counted, never touched.
 */
import { isKind } from './format.js';
import { type Compression, compressionOf, type Encrypted, endingOf, type Method } from './packing.js';

export interface ParsedFileName {
  id: string;
  name: string;
  createdAt: Date;
  part: 'payload' | 'checksum' | 'manifest';
  /** Of payloads and checksums. */
  kind?: string;
  compression?: Compression;
  /** Absent: not encrypted. */
  encryption?: Method;
}

const NAME = '[A-Za-z0-9][A-Za-z0-9._-]{0,63}';
// Greedy name, then a tail of fixed form up to the end: the name may itself contain hyphens, dots and even a stamp, and
// there is still only one way to read it. That is what "parsed from the right" means, and why `app` is not `app-staging`.
const ID = `(?<id>(?<name>${NAME})-(?<stamp>[0-9]{8}T[0-9]{6}Z)-[0-9a-f]{4})`;
const NAME_ONLY = new RegExp(`^${NAME}$`);
const ID_ONLY = new RegExp(`^${ID}$`);
const MANIFEST = new RegExp(`^${ID}\\.json$`);
const PAYLOAD = new RegExp(
  `^${ID}\\.(?<kind>[a-z0-9]+)(?<packed>\\.zst|\\.gz)?(?:\\.(?<sealed>age|gpg))?(?<checksum>\\.sha256)?$`,
);

/** Whether `name` may be the prefix of backup names. */
export function isName(name: string): boolean {
  return NAME_ONLY.test(name);
}

/**
 * The id of a new backup. `createdAt` is cut to whole seconds; `suffix` is 4 lower-case hex digits, random.
 * @throws RangeError when a part is outside the grammar, which is a bug of the caller.
 */
export function formatId(name: string, createdAt: Date, suffix: string): string {
  const id = `${name}-${createdAt.toISOString().replace(/[-:]|\.\d+/g, '')}-${suffix}`;
  if (parseId(id)?.name !== name) throw new RangeError(`not the parts of a backup id: ${JSON.stringify(id)}`);
  return id;
}

/** File name of the payload. */
export function payloadFile(
  id: string,
  kind: string,
  compression: Compression,
  encryption: Encrypted = 'none',
): string {
  return `${id}.${kind}${endingOf({ compression, encryption })}`;
}

/** File name of the checksum beside a payload, for `sha256sum -c`. */
export function checksumFile(payload: string): string {
  return `${payload}.sha256`;
}

/** File name of the manifest. */
export function manifestFile(id: string): string {
  return `${id}.json`;
}

/** What a file name says, or null when it is not exactly one of ours. Paths are not file names. */
export function parseFileName(file: string): ParsedFileName | null {
  const manifest = MANIFEST.exec(file)?.groups;
  if (manifest !== undefined) return withId(manifest, { part: 'manifest' });
  const payload = PAYLOAD.exec(file)?.groups;
  const { kind = '', packed, sealed } = payload ?? {};
  if (payload === undefined || !isKind(kind)) return null;
  return withId(payload, {
    part: payload.checksum === undefined ? 'payload' : 'checksum',
    kind,
    compression: compressionOf(packed ?? ''),
    ...(sealed === undefined ? {} : { encryption: sealed as Method }),
  });
}

/** Name and instant of an id, or null when it is none. */
export function parseId(text: string): { name: string; createdAt: Date } | null {
  const groups = ID_ONLY.exec(text)?.groups;
  const createdAt = parseStamp(groups?.stamp ?? '');
  return createdAt === null ? null : { name: groups?.name ?? '', createdAt };
}

/** Whether `text` is the id of a backup of the database called `name`. */
export function isId(text: string, name: string): boolean {
  return parseId(text)?.name === name;
}

/** The default `name` for the database of that name; null when nothing valid is left. */
export function nameFromText(text: string): string | null {
  const name = text
    .replace(/[^A-Za-z0-9._-]/gu, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 64)
    .replace(/[.-]+$/, '');
  return isName(name) ? name : null;
}

function withId(
  groups: Record<string, string>,
  rest: Omit<ParsedFileName, 'id' | 'name' | 'createdAt'>,
): ParsedFileName | null {
  const createdAt = parseStamp(groups.stamp ?? '');
  return createdAt === null ? null : { id: groups.id ?? '', name: groups.name ?? '', createdAt, ...rest };
}

/** `20261120T101500Z`; null unless that second exists in the calendar. */
function parseStamp(stamp: string): Date | null {
  const iso = stamp.replace(/^(....)(..)(..T..)(..)(..)Z$/, '$1-$2-$3:$4:$5Z');
  const date = new Date(iso);
  // Date accepts 30 February and 24:00 and moves them to the next day, hence the way back.
  if (Number.isNaN(date.getTime()) || date.toISOString() !== iso.replace('Z', '.000Z')) return null;
  return date;
}
