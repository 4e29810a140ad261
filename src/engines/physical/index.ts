import { nameFromText } from '../../backups/names.js';
import type { Engine } from '../engine.js';
import { postgres } from '../postgres/index.js';
import { withPassword } from '../postgres/url.js';
import { physicalDatabase } from './database.js';
import { type PhysicalIdentity, physicalFormat } from './format.js';
import { type PhysicalSource, takeStanza } from './source.js';
import { TOLD_ELSEWHERE } from './told-elsewhere.js';

const OWN = 'pgBackRest keeps the backups in its own repository';
const IN_STORE = `expected nothing with method physical: ${OWN}, which can be in S3 (repo1-type=s3 in pgbackrest.conf; see docs/physical.md)`;

export const pgbackrest: Engine<PhysicalSource, PhysicalIdentity> = {
  ...physicalFormat,
  name: 'pgbackrest',
  title: 'PostgreSQL cluster',
  forms: 'postgresql://USER@HOST/NAME with method physical',
  form: 'a postgresql:// URL',
  dump: 'a set of pgBackRest',
  packages: { pgbackrest: {} },
  leaves: 'directories beside the data directory with `.db_backup_` in their names',
  inputs: [...(['database-password', 'jobs', 'stanza', 'backup-type', 'full-every', 'restore-time'] as const)],
  method: {
    name: 'physical',
    of: postgres.name,
    inputs: ['stanza', 'backup-type', 'full-every', 'restore-time'],
    missingName: 'the name in brackets in pgbackrest.conf',
    example: 'main',
    take: takeStanza,
  },
  refuses: {
    's3-bucket': IN_STORE,
    encrypt: `expected none with method physical: ${OWN}, which it can encrypt (repo1-cipher-type in pgbackrest.conf; see docs/physical.md)`,
    'verify-on': 'expected host with method physical: a cluster is restored where its server and pgBackRest are',
    'restore-to':
      'expected nothing with method physical: a cluster is restored as a whole, into its own data directory',
  },
  keepOnly: {
    rules: ['last', 'within'],
    why: 'they count full backups, and every moment between two of them can be restored, so that there is no newest one of a day or a week to keep',
  },
  noContainer: 'pgBackRest and the data directory have to be on the host itself',
  // `database` names a database of PostgreSQL, and its engine reads it
  parse: () => null,
  withPassword: (source, password) => ({ ...source, postgres: withPassword(source.postgres, password) }),
  nameOf: ({ stanza }) => nameFromText(stanza),
  open: physicalDatabase,
  // literal names in `new URL`, one for each file, so that the bundler finds and copies them
  programs: [
    new URL('../postgres/programs/postgres.sh', import.meta.url),
    new URL('../postgres/programs/postgres-failures.sh', import.meta.url),
    new URL('./programs/physical.sh', import.meta.url),
    new URL('./programs/physical-backup.sh', import.meta.url),
    new URL('./programs/physical-health.sh', import.meta.url),
    new URL('./programs/physical-lost.sh', import.meta.url),
    new URL('./programs/physical-restore.sh', import.meta.url),
    new URL('./programs/physical-scratch.sh', import.meta.url),
    new URL('./programs/physical-server.sh', import.meta.url),
    new URL('./programs/physical-set.sh', import.meta.url),
    new URL('./programs/physical-tablespaces.sh', import.meta.url),
  ],
  elsewhere: TOLD_ELSEWHERE,
};
