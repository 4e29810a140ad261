import type { DatabaseSource, DumpSettings } from '../settings/settings.js';
import type { Database } from './database.js';
import { postgres } from './postgres.js';
import { sqlite } from './sqlite.js';

/** The engine of a database; `format` is for dumps of PostgreSQL. */
export function databaseOf(source: DatabaseSource, format: DumpSettings['format']): Database {
  return source.engine === 'sqlite' ? sqlite(source) : postgres(source, format);
}
