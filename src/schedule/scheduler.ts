import type { BackupError } from '../errors.js';
import type { Installation, Piece, System } from './installation.js';
import type { Mark } from './mark.js';

/** A job of ours that is on this machine. */
export interface Installed {
  system: System;
  mark: Mark;
  /** The file, the table or the task. */
  where: string;
  /** Nobody has changed what was written. */
  isIntact: boolean;
}

/** What is ours, or may be, and of which no job can be told. */
export interface Unclear {
  system: System;
  /** null: nobody can look. */
  name: string | null;
  user: string;
  where: string;
  /** Why, and what to do. */
  fault: BackupError;
}

/** How an installed job is. */
export interface State {
  /** What its system says of it. */
  facts: string[];
  /** What is not as it should be. */
  wrong: string[];
}

/** What runs jobs by itself. All that fails throws a BackupError. */
export interface Scheduler {
  readonly system: System;
  /** Of whom: `the system`, which root alone can change, or a user. */
  readonly whose: string;
  /** What an installation consists of. */
  pieces(wanted: Installation): Piece[];
  /** Writes it, in the place of what is there of that name. Returns what there is to know besides. */
  install(wanted: Installation): string[];
  installed(): Installed[];
  unclear(): Unclear[];
  /** Takes away what is there of that name, run by that user; returns what it was. */
  uninstall(name: string, user: string): string[];
  state(one: Installed): State;
}
