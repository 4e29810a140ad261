import type { Identity } from '../backups/identity.js';
import type { Manifest, TableRows } from '../backups/manifest.js';
import type { Packing } from '../backups/packing.js';
import type { Facts, HostRequest } from '../host/session.js';
import type { Settings } from '../settings/settings.js';
import { payloadArguments } from './common.js';

/** What is put back: a file on the host, hashed before anything reads it. */
export interface Dump extends Packing {
  /** In the backup directory, or an absolute path. */
  file: string;
  kind: string;
  sha256: string;
  bytes: number;
  /** As in the manifest; null when it is not known (a dump that this action did not make). */
  databaseBytes: number | null;
  /** null: not made by this action. */
  manifest: Manifest | null;
  /** Of a set: to which moment it is recovered, in words of its engine. */
  aim?: Readonly<Record<string, string>>;
  /** Where it is not in a manifest: what made it and from what, as it says of itself; null where it does not. */
  versions?: DumpVersions;
}

export interface DumpVersions {
  tool: string | null;
  server: string | null;
}

/** How an engine puts a dump back. `id` names what it makes on the way; `way` is what `plan` decided. */
export interface Restoring {
  /** What `confirm` must be: the name of the file or database. */
  readonly targetName: string;
  /** Where it is, for messages and the journal; no password. */
  readonly target: string;
  /** By its name alone the target may be the database of that identity, on whatever server. */
  mayBe(identity: Identity): boolean;
  look(settings: Settings, dump: Dump): HostRequest;
  /** What look found. Throws a BackupError when the dump can not be restored there (E_TARGET_BUSY is thrown only when nothing will be stopped: `settings.restore.stopCommand === null`). */
  plan(settings: Settings, facts: Facts, dump: Dump): TargetPlan;
  load(settings: Settings, dump: Dump, step: Step): HostRequest;
  /** Throws E_MANIFEST / E_RESTORE when what was loaded is not what the manifest says. Returns tables and rows of what was loaded. */
  loaded(facts: Facts, dump: Dump): TableRows[];
  /** What the tool warned of while it loaded; absent: it does not. */
  loadRemarks?(facts: Facts): string[];
  swap(settings: Settings, dump: Dump, step: Step): HostRequest;
  /** The live database after the swap against what was loaded. Throws E_RESTORE when tables are missing or rows differ (with others connected that may write, other rows are a remark instead). */
  swapped(facts: Facts, loaded: TableRows[], dump: Dump): string[] /* remarks */;
  /** What else there is to know after the swap. */
  notes?(facts: Facts): string[];
  back(settings: Settings, step: Step, safety: Dump | null): HostRequest;
  settle(settings: Settings, step: Step): HostRequest;
  /** What settle leaves is the way back as well, so that it is for a restore whose check has failed later, too. */
  readonly settleKeepsOld?: true;
  /** After a run that died. `state` is `restored`, `unchanged`, or, of a target that it is not about, `other`, or `not-known`. */
  recover(settings: Settings, step: Step, about: About): HostRequest;
  /** What the target is, as `look` and `recover` have found it. */
  identity(facts: Facts): Identity;
  /** A copy of the files of a damaged database, where there are files. */
  saveDamaged?(settings: Settings, id: string): HostRequest;
  /** Shell or SQL lines, in order, that bring the old state back by hand, for E_ROLLBACK_FAILED. */
  byHand(settings: Settings, step: Step, safety: Dump | null, directory: string): string[];
}

/** What a restore was about: the target as that run was told, and what it is. */
export interface About {
  target: string;
  identity: Identity;
}

/** Step: which restore, and in which way. */
export interface Step {
  id: string;
  way: string;
}

/** What the restore would meet and do. */
export interface TargetPlan {
  state: 'sound' | 'damaged' | 'missing';
  /** The way it will be restored; word of the engine, kept in the journal; `in-place` where the live database itself is written. */
  way: string;
  /** One sentence for the plan: what this way means (who waits, who is disconnected). */
  wayInWords: string;
  /** The level at which the present state can be backed up: `checksum` where the tool can not judge it. */
  safetyLevel: 'content' | 'checksum';
  /** What is replaced stays as it is beside what replaces it: that is the way back, and no safety backup is taken. */
  keepsOld?: true;
  /** Patterns of tables that the safety backup can not have, and that stay as they are. */
  safetyWithout?: string[];
  bytes: number; // of the live database, 0 when missing
  tables: TableRows[]; // of the live database; rows null where not counted
  /** Of the dump, where it can be told without loading (manifest, or an unpacked look). */
  dumpTables: TableRows[] | null;
  /** One sentence each: tables or objects that only one of both has or that differ, already neutral text. */
  differences: string[];
  /** Who has it open, one line each ("pid 123 uwsgi", "app from 10.0.0.7, psql, idle in transaction"). */
  users: string[];
  /** KiB that the restore needs and that are free, where it is loaded. */
  neededBytes: number;
  freeBytes: number | null;
  remarks: string[];
}

/** A backup as what is to be restored, or proven. */
export function dumpOf({ manifest }: { manifest: Manifest }): Dump {
  const { file, kind, compression, encryption, sha256, bytes, databaseBytes } = manifest;
  return { file, kind, compression, encryption, sha256, bytes, databaseBytes, manifest };
}

/** What every request that reads the dump is told of it. */
export function dumpArguments(dump: Dump): Record<string, string> {
  const { manifest } = dump;
  return {
    ...payloadArguments(dump),
    foreign: manifest === null ? '1' : '',
    // of what this action did not make nobody has proven anything, and what the tool can not judge is told
    proven: manifest?.verified.level ?? 'foreign',
  };
}
