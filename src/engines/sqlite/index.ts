import { nameFromText } from '../../backups/names.js';
import type { Engine } from '../engine.js';
import { sqliteDatabase } from './database.js';
import { dumpRefusals } from './dump-refusals.js';
import { type SqliteIdentity, sqliteFormat } from './format.js';
import { DATABASE_EXTENSION, parseSqlite, type SqliteSource } from './url.js';

export const sqlite: Engine<SqliteSource, SqliteIdentity> = {
  ...sqliteFormat,
  name: 'sqlite',
  title: 'SQLite',
  forms: 'the path of a SQLite file, file:PATH or sqlite:PATH',
  form: 'the path of a SQLite file',
  dump: 'a SQLite database',
  recogniser: new URL('./programs/sqlite-dumps.sh', import.meta.url),
  dumpRefusals,
  substitutes: { sqlite3: 'Python 3 with its sqlite3 module' },
  packages: { sqlite3: { alpine: 'sqlite', redhat: 'sqlite', arch: 'sqlite' } },
  leaves: 'files beside it with `.restore-` or `.before-` in their names',
  inputs: [],
  noContainer: 'give its path in the volume on the host, and run-as',
  parse: parseSqlite,
  nameOf: ({ path }) => nameFromText(path.slice(path.lastIndexOf('/') + 1).replace(DATABASE_EXTENSION, '')),
  open: sqliteDatabase,
  // literal names in `new URL`, one for each file, so that the bundler finds and copies them
  programs: [
    new URL('./programs/sqlite.sh', import.meta.url),
    new URL('./programs/sqlite-newer.sh', import.meta.url),
    new URL('./programs/sqlite-target.sh', import.meta.url),
    new URL('./programs/sqlite-restore.sh', import.meta.url),
    new URL('./programs/sqlite-recover.sh', import.meta.url),
    new URL('./programs/sqlite-damaged.sh', import.meta.url),
  ],
  texts: { sqlite_python: new URL('./programs/sqlite.py', import.meta.url) },
  elsewhere: [
    ...[
      'rows',
      'restored',
      'waits',
      'set sqlite_tool',
      'set sqlite_version',
      'set owner',
      'set other_name',
      'set source_bytes',
    ],
    ...[
      'set objects',
      'set encoding',
      'set page_size',
      'set page_count',
      'set foreign_keys',
      'set uncounted',
      'set unread',
    ],
    ...[
      'set written_by',
      'set resolved',
      'set parent',
      'set target_free_kib',
      'set all_users',
      'set in_use',
      'set damage',
    ],
    ...[
      'set headless',
      'set live_bytes',
      'set live_encoding',
      'set live_locked',
      'set live_page_size',
      'set live_schema',
    ],
    ...['set live_state', 'set live_unjudged', 'set live_unread', 'set live_wal', 'set state'],
  ],
};
