import { BackupError } from '../errors.js';
import { type Coverage, coverageOf } from './coverage.js';
import { allKinds, checkIdentityOf, engineNames, formatNamed, type Identity } from './format.js';
import { Fields } from './manifest-fields.js';
import { manifestFile, parseId, payloadFile } from './names.js';
import { COMPRESSIONS, type Compression } from './packing.js';
import { KEEP_RULES, type KeepRules } from './retention.js';

/** The document beside each backup, written last: without it there is no backup. */
export type VerifiedLevel = 'none' | 'checksum' | 'content' | 'restore';
/** What pins by itself, and takes its oldest pins back: a restore its safety backups, a loss of rows the backup before it. */
export type PinnedBy = 'restore' | 'row-loss';
export type Reason = 'manual' | 'scheduled' | 'deploy' | 'safety';

export interface TableRows {
  /** With its schema before it, where the engine has schemas. */
  name: string;
  /** null: not counted. */
  rows: number | null;
}

/** What is in a backup. Each engine has more of its own. */
export interface Content {
  /** Those whose data is in the backup. */
  tables: TableRows[];
  /** How many more there are, for which the manifest has no room: nothing can be demanded of them. */
  tablesLeftOut?: number;
  /** Whatever has a name of its own, with the tables. */
  objects: number;
  /** Where the engine looks for them. */
  foreignKeyViolations?: number;
}

/** Which limit a backup tripped, and how, in a sentence. */
export interface Suspicion {
  limit: Limit;
  why: string;
}

/** The inputs by which a backup may become suspect. */
export type Limit = 'shrink-limit' | 'growth-limit' | 'row-loss-limit';

export interface Manifest {
  schema: 1;
  id: string;
  name: string;
  engine: string;
  /** The ending of the payload. */
  kind: string;
  /** File name of the payload, in the same directory. */
  file: string;
  /** ISO 8601, UTC, whole seconds; the same instant as in the id. */
  createdAt: string;
  host: string;
  /** As given by the user, without a password. */
  database: string;
  identity: Identity;
  bytes: number;
  sha256: string;
  /** Of the copy that was made, unpacked; of a logical dump that of the live database, with indexes. */
  databaseBytes: number;
  compression: Compression;
  encryption: 'none';
  tools: Record<string, string>;
  content: Content | null;
  /** `ms`: how long the restoring took; only with the level `restore`. */
  verified: { level: VerifiedLevel; at: string; ms?: number };
  durationMs: number;
  github: {
    repository: string;
    sha: string;
    ref: string;
    runId: string;
    runUrl: string;
    actor: string;
    event: string;
  } | null;
  /** `by`: absent when a person has pinned it. */
  pinned: { reason: string; at: string; by?: PinnedBy } | null;
  /** How many were to be kept, by the run that made it; and in the store, where its copies are rotated. `within` in milliseconds. */
  keep?: KeepRules;
  s3Keep?: KeepRules;
  /** The manifest was lost, and this one made from what the payload itself tells. */
  adopted?: { at: string } | null;
  /** null: everything, as of earlier versions, which did not say. */
  coverage?: Coverage | null;
  /** 'suspect': it tripped a limit, and counts for nothing until a person says that it is right. Earlier versions wrote none: 'ok'. */
  state?: 'ok' | 'suspect';
  /** What made it suspect, also when it was accepted since. */
  suspicion?: Suspicion | null;
  /** A person has said that this one is right, and by what: the history of sizes and rows begins anew with it. */
  accepted?: { by: string; at: string } | null;
  /** Since when the history goes, where somebody has said so: that one may be gone before older ones are. */
  historySince?: string | null;
  /** Ids of the suspect backups that had been accepted when this one was made: their copies in a store are never written again. */
  accepts?: string[];
  reason: Reason;
  /** Shell lines that bring it back with stock tools alone. */
  recovery: string[];
  mac: null;
  /** Never in a file: as a catalogue has it, without the long lists (`recovery`, and those of `content`); `whole` gets them. */
  shortened?: true;
}

const VERIFIED_LEVELS: readonly VerifiedLevel[] = ['none', 'checksum', 'content', 'restore'];
/** Whether the one level proves all that the other does. */
export const isAtLeast = (level: VerifiedLevel, other: VerifiedLevel): boolean =>
  VERIFIED_LEVELS.indexOf(level) >= VERIFIED_LEVELS.indexOf(other);
const LIMITS: readonly Limit[] = ['shrink-limit', 'growth-limit', 'row-loss-limit'];
const PINNERS: readonly PinnedBy[] = ['restore', 'row-loss'];
const REASONS: readonly Reason[] = ['manual', 'scheduled', 'deploy', 'safety'];

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
  const manifest = Fields.parse(manifestFile(expectedId), text);
  checkIdentity(manifest, expectedId);
  checkFacts(manifest);
  checkContent(manifest);
  return manifest.all() as Manifest;
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

function checkIdentity(manifest: Fields, expectedId: string): void {
  const id = parseId(expectedId);
  if (id === null) manifest.refuse('id', 'an id of the grammar');
  manifest.oneOf('schema', [1]);
  manifest.oneOf('id', [expectedId]);
  manifest.oneOf('name', [id.name]);
  const engine = formatNamed(manifest.oneOf('engine', engineNames()));
  const kind = manifest.oneOf('kind', allKinds(engine));
  const compression = manifest.oneOf('compression', COMPRESSIONS);
  manifest.oneOf('file', [payloadFile(expectedId, kind, compression)]);
  // What a later version sealed or signed can not be read here, nor rewritten without breaking the seal.
  manifest.oneOf('encryption', ['none']);
  manifest.oneOf('mac', [null]);
  if (manifest.instant('createdAt').getTime() !== id.createdAt.getTime()) {
    manifest.refuse('createdAt', `the time of the id, ${id.createdAt.toISOString()}`);
  }
  manifest.text('host');
  manifest.text('database', 1);
  checkIdentityOf(engine, manifest.object('identity'));
}

function checkFacts(manifest: Fields): void {
  for (const name of ['bytes', 'databaseBytes', 'durationMs']) manifest.whole(name);
  manifest.matching('sha256', /^[0-9a-f]{64}$/, '64 lower-case hex digits');
  const tools = manifest.object('tools');
  for (const name of tools.names()) tools.text(name);
  const verified = manifest.object('verified');
  verified.oneOf('level', VERIFIED_LEVELS);
  verified.instant('at');
  if (verified.has('ms')) verified.whole('ms');
  const github = manifest.objectOrNull('github');
  for (const name of ['repository', 'sha', 'ref', 'runId', 'runUrl', 'actor', 'event']) github?.text(name);
  const pinned = manifest.objectOrNull('pinned');
  pinned?.text('reason', 1);
  pinned?.instant('at');
  if (pinned?.has('by')) pinned.oneOf('by', PINNERS);
  checkStanding(manifest);
  manifest.oneOf('reason', REASONS);
  const recovery = manifest.list('recovery');
  for (const index of recovery.names()) recovery.text(index);
}

/** What earlier versions did not write is as it was then: good, and whole. */
function checkStanding(manifest: Fields): void {
  if (manifest.has('adopted')) manifest.objectOrNull('adopted')?.instant('at');
  for (const name of ['keep', 's3Keep']) if (manifest.has(name)) checkRules(manifest, name);
  if (manifest.has('coverage')) checkCoverage(manifest);
  if (manifest.has('state')) manifest.oneOf('state', ['ok', 'suspect']);
  if (manifest.has('suspicion')) {
    const suspicion = manifest.objectOrNull('suspicion');
    suspicion?.oneOf('limit', LIMITS);
    suspicion?.text('why', 1);
  }
  if (manifest.has('accepted')) {
    const accepted = manifest.objectOrNull('accepted');
    accepted?.text('by', 1);
    accepted?.instant('at');
  }
  if (manifest.has('historySince') && manifest.textOrNull('historySince') !== null) manifest.instant('historySince');
  if (manifest.has('accepts')) {
    const accepts = manifest.list('accepts');
    for (const index of accepts.names()) {
      if (parseId(accepts.text(index)) === null) accepts.refuse(index, 'an id of the grammar');
    }
  }
}

/** As the input `keep` takes them; a rule of a later version is not for this one to judge, and keeps nothing here. */
function checkRules(manifest: Fields, name: string): void {
  const rules = manifest.object(name);
  const known = KEEP_RULES.filter((rule) => rules.has(rule));
  if (rules.names().length === 0) manifest.refuse(name, 'at least one rule');
  for (const rule of known) {
    if (rules.whole(rule) < 1) rules.refuse(rule, 'a whole number of 1 or more');
  }
}

/** Written in another order it would be another series. */
function checkCoverage(manifest: Fields): void {
  const coverage = manifest.objectOrNull('coverage');
  if (coverage === null) return;
  const read = (name: keyof Coverage): string[] => {
    const patterns = coverage.list(name);
    return patterns.names().map((index) => patterns.text(index, 1));
  };
  if (coverage.has('unknown')) {
    coverage.oneOf('unknown', [true]);
    return;
  }
  const found = {
    excludeTable: read('excludeTable'),
    excludeTableData: read('excludeTableData'),
    schema: read('schema'),
  };
  if (JSON.stringify(coverageOf(found)) !== JSON.stringify(found)) {
    manifest.refuse('coverage', 'patterns in order, at least one');
  }
}

function checkContent(manifest: Fields): void {
  const content = manifest.objectOrNull('content');
  if (content === null) return;
  content.whole('objects');
  if (content.names().includes('tablesLeftOut')) content.whole('tablesLeftOut');
  formatNamed(manifest.oneOf('engine', engineNames())).checkContent(content);
  const tables = content.list('tables');
  for (const index of tables.names()) {
    const table = tables.object(index);
    table.text('name');
    table.wholeOrNull('rows');
  }
}
