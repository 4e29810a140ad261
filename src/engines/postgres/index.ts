import { nameFromText } from '../../backups/names.js';
import type { Engine } from '../engine.js';
import { postgresDatabase } from './database.js';
import { dumpRefusals } from './dump-refusals.js';
import { type PostgresIdentity, postgresFormat } from './format.js';
import { parseNamePattern } from './name-patterns.js';
import { postgresServer } from './server.js';
import { TOLD_ELSEWHERE } from './told-elsewhere.js';
import { isSamePlace, type PostgresSource, parsePostgres, withPassword } from './url.js';

export const postgres: Engine<PostgresSource, PostgresIdentity> = {
  ...postgresFormat,
  name: 'postgres',
  title: 'PostgreSQL',
  forms: 'postgresql://USER@HOST/NAME',
  form: 'a postgresql:// URL',
  dump: 'a dump of PostgreSQL',
  recogniser: new URL('./programs/postgres-dumps.sh', import.meta.url),
  dumpRefusals,
  packages: { 'postgresql-client': { redhat: 'postgresql', suse: 'postgresql', arch: 'postgresql' } },
  leaves: 'databases on its server whose names begin with db_backup_new_ or db_backup_old_',
  inputs: [
    ...(['database-password', 'dump-format', 'jobs', 'exclude-table', 'exclude-table-data', 'schema'] as const),
    ...(['restore-way', 'allow-unsafe-client'] as const),
  ],
  parse: parsePostgres,
  withPassword,
  parsePattern: parseNamePattern,
  nameOf: ({ database }) => nameFromText(database),
  scratch: {
    isSame: isSamePlace,
    elsewhere: 'a database other than the live one, for example the database postgres of that server',
    onRunner:
      'a PostgreSQL server as seen from the runner, for example postgresql://postgres:throw-away@localhost/postgres of a service container',
  },
  server: postgresServer,
  open: postgresDatabase,
  // literal names in `new URL`, one for each file, so that the bundler finds and copies them
  programs: [
    new URL('./programs/postgres.sh', import.meta.url),
    new URL('./programs/postgres-client.sh', import.meta.url),
    new URL('./programs/postgres-failures.sh', import.meta.url),
    new URL('./programs/postgres-backup.sh', import.meta.url),
    new URL('./programs/postgres-archive.sh', import.meta.url),
    new URL('./programs/postgres-verify.sh', import.meta.url),
    new URL('./programs/postgres-restore.sh', import.meta.url),
    new URL('./programs/postgres-target.sh', import.meta.url),
    new URL('./programs/postgres-extensions.sh', import.meta.url),
    new URL('./programs/postgres-load.sh', import.meta.url),
    new URL('./programs/postgres-swap.sh', import.meta.url),
    new URL('./programs/postgres-in-place.sh', import.meta.url),
    new URL('./programs/postgres-health.sh', import.meta.url),
    new URL('./programs/postgres-databases.sh', import.meta.url),
    new URL('./programs/postgres-extract.sh', import.meta.url),
  ],
  elsewhere: TOLD_ELSEWHERE,
};
