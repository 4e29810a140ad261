/** Backups that are in two places: on the host, and as copies in an S3 store. */
import { type Backup, type Catalogue, isTrusted, standingOf, toCandidates } from './catalogue.js';
import { acceptedIn } from './history.js';
import { type Identity, serverOf } from './identity.js';
import type { Manifest } from './manifest.js';
import { type Candidate, newestFirst } from './retention.js';

export type BackupPlace = 'host' | 's3';

export interface PlacedBackup {
  /** As it is on the host, unless only the copy is sound. */
  backup: Backup;
  /** Where `backup` is described from. */
  from: BackupPlace;
  places: BackupPlace[];
}

/** Every backup once, newest first. */
export function placed(onHost: readonly Backup[], copies: readonly Backup[]): PlacedBackup[] {
  const byId = new Map(copies.map((copy) => [copy.id, copy]));
  const found = onHost.map((backup): PlacedBackup => {
    const copy = byId.get(backup.id);
    if (copy === undefined) return { backup, from: 'host', places: ['host'] };
    byId.delete(backup.id);
    const isBetter = !['ok', 'suspect'].includes(backup.state) && copy.state === 'ok';
    return { ...(isBetter ? { backup: copy, from: 's3' } : { backup, from: 'host' }), places: ['host', 's3'] };
  });
  for (const backup of byId.values()) found.push({ backup, from: 's3', places: ['s3'] });
  return found.sort((a, b) => newestFirst(a.backup, b.backup));
}

/**
 * The copies with what became of them since. The manifest of a copy is never written again, so whether it is suspect, and was accepted, is
 * what the host says; where the host does not have that backup any more, what later backups say.
 */
export function asJudgedSince(copies: readonly Backup[], onHost: readonly Backup[]): Backup[] {
  const hosts = new Map(onHost.filter(isTrusted).map(({ id, manifest }) => [id, manifest]));
  const accepted = new Set(acceptedIn([...onHost, ...copies]));
  return copies.map((copy) => {
    if (!['ok', 'suspect'].includes(copy.state)) return copy;
    const word = hosts.get(copy.id);
    const manifest =
      word !== undefined
        ? withStanding(copy.manifest, word)
        : accepted.has(copy.id)
          ? { ...copy.manifest, state: 'ok' as const, accepted: { by: 'command: accept', at: copy.manifest.createdAt } }
          : copy.manifest;
    return { ...copy, manifest, ...standingOf(manifest) };
  });
}

function withStanding(manifest: Manifest, { state, suspicion, accepted }: Manifest): Manifest {
  return {
    ...manifest,
    ...(state === undefined ? {} : { state }),
    ...(suspicion === undefined ? {} : { suspicion }),
    ...(accepted === undefined ? {} : { accepted }),
  };
}

/** Ids of the backups of which the copy is not of the same bytes, by what the two manifests say. */
export function contradicting(onHost: readonly Backup[], copies: readonly Backup[]): string[] {
  const hashes = new Map(onHost.map(({ id, manifest }) => [id, manifest.sha256]));
  return copies
    .filter(({ id, manifest }) => (hashes.get(id) ?? manifest.sha256) !== manifest.sha256)
    .map(({ id }) => id);
}

/**
 * The copies as retention sees them, in the same order. A backup that is pinned on the host keeps its copy, which is never written
 * again; of one whose manifest can not be read or believed there, that is not known. Two hosts may have databases of one name at one path, and
 * share a bucket by mistake: what was made on another host is kept and not counted.
 */
export function copyCandidates(
  copies: readonly Backup[],
  onHost: Pick<Catalogue, 'backups' | 'unreadable'>,
  here: { host: string; identity: Identity },
): Candidate[] {
  const pins = new Map([
    ...onHost.unreadable.map(({ id }) => [id, 'perhaps: its manifest on the host cannot be read'] as const),
    ...onHost.backups.map((backup) => [backup.id, pinOf(backup)] as const),
  ]);
  return toCandidates(copies, 's3Keep').map((candidate, at) => {
    const manifest = copies[at]?.manifest;
    const pinned = candidate.pinned ?? pins.get(candidate.id) ?? null;
    if (manifest === undefined || !isFromElsewhere(manifest, here)) return { ...candidate, pinned };
    return { ...candidate, pinned, verified: false, why: `made on another host, ${manifest.host}` };
  });
}

const pinOf = ({ manifest, state }: Backup): string | null =>
  isTrusted({ state }) ? (manifest.pinned?.reason ?? null) : `perhaps: its manifest on the host is ${state}`;

/** The server tells more than the name of the host, unless that is the server's own address. */
export function isFromElsewhere(
  manifest: { host: string; identity: Identity },
  here: { host: string; identity: Identity },
): boolean {
  if (manifest.host === here.host) return false;
  // Database.server: a clone has another address, and the number of the server that it was made of
  if (manifest.host.includes('@') && here.host.includes('@')) return true;
  const server = serverOf(manifest.identity);
  return server === null || server !== serverOf(here.identity);
}
