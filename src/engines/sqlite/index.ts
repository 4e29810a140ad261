import { nameFromText } from '../../backups/names.js';
import { facts } from '../../host/program.js';
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
  foreignKinds: ['statements'],
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
    new URL('./programs/sqlite-script.sh', import.meta.url),
    new URL('./programs/sqlite-restore.sh', import.meta.url),
    new URL('./programs/sqlite-recover.sh', import.meta.url),
    new URL('./programs/sqlite-damaged.sh', import.meta.url),
    new URL('./programs/sqlite-health.sh', import.meta.url),
    new URL('./programs/sqlite-extract.sh', import.meta.url),
  ],
  texts: {
    sqlite_python: new URL('./programs/sqlite.py', import.meta.url),
    sqlite_script: new URL('./programs/sqlite-script.py', import.meta.url),
  },
  elsewhere: [
    ...['rows', 'restored', 'waits'],
    ...facts('sqlite_tool sqlite_version owner other_name source_bytes objects encoding page_size page_count'),
    ...facts('foreign_keys uncounted unread written_by resolved parent target_free_kib all_users in_use'),
    ...facts('damage headless live_bytes live_encoding live_locked live_page_size live_schema live_state'),
    ...facts('live_unjudged live_unread live_user_version live_wal state'),
    ...facts('wal_bytes free_pages integrity unexamined hot_journal foreign_group is_directory'),
  ],
};
