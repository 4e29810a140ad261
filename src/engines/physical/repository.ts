import { createHash } from 'node:crypto';
import type { Backup, Catalogue } from '../../backups/catalogue.js';
import { wrong } from '../../backups/finding.js';
import { fileOfSet, type Manifest, type BackupSet as ManifestSet } from '../../backups/manifest.js';
import { formatId } from '../../backups/names.js';
import { newestFirst } from '../../backups/retention.js';
import { BackupError } from '../../errors.js';
import type { Facts } from '../../host/session.js';
import { commonArguments, named } from '../common.js';
import type { Aimed, AimingAt, MadeSet, Repository, SetsOf } from '../database.js';
import type { Dump } from '../restoring.js';
import { archiveIn, timelineOf } from './archive.js';
import { chooseSet } from './choose-set.js';
import { type BackupSet, readSets, type SetRepository } from './sets.js';
import type { PhysicalSource } from './source.js';
import { windowOf } from './window.js';

/** What pgBackRest keeps for a stanza. */
export function physicalRepository({ stanza, given }: PhysicalSource): Repository {
  return {
    look: (settings) => ['job', 'repository_physical', named({ ...commonArguments(settings), container: '', stanza })],
    isTold: (facts) => facts.get('sets') !== null,
    join: (catalogue, facts, about) => join(catalogue, setsIn(facts, stanza), facts, about, stanza, given),
    made: (facts) => madeIn(facts, stanza),
    remove: (settings, facts, doomed, fulls) => [
      'job',
      'expire_physical',
      named({
        ...commonArguments(settings),
        ...{ container: '', stanza },
        repo: String(setsIn(facts, stanza).key),
        lock_wait: String(Math.ceil(settings.lockWaitMs / 1000)),
        sets: doomed.map(({ label, dependents }) => [label, ...dependents].join(' ')).join('\n'),
        fulls: String(fulls),
      }),
    ],
    aim: (facts, about) => aimAt(setsIn(facts, stanza), facts, about),
    window: (facts) => windowIn(setsIn(facts, stanza), facts),
  };
}

/** What the look at the repository has told. Throws E_MANIFEST, E_PERM, E_ARCHIVE. */
export const setsIn = (facts: Facts, stanza: string): SetRepository => readSets(facts.need('sets'), stanza);

/** The id of a set, whoever made it: it is told by the set alone. */
function idOf(name: string, stanza: string, { label, stoppedAt }: BackupSet): string {
  return formatId(name, stoppedAt, suffixOf(stanza, label));
}

const suffixOf = (stanza: string, label: string): string =>
  createHash('sha256')
    .update(fileOfSet({ repository: stanza, label }))
    .digest('hex')
    .slice(0, 4);

function join(
  catalogue: Catalogue,
  repository: SetRepository,
  facts: Facts,
  about: SetsOf,
  stanza: string,
  given: string,
): void {
  const known = new Map(catalogue.backups.map((backup) => [backup.manifest.set?.label, backup]));
  const there = new Set(repository.sets.map(({ label }) => label));
  const unreadable = new Set(catalogue.unreadable.map(({ id }) => id));
  for (const set of repository.sets) {
    const backup = known.get(set.label);
    const id = idOf(about.name, stanza, set);
    if (backup !== undefined) {
      if (set.hasErrors) Object.assign(backup, DAMAGED_PAGES);
    } else if (set.label !== facts.get('made_label') && !unreadable.has(id)) {
      catalogue.backups.push(unmade(set, id, repository, about, stanza, given));
    }
  }
  for (const backup of catalogue.backups) {
    const label = backup.manifest.set?.label ?? '';
    if (there.has(label) || backup.state === 'forged' || backup.state === 'unsigned') continue;
    const detail = `the repository does not have the set ${label} any more`;
    Object.assign(backup, { state: 'damaged', detail, lost: true } satisfies Partial<Backup>);
    catalogue.problems.push(
      wrong(
        'E_CHECKSUM',
        `${backup.id} is lost: ${detail}`,
        `Find out who removed it (a retention of its own in pgbackrest.conf, or a \`pgbackrest expire\`). To remove its manifest, run \`command: delete\` with \`backup: ${backup.id}\`.`,
      ),
    );
  }
  catalogue.backups.sort(newestFirst);
}

const DAMAGED_PAGES: Pick<Backup, 'state' | 'detail'> = {
  state: 'damaged',
  detail: 'pages of the live database did not match their checksums when it was made',
};

/** A set that is there without a manifest: somebody else has made it, and nobody has verified it. */
function unmade(
  set: BackupSet,
  id: string,
  repository: SetRepository,
  { host, settings, signed }: SetsOf,
  stanza: string,
  given: string,
): Backup {
  const createdAt = set.stoppedAt;
  const manifest: Manifest = {
    ...{ schema: 1, id, name: settings.name, engine: settings.database.engine },
    ...payloadOf(set, repository.sets, stanza, '0'.repeat(64)),
    createdAt: createdAt.toISOString().replace('.000Z', 'Z'),
    ...{ host, database: given },
    identity: { stanza, cluster: clusterOf(repository, set) },
    ...{ compression: 'none', encryption: 'none', tools: { pgbackrest: set.tool }, content: null },
    verified: { level: 'none', at: createdAt.toISOString() },
    durationMs: set.stoppedAt.getTime() - set.startedAt.getTime(),
    ...{ github: null, pinned: null, reason: 'manual', recovery: [], mac: null },
  };
  const detail = 'this action neither made nor verified it';
  return {
    ...{ id, createdAt, manifest, files: [] },
    ...(set.hasErrors ? DAMAGED_PAGES : { state: signed ? 'unsigned' : 'unverified', detail }),
  };
}

export const clusterOf = ({ clusters }: SetRepository, { clusterId }: BackupSet): string | null =>
  clusters.find(({ id }) => id === clusterId)?.systemId ?? null;

function payloadOf(
  set: BackupSet,
  sets: readonly BackupSet[],
  stanza: string,
  sha256: string,
): Pick<Manifest, 'kind' | 'file' | 'bytes' | 'databaseBytes' | 'sha256'> & { set: ManifestSet } {
  const { label, type, startedAt, stoppedAt, startWal, stopWal, newBytes, clusterBytes } = set;
  return {
    ...{ kind: type, file: fileOfSet({ repository: stanza, label }), sha256 },
    ...{ bytes: newBytes, databaseBytes: clusterBytes },
    set: {
      ...{
        repository: stanza,
        label,
        needs: chainOf(set, sets),
        from: startedAt.toISOString(),
        to: stoppedAt.toISOString(),
      },
      log: { from: startWal, to: stopWal },
    },
  };
}

/** The labels of those that it was made of, from the full one on. */
function chainOf({ prior }: BackupSet, sets: readonly BackupSet[]): string[] {
  const chain: string[] = [];
  for (let at = prior; at !== null && !chain.includes(at); at = sets.find(({ label }) => label === at)?.prior ?? null) {
    chain.unshift(at);
  }
  return chain;
}

function madeIn(facts: Facts, stanza: string): MadeSet {
  const label = facts.need('made_label');
  const { sets } = setsIn(facts, stanza);
  const set = sets.find((one) => one.label === label);
  if (set === undefined) {
    throw new BackupError(
      'E_DUMP_FAILED',
      `pgBackRest said that it made ${label}, but its repository does not list it`,
      'Check whether something else removes sets of this stanza.',
    );
  }
  if (set.hasErrors) {
    throw new BackupError(
      'E_SOURCE_CORRUPT',
      `${label} holds pages of the live database that do not match their checksums`,
      'No older backup was deleted: keep them. Check the disk of the server, and which files it are: `pgbackrest info --set` names them.',
    );
  }
  return {
    ...payloadOf(set, sets, stanza, facts.need('set_hash')),
    createdAt: set.stoppedAt,
    suffix: suffixOf(stanza, label),
  };
}

/** The timeline of the live cluster; null where the data directory is none, or one of another cluster, whose timelines mean nothing here. */
const timelineIn = ({ clusters }: SetRepository, facts: Facts): number | null =>
  facts.get('system_identifier') === clusters.at(-1)?.systemId ? facts.numberOrNull('timeline') : null;

const windowIn = (repository: SetRepository, facts: Facts): ReturnType<typeof windowOf> =>
  windowOf(repository, archiveIn(facts), timelineIn(repository, facts));

/**
 * The set from which one recovers to what was asked for, among backups that are to be believed; one that was never verified has to be named.
 * Throws E_NOT_FOUND.
 */
function aimAt(repository: SetRepository, facts: Facts, { backups, backup, restoreTime, now }: AimingAt): Aimed {
  const archive = archiveIn(facts);
  const asked = { asked: restoreTime, label: backup?.manifest.set?.label ?? null };
  const choose = (among: readonly Backup[]): Aimed => {
    const labels = new Set(among.map(({ manifest }) => manifest.set?.label ?? ''));
    const sets = repository.sets.filter(({ label }) => labels.has(label));
    const live = { timeline: timelineIn(repository, facts), now };
    const { set, type, target, timeline, past } = chooseSet({ ...repository, sets }, archive, { ...asked, ...live });
    const found = backup ?? among.find(({ manifest }) => manifest.set?.label === set.label);
    if (found === undefined) throw new BackupError('E_INTERNAL', `no backup is of ${set.label}`);
    return { backup: found, aim: { type, target, timeline: String(timeline), past: String(past) } };
  };
  if (backup !== null) return choose(backups.filter(({ state }) => state !== 'damaged'));
  try {
    return choose(backups.filter(({ state }) => state === 'ok'));
  } catch (error) {
    const unverified = backups.filter(({ state }) => state === 'ok' || state === 'unverified');
    throw unlessUnverified(error, () => choose(unverified).backup.id);
  }
}

/** What is wrong, where it is that nobody has verified the backup that would do. */
function unlessUnverified(error: unknown, find: () => string): unknown {
  try {
    const id = find();
    return new BackupError(
      'E_NOT_FOUND',
      `no verified backup leads there, but ${id} does, which was never verified`,
      `Verify it (\`command: verify\` with \`backup: ${id}\`), or set \`backup: ${id}\` to restore from it all the same.`,
      { cause: error },
    );
  } catch {
    return error;
  }
}

/** To which moment a set is recovered, and along which timeline: as far as the WAL goes on its own where nobody has said. */
export function aimOf(dump: Pick<Dump, 'aim' | 'manifest'> | null): { type: string; target: string; timeline: string } {
  const own = timelineOf(dump?.manifest?.set?.log.to ?? '1');
  const { type = 'default', target = '', timeline = String(own) } = dump?.aim ?? {};
  return { type, target, timeline };
}
