import type { Backup, Catalogue } from '../backups/catalogue.js';
import type { BackupPlace } from '../backups/copies.js';
import type { Candidate, KeepRules } from '../backups/retention.js';

/** Files that go together, in the order of their deletion, the manifest first: a payload without one is no backup, the other way round would pass for one. */
export interface Unit {
  id: string;
  files: string[];
}

/** It must not go yet; `why` in words. */
export interface Held {
  id: string;
  why: string;
}

/** What came of a removal. */
export interface Removal {
  /** File names. */
  deleted: string[];
  /** What the place refused to delete, since it is locked there. */
  held: Held[];
  /** What could not be deleted, in words, why, and who tries again; null: all is gone. */
  failure: { what: string; error: unknown; todo: string } | null;
}

/** A backup as a place has it. */
export interface Found {
  backup: Backup;
  /** Of its payload. */
  uri: string;
}

/**
 * Where backups of one database lie: the directory on the host, an object store. Names are built here and in `backups/`, and a place
 * deletes nothing but the files of a unit, by their exact names.
 */
export interface Place<F extends Found = Found> {
  readonly kind: BackupPlace;
  /** Of the folder with the backups, for messages. */
  readonly uri: string;
  /** By which it is rotated; null: not by this action. */
  readonly rules: KeepRules | null;
  /** What is there. Read once, with what is odd told once; what is changed through the place changes in it. */
  catalogue(): Promise<Catalogue>;
  /** Under which other names there are backups, a few of them; empty also where that cannot be found out. */
  otherNames(): Promise<string[]>;
  /** Its backups as retention sees them there. */
  candidates(): Promise<Candidate[]>;
  /** Which of these must not go yet. */
  held(units: readonly Unit[]): Promise<Held[]>;
  /** Puts into the report what went. Rejects when the place itself is lost. */
  remove(units: readonly Unit[]): Promise<Removal>;
  /** The backup of that id, of whatever database it is; null when it is not there, or not whole. */
  one(id: string): Promise<F | null>;
  /** Those of this database that are whole, newest first, at least down to the first for which `isEnough`. */
  newest(isEnough: (backup: Backup) => boolean): Promise<F[]>;
}
