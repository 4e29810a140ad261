import type { Finding } from '../backups/finding.js';
import type { TableRows } from '../backups/manifest.js';
import type { Facts, HostRequest } from '../host/session.js';
import type { Settings } from '../settings/settings.js';

/** How a live database is. */
export interface DatabaseHealth {
  bytes: number;
  tables: TableRows[];
  /** There is nothing in it at all; false also where that is not known. */
  isEmpty: boolean;
  /** The rows are what the server has last estimated, and are compared with nothing. */
  estimated: boolean;
  /** What its engine counts, by names that docs/health.md has. null: not known to this user. */
  figures: Record<string, string | number | boolean | null>;
  findings: Finding[];
  /** How far the look went, where it did not go all the way. */
  notes: string[];
}

/** Looks at the live database without a backup of it, and writes nothing. */
export interface HealthMethod {
  /** `glance`: nothing is read to its end. */
  request(settings: Settings, how: 'glance' | 'examine'): HostRequest;
  /** What that told. */
  read(facts: Facts): DatabaseHealth;
}
