import * as v from 'valibot';
import { BackupError } from '../../errors.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import { faultIn, isObject, list, matching, object, oneOf, text, whole } from '../../schemas.js';

// What `pgbackrest info --output=json` tells of one stanza (2.45 to 2.59), read as hostile input.

export type SetType = 'full' | 'diff' | 'incr';

/** A backup as its repository lists it. */
export interface BackupSet {
  label: string;
  type: SetType;
  /** The label of the one that it is a difference to; null: of none. */
  prior: string | null;
  startedAt: Date;
  /** In whole seconds, of which pgBackRest cuts the rest: see `recoverableFrom`. */
  stoppedAt: Date;
  startWal: string;
  stopWal: string;
  stopLsn: bigint;
  /** Of the cluster. */
  clusterBytes: number;
  /** That it added to the repository. */
  newBytes: number;
  /** Pages of the live database did not match their checksums. */
  hasErrors: boolean;
  /** Of `SetRepository.clusters`. */
  clusterId: number;
  /** The version of pgBackRest that made it. */
  tool: string;
}

/** A cluster that the stanza has had; another one after an upgrade. */
export interface Cluster {
  id: number;
  systemId: string;
  version: string;
  /** What its WAL is kept under: `15-1`. */
  archive: string;
}

/** What the first repository of a stanza holds. */
export interface SetRepository {
  /** Its number in the configuration. */
  key: number;
  /** There is a stanza in it. */
  exists: boolean;
  /** In order. */
  clusters: Cluster[];
  /** The oldest first. */
  sets: BackupSet[];
}

/**
 * The first moment to which a set can be recovered for certain. It ended within the second that is told, so a moment of that very second may
 * come before its end, and would be recovered to its end instead.
 */
export const recoverableFrom = ({ stoppedAt }: BackupSet): Date => new Date(stoppedAt.getTime() + 1000);

/** More than any repository has: every one is followed through the archive. */
const MOST_SETS = 10_000;
export const LABEL = /^\d{8}-\d{6}F(?:_\d{8}-\d{6}[DI])?$/;
export const SEGMENT = /^[0-9A-F]{24}$/;
export const LSN = /^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/;
/** Seconds; up to the year 9999, where a date still has its usual form. */
const TIME = v.pipe(whole(), v.maxValue(253_402_300_799, 'a time'));

const SET = object({
  label: matching(LABEL, 'the label of a backup'),
  type: oneOf(['full', 'diff', 'incr']),
  prior: v.nullable(matching(LABEL, 'the label of a backup, or null')),
  reference: v.exactOptional(v.nullable(list(matching(LABEL, 'the label of a backup')))),
  timestamp: object({ start: TIME, stop: TIME }),
  archive: object({
    start: v.nullable(matching(SEGMENT, 'the name of a WAL segment')),
    stop: v.nullable(matching(SEGMENT, 'the name of a WAL segment')),
  }),
  lsn: object({ stop: v.nullable(matching(LSN, 'an LSN')) }),
  info: object({ size: whole(), repository: object({ delta: whole() }) }),
  error: v.exactOptional(v.nullable(v.boolean('a boolean'))),
  database: object({ id: whole(1), 'repo-key': whole(1) }),
  backrest: object({ version: matching(/^[0-9][0-9A-Za-z.-]{0,30}$/, 'a version') }),
});

const STANZA = object({
  name: text(1),
  status: object({ code: whole(), message: text() }),
  repo: list(object({ key: whole(1), status: object({ code: whole(), message: text() }) })),
  db: list(
    object({
      id: whole(1),
      'repo-key': whole(1),
      'system-id': matching(/^[0-9]{1,20}$/, 'the number of a cluster'),
      version: matching(/^[0-9]{1,2}(?:\.[0-9]{1,2})?$/, 'a version'),
    }),
  ),
  backup: v.pipe(list(SET), v.maxLength(MOST_SETS, `at most ${MOST_SETS} backups`)),
});

const MISSING = [1, 3];
const FINE = [0, 2, 4];

/** Throws E_MANIFEST when it is not what pgBackRest writes; E_PERM, E_ARCHIVE when the repository could not be read. */
export function readSets(said: string, stanza: string): SetRepository {
  const document = parse(said);
  const [found, twice] = document.filter((one) => isObject(one) && 'name' in one && one.name === stanza);
  if (twice !== undefined) throw refused('it lists the stanza twice');
  if (found === undefined) return { key: 1, exists: false, clusters: [], sets: [] };
  const fault = faultIn(STANZA, found);
  if (fault !== null) throw refused(`${fault.path}: expected ${fault.rule}`);
  const { status, repo, db, backup } = found as v.InferOutput<typeof STANZA>;
  const [first] = repo.toSorted((a, b) => a.key - b.key);
  const key = first?.key ?? 1;
  const own = first?.status ?? status;
  const listed = backup.filter(({ database }) => database['repo-key'] === key);
  if (MISSING.includes(own.code) && listed.length === 0) return { key, exists: false, clusters: [], sets: [] };
  if (!FINE.includes(own.code)) throw unreadable(own.message);
  const clusters = db
    .filter((one) => one['repo-key'] === key)
    .map(({ id, version, 'system-id': systemId }) => ({
      id,
      version,
      systemId,
      archive: `${version}-${id}`,
    }))
    .toSorted((a, b) => a.id - b.id);
  const sets = listed.map(setOf);
  check(sets);
  checkReferences(listed);
  const ids = new Set(clusters.map(({ id }) => id));
  if (ids.size < clusters.length) throw refused('it lists a cluster twice');
  const stray = sets.find(({ clusterId }) => !ids.has(clusterId));
  if (stray !== undefined) throw refused(`${stray.label} is of the cluster ${stray.clusterId}, which is not there`);
  return {
    key,
    exists: true,
    clusters,
    sets: sets.toSorted((a, b) => a.stoppedAt.getTime() - b.stoppedAt.getTime() || (a.label < b.label ? -1 : 1)),
  };
}

/** The number of a system is larger than a number of JavaScript can be. */
function parse(said: string): unknown[] {
  try {
    const document: unknown = JSON.parse(said.replace(/("system-id":)\s*(\d{1,20})/g, '$1"$2"'));
    if (Array.isArray(document)) return document;
  } catch {
    // the same
  }
  throw refused(`it is no list in JSON, but begins with ${quoteOutside(JSON.stringify(said.slice(0, 60)), 100)}`);
}

function setOf({
  label,
  type,
  prior,
  timestamp,
  archive,
  lsn,
  info,
  error,
  database,
  backrest,
}: v.InferOutput<typeof SET>): BackupSet {
  if (archive.start === null || archive.stop === null || lsn.stop === null) {
    throw refused(`${label} names no WAL: it was made without online backup, which cannot be recovered`);
  }
  return {
    ...{ label, type, prior, startWal: archive.start, stopWal: archive.stop, stopLsn: parseLsn(lsn.stop) },
    startedAt: new Date(timestamp.start * 1000),
    stoppedAt: new Date(timestamp.stop * 1000),
    ...{ clusterBytes: info.size, newBytes: info.repository.delta },
    ...{ hasErrors: error === true, clusterId: database.id, tool: backrest.version },
  };
}

/** What no pgBackRest writes would lead astray what is removed and restored. */
function check(sets: readonly BackupSet[]): void {
  const byLabel = new Map(sets.map((set) => [set.label, set]));
  if (byLabel.size < sets.length) throw refused('it lists a backup twice');
  for (const { label, type, prior, startedAt, stoppedAt, startWal, stopWal } of sets) {
    const ending = { full: 'F', diff: 'D', incr: 'I' }[type];
    if (!label.endsWith(ending)) throw refused(`${label} is called ${type}`);
    if (stoppedAt < startedAt) throw refused(`${label} ended before it began`);
    if (startWal.slice(0, 8) !== stopWal.slice(0, 8) || startWal > stopWal)
      throw refused(`${label} has WAL that ends before it begins`);
    if ((type === 'full') !== (prior === null)) throw refused(`${label} is ${type}, but follows ${prior ?? 'nothing'}`);
    // a label tells its full one, and a prior one is older: so no chain leads in a circle
    const before = prior === null ? null : byLabel.get(prior);
    if (before === undefined) throw refused(`${label} follows ${prior}, which is not there`);
    if (
      before !== null &&
      (before.stoppedAt > stoppedAt || before.label.slice(0, 16) !== label.slice(0, 16) || before.label >= label)
    ) {
      throw refused(`${label} follows ${prior}, which is of another chain`);
    }
    if (type === 'diff' && before?.type !== 'full')
      throw refused(`${label} is diff, but follows ${prior}, which is not full`);
  }
}

/** That whatever a set takes files from is there. */
function checkReferences(listed: readonly Pick<v.InferOutput<typeof SET>, 'label' | 'reference'>[]): void {
  const labels = new Set(listed.map(({ label }) => label));
  for (const { label, reference } of listed) {
    const lost = (reference ?? []).find((one) => !labels.has(one) || one >= label);
    if (lost !== undefined) throw refused(`${label} needs ${lost}, which is not there`);
  }
}

/** `16/B374D848` */
export function parseLsn(text: string): bigint {
  const [high = '0', low = '0'] = text.split('/');
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

const refused = (what: string): BackupError =>
  new BackupError(
    'E_MANIFEST',
    `what pgBackRest tells of its repository cannot be right: ${what}`,
    'Look at `pgbackrest info` on the host. If it is right, please report this as a bug of this action.',
  );

function unreadable(message: string): BackupError {
  const said = quoteOutside(message, 500);
  return /Permission denied/.test(message)
    ? new BackupError(
        'E_PERM',
        `the repository cannot be read: ${said}`,
        'Set `run-as` to the owner of the cluster, usually `postgres`. If it is set, a run of pgBackRest as root has left files there that nobody else can read: give them back with chown.',
      )
    : new BackupError(
        'E_ARCHIVE',
        `the repository cannot be read: ${said}`,
        'Check its path, the network, its credentials and its passphrase in pgbackrest.conf.',
      );
}
