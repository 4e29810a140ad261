import * as v from 'valibot';
import { BackupError } from '../errors.js';
import {
  anyObject,
  faultIn,
  instant,
  isObject,
  list,
  matching,
  object,
  oneOf,
  quoted,
  text,
  texts,
  whole,
} from '../schemas.js';
import { COVERAGE } from './coverage.js';
import { allKinds, engineNames, faultInIdentity, formatNamed, type Identity } from './format.js';
import { manifestFile, parseId, payloadFile } from './names.js';
import { COMPRESSIONS, type Encrypted, METHODS, MOST_RECIPIENTS } from './packing.js';
import { KEEP_RULES } from './retention.js';
import { MAC } from './signature.js';

/** The host and the store send as much of one; catalogue_awk of host/programs/catalogue.sh has it too. */
export const MAX_READ_BYTES = 12 << 20;
const SHOWN_LIMIT = 80;

export const VERIFIED_LEVELS = ['none', 'checksum', 'content', 'restore'] as const;
export type VerifiedLevel = (typeof VERIFIED_LEVELS)[number];
/** What pins by itself, and takes its oldest pins back: a restore its safety backups, a loss of rows the backup before it. */
const PINNERS = ['restore', 'row-loss'] as const;
export type PinnedBy = (typeof PINNERS)[number];
/** The inputs by which a backup may become suspect. */
const LIMITS = ['shrink-limit', 'growth-limit', 'row-loss-limit'] as const;
export type Limit = (typeof LIMITS)[number];

const TABLE_ROWS = object({
  /** With its schema before it, where the engine has schemas. */
  name: text(),
  /** null: not counted. */
  rows: v.nullable(whole()),
});
export type TableRows = v.InferOutput<typeof TABLE_ROWS>;

const CONTENT = object({
  /** Those whose data is in the backup. */
  tables: list(TABLE_ROWS),
  /** How many more there are, for which the manifest has no room: nothing can be demanded of them. */
  tablesLeftOut: v.exactOptional(whole()),
  /** Whatever has a name of its own, with the tables. */
  objects: whole(),
});
/** What is in a backup. Each engine has more of its own. */
export interface Content extends v.InferOutput<typeof CONTENT> {
  /** Where the engine looks for them. */
  foreignKeyViolations?: number;
}

/** Which limit a backup tripped, and how, in a sentence. */
const SUSPICION = object({ limit: oneOf(LIMITS), why: text(1) });
export type Suspicion = v.InferOutput<typeof SUSPICION>;

/** As the input `keep` takes them; a rule of a later version is not for this one to judge, and keeps nothing here. */
export const RULES = v.pipe(
  anyObject,
  v.check((rules) => Object.keys(rules).length > 0, 'at least one rule'),
  v.object(v.entriesFromList(KEEP_RULES, v.exactOptional(whole(1)))),
);

const SEALED = object({
  method: oneOf(METHODS),
  recipients: v.pipe(
    list(matching(/^[!-~]{1,60}$/, 'at most 60 printable characters')),
    v.maxLength(MOST_RECIPIENTS, `a list of at most ${MOST_RECIPIENTS}`),
  ),
});
const ENCRYPTED = v.lazy(
  (input) => (isObject(input) ? SEALED : oneOf(['none'])) as v.GenericSchema<unknown, Encrypted>,
);

/** What lies in the repository of another tool, where no file is of this backup alone. */
const SET = object({
  /** Whose repository it is, and what the set is called there. */
  repository: text(1),
  label: text(1),
  /** The sets without which it cannot be restored, oldest first. */
  needs: list(text(1)),
  /** When it was begun, and from when on the database can be recovered to any moment. */
  from: instant,
  to: instant,
  /** The first and the last piece of the log that it needs. */
  log: object({ from: text(1), to: text(1) }),
});
export type BackupSet = v.InferOutput<typeof SET>;

/** What earlier versions did not write is as it was then: good, and whole. */
const MANIFEST = object({
  schema: oneOf([1]),
  id: text(),
  name: text(),
  engine: text(),
  /** The ending of the payload. */
  kind: text(),
  compression: oneOf(COMPRESSIONS),
  /** File name of the payload, in the same directory; of a set `REPOSITORY/LABEL`. */
  file: text(),
  /** Only where the engine keeps its backups in a repository. */
  set: v.exactOptional(SET),
  encryption: ENCRYPTED,
  /** Of all the other fields, also of those that this version does not know; null: it is not signed. */
  mac: v.nullable(matching(MAC, 'null, or hmac-sha256: and 64 lower-case hex digits')),
  /** ISO 8601, UTC, whole seconds; the same instant as in the id. */
  createdAt: instant,
  host: text(),
  /** As given by the user, without a password. */
  database: text(1),
  identity: v.custom<Identity>(isObject, 'an object'),
  bytes: whole(),
  /** Of the copy that was made, unpacked; of a logical dump that of the live database, with indexes. */
  databaseBytes: whole(),
  durationMs: whole(),
  sha256: matching(/^[0-9a-f]{64}$/, '64 lower-case hex digits'),
  tools: texts,
  /** `ms`: how long the restoring took; only with the level `restore`. */
  verified: object({ level: oneOf(VERIFIED_LEVELS), at: instant, ms: v.exactOptional(whole()) }),
  github: v.nullable(
    object({
      repository: text(),
      sha: text(),
      ref: text(),
      runId: text(),
      runUrl: text(),
      actor: text(),
      event: text(),
    }),
  ),
  /** `by`: absent when a person has pinned it. */
  pinned: v.nullable(object({ reason: text(1), at: instant, by: v.exactOptional(oneOf(PINNERS)) })),
  /** The manifest was lost, and this one made from what the payload itself tells. */
  adopted: v.exactOptional(v.nullable(object({ at: instant }))),
  /** How many were to be kept, by the run that made it; and in the store, where its copies are rotated. `within` in milliseconds. */
  keep: v.exactOptional(RULES),
  s3Keep: v.exactOptional(RULES),
  /** null: everything, as of earlier versions, which did not say. */
  coverage: v.exactOptional(v.nullable(COVERAGE)),
  /** 'suspect': it tripped a limit, and counts for nothing until a person says that it is right. Earlier versions wrote none: 'ok'. */
  state: v.exactOptional(oneOf(['ok', 'suspect'])),
  /** What made it suspect, also when it was accepted since. */
  suspicion: v.exactOptional(v.nullable(SUSPICION)),
  /** A person has said that this one is right, and by what: the history of sizes and rows begins anew with it. */
  accepted: v.exactOptional(v.nullable(object({ by: text(1), at: instant }))),
  /** Since when the history goes, where somebody has said so: that one may be gone before older ones are. */
  historySince: v.exactOptional(v.nullable(instant)),
  /** Ids of the suspect backups that had been accepted when this one was made: their copies in a store are never written again. */
  accepts: v.exactOptional(
    list(
      v.pipe(
        text(),
        v.check((id) => parseId(id) !== null, 'an id of the grammar'),
      ),
    ),
  ),
  reason: oneOf(['manual', 'scheduled', 'deploy', 'safety']),
  /** Shell lines that bring it back with stock tools alone. */
  recovery: list(text()),
  content: v.nullable(CONTENT),
});

/** The document beside each backup, written last: without it there is no backup. */
export interface Manifest extends Omit<v.InferOutput<typeof MANIFEST>, 'content'> {
  content: Content | null;
  /** Never in a file: as a catalogue has it, without the long lists (`recovery`, and those of `content`); `whole` gets them. */
  shortened?: true;
}
export type Reason = Manifest['reason'];

/** What stands for a file of a set. */
export const fileOfSet = ({ repository, label }: Pick<BackupSet, 'repository' | 'label'>): string =>
  `${repository}/${label}`;

/** Whether the one level proves all that the other does. */
export const isAtLeast = (level: VerifiedLevel, other: VerifiedLevel): boolean =>
  VERIFIED_LEVELS.indexOf(level) >= VERIFIED_LEVELS.indexOf(other);

/** The files of a damaged database, byte by byte: not a backup that can be restored. */
export const isDamagedCopy = ({ engine, kind }: Pick<Manifest, 'engine' | 'kind'>): boolean =>
  !formatNamed(engine).kinds.includes(kind);

/**
 * Reads a manifest that the host printed, and trusts none of it: type, length and range of each field, and that id, name,
 * file, kind, compression and time agree with each other and with `expectedId` (from the manifest's own file name).
 * Fields that this version does not know stay in the returned object, so that rewriting it (pin) loses nothing.
 * @throws BackupError E_MANIFEST, naming the file and the field.
 */
export function parseManifest(text: string, expectedId: string): Manifest {
  const file = manifestFile(expectedId);
  if (text.length > MAX_READ_BYTES) throw refused(file, 'text', `at most ${MAX_READ_BYTES} bytes`, text.length);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw refused(file, 'text', 'JSON', text);
  }
  if (!isObject(document)) throw refused(file, 'text', 'a JSON object', document);
  demand(file, MANIFEST, document);
  const manifest = document as Manifest;
  checkAgreement(file, manifest, expectedId);
  return manifest;
}

/**
 * The manifest as written to the host: JSON with two spaces and a final newline.
 * It must pass `parseManifest` first: a manifest that we would refuse later is a backup that never counts.
 * @throws BackupError E_MANIFEST
 */
export function serializeManifest(manifest: Manifest): string {
  if (manifest.shortened !== undefined) throw new BackupError('E_INTERNAL', `half of the manifest of ${manifest.id}`);
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  parseManifest(text, manifest.id);
  return text;
}

/** That its fields agree with its id and its engine. */
function checkAgreement(file: string, manifest: Manifest, expectedId: string): void {
  const id = parseId(expectedId);
  if (id === null) throw refused(file, 'id', 'an id of the grammar', manifest.id);
  const expect = (name: keyof Manifest, allowed: readonly string[]): void => {
    if (!(allowed as readonly unknown[]).includes(manifest[name])) {
      throw refused(file, name, quoted(allowed), manifest[name]);
    }
  };
  expect('id', [expectedId]);
  expect('name', [id.name]);
  expect('engine', engineNames());
  const format = formatNamed(manifest.engine);
  expect('kind', allKinds(format));
  if ((manifest.set === undefined) === (format.inRepository === true)) {
    throw refused(
      file,
      'set',
      format.inRepository ? 'a set of a repository' : 'nothing with this engine',
      manifest.set,
    );
  }
  expect('file', [
    manifest.set === undefined
      ? payloadFile(expectedId, manifest.kind, manifest.compression, manifest.encryption)
      : fileOfSet(manifest.set),
  ]);
  if (new Date(manifest.createdAt).getTime() !== id.createdAt.getTime()) {
    throw refused(file, 'createdAt', `the time of the id, ${id.createdAt.toISOString()}`, manifest.createdAt);
  }
  const fault = faultInIdentity(format, manifest.identity);
  if (fault !== null) throw refused(file, `identity.${fault.path}`, fault.rule, fault.value);
  if (manifest.content !== null) demand(file, format.content, manifest.content, 'content.');
}

function demand(file: string, schema: v.GenericSchema, document: unknown, prefix = ''): void {
  const fault = faultIn(schema, document);
  if (fault !== null) throw refused(file, `${prefix}${fault.path}`, fault.rule, fault.value);
}

function refused(file: string, field: string, rule: string, value: unknown): BackupError {
  return new BackupError('E_MANIFEST', `${file}: ${shorten(field)}: expected ${rule}, got ${show(value)}`);
}

/** JSON keeps control characters of a hostile value out of the message; the length is bounded. */
function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return JSON.stringify(typeof value === 'string' ? shorten(value) : value);
}

function shorten(text: string): string {
  return text.length > SHOWN_LIMIT ? `${text.slice(0, SHOWN_LIMIT)}...` : text;
}
