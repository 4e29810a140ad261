import type { DatabaseSource, DumpSettings } from '../settings/settings.js';
import type { Database } from './engine.js';
import { postgres } from './postgres/index.js';
import { sqlite } from './sqlite/index.js';

/** The engine of a database; `format` is for dumps of PostgreSQL. */
export function databaseOf(source: DatabaseSource, format: DumpSettings['format']): Database {
  return source.engine === 'sqlite' ? sqlite(source) : postgres(source, format);
}
