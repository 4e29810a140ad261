import { BackupError, type ErrorCode } from '../../errors.js';
import type { Facts, HostFailure } from '../../host/session.js';
import { clip } from '../../reporting/format.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import type { Settings } from '../../settings/settings.js';
import { loginUser } from '../common.js';
import { explainPostgres } from '../postgres/words.js';
import { otherList } from './other-list.js';
import type { PhysicalSource } from './source.js';

type Words = [code: ErrorCode, message: string, advice: string];

/** Puts what the programs reported, and the number of pgBackRest's error, into words; null for what is about the host. */
export function explainPhysical(failure: HostFailure, source: PhysicalSource, settings: Settings): BackupError | null {
  const wanted = failure.facts.get('set_hash_wanted');
  if (failure.code === 'E_CHECKSUM' && wanted !== null) {
    return otherList(failure.text, failure.facts.get('set_hash') ?? '', wanted);
  }
  const words = wordsFor(failure, source, settings);
  if (words === null) {
    const asked = ['E_CONNECT', 'E_AUTH', 'E_SOURCE_MISSING', 'E_TOOL_VERSION', 'E_BUSY', 'E_INPUT'];
    // what psql said of the server
    return failure.facts.get('backrest_status') === null && asked.includes(failure.code)
      ? explainPostgres(failure, source.postgres, settings, 'database')
      : null;
  }
  const [code, message, advice] = words;
  return new BackupError(code, message, advice);
}

function wordsFor(failure: HostFailure, source: PhysicalSource, settings: Settings): Words | null {
  const { code, text, facts } = failure;
  const { stanza } = source;
  const said = clip(quoteOutside(text), 1000);
  const status = facts.numberOrNull('backrest_status');
  if (code === 'E_RESTORE') {
    const words = ofSpaces(said, facts);
    if (words !== null) return words;
  }
  if (text === 'pgBackRest would run as root') {
    return [
      'E_PERM',
      'pgBackRest would run as root, which would lock the server out of its own repository',
      'Log in as another user, and set `run-as` to the owner of the cluster, usually `run-as: postgres`.',
    ];
  }
  if (code === 'E_TOOL_VERSION' && text.startsWith('pgBackRest ')) {
    return [
      code,
      `${said} is too old: 2.45 or newer is needed`,
      'Install a newer one: the packages of PostgreSQL (https://www.postgresql.org/download/) have it.',
    ];
  }
  if (code === 'E_TOOL_VERSION' && /^PostgreSQL \d/.test(text)) {
    return [
      code,
      `the cluster is of ${said}, which is too old: physical backups need PostgreSQL 13 or newer`,
      'Use dumps of its databases (leave out `method`), or upgrade PostgreSQL.',
    ];
  }
  if (code === 'E_SOURCE_INVALID' && text.includes('another one than that of the stanza')) {
    return [
      code,
      `\`database\` leads to another server than the one of the stanza ${stanza}`,
      'Correct host and port in `database`, or `stanza`.',
    ];
  }
  if (code === 'E_PERM' && text.startsWith('/') && facts.get('cluster') !== null) {
    return [
      code,
      `the data directory is not that of the user who runs pgBackRest: ${said}`,
      settings.runAs === null ? 'Set `run-as` to its owner, usually `run-as: postgres`.' : 'Set `run-as` to its owner.',
    ];
  }
  if (code === 'E_ROTATE') {
    return [
      code,
      said,
      'Nothing of what was to stay was removed. Look at `pgbackrest info`, and run `command: prune` with `dry-run: true`.',
    ];
  }
  return status === null ? null : ofStatus(status, said, failure, source, settings);
}

/** Why a set cannot be restored where its tablespaces are. */
function ofSpaces(said: string, facts: Facts): Words | null {
  const path = (key: string): string => quoteOutside(facts.get(key) ?? '', 300);
  const code = 'E_RESTORE';
  if (facts.get('young_space') !== null) {
    return [
      code,
      `no scratch restore was made: the tablespace in ${path('young_space')} is younger than the set ${said}, and the recovery would write into the live files there`,
      'Take a new backup: it has that tablespace, and can be verified by a restore.',
    ];
  }
  if (facts.get('odd_space') !== null) {
    return [
      code,
      `the set ${said} has a tablespace that cannot be restored to its place, which is not a plain absolute path: ${path('odd_space')}`,
      'Restore by hand with `--tablespace-map`: docs/physical.md says how. Then move the tablespace to a plain absolute path.',
    ];
  }
  if (facts.get('foreign_space') === null) return null;
  return facts.get('foreign_cluster') === null
    ? [
        code,
        `${said} is in the place of a tablespace of the set, but no link of the live cluster leads to ${path('foreign_space')}: another cluster may use it`,
        'Find out whose files these are. If no cluster uses them any more, move that directory away by hand, and restore again.',
      ]
    : [
        code,
        `${said} is in the place of a tablespace of the set, but the cluster in ${path('foreign_cluster')} uses ${path('foreign_space')}`,
        'Move the tablespace of that cluster to another place first, or restore by hand with `--tablespace-map`: docs/physical.md says how.',
      ];
}

/** https://github.com/pgbackrest/pgbackrest/blob/release/2.45/src/build/error/error.yaml */
function ofStatus(
  status: number,
  said: string,
  { code, text, facts }: HostFailure,
  source: PhysicalSource,
  settings: Settings,
): Words {
  const { stanza } = source;
  const archiver = quoteOutside(facts.get('archiver_said') ?? '', 800);
  const why = archiver === '' ? said : `${archiver} (pgBackRest: ${said})`;
  const owner = settings.runAs ?? loginUser(settings);
  if (code === 'E_NOSPACE' || status === 64 || /\[28\] No space left/.test(text)) {
    return [
      'E_NOSPACE',
      `the repository, or the place of its temporary files, is full: ${said}`,
      'Free some space there, or keep fewer backups. The half-made set stays there and takes space until the next backup of the same type goes on with it, or one of another type removes it.',
    ];
  }
  if (status === 41 && /pgbackrest[^/]*\.conf|\/pgbackrest\//.test(text)) {
    return [
      'E_PERM',
      `${owner} cannot read the configuration of pgBackRest: ${said}`,
      settings.runAs === null
        ? 'Set `run-as` to the owner of the cluster, usually `run-as: postgres`.'
        : `It must belong to ${owner}, with the mode 0640.`,
    ];
  }
  if (/Permission denied/.test(text)) {
    return [
      'E_PERM',
      `${owner} may not do that in the repository or its lock folder: ${said}`,
      `Everything in both must belong to ${owner}: a run of pgBackRest as root leaves files that nobody else can write.`,
    ];
  }
  if (status === 55 && /backup\.manifest/.test(text)) return damaged(said);
  switch (status) {
    case 50:
      return [
        'E_LOCKED',
        `another pgBackRest works on the stanza ${stanza}: ${said}`,
        'Wait for it to end, or raise `lock-wait`. If it was killed, its workers hold the lock for up to half a minute.',
      ];
    case 82:
      return [
        'E_ARCHIVE',
        `no WAL reached the repository: ${why}`,
        'Correct `archive_command` of the server and its log says why it fails; `command: doctor` prints the settings. Until then WAL piles up in pg_wal.',
      ];
    case 68:
    case 87:
      return ['E_ARCHIVE', `the server does not archive its WAL with pgBackRest: ${said}`, ARCHIVE_SETTINGS(stanza)];
    case 27:
    case 56:
      return [
        'E_CONNECT',
        `pgBackRest found no primary server of the stanza ${stanza}: ${said}`,
        'Check that the server runs and is no standby, and pg1-port, pg1-socket-path and pg1-user in pgbackrest.conf.',
      ];
    case 28:
    case 58:
      return [
        'E_SOURCE_INVALID',
        `the stanza ${stanza} is about another cluster: ${said}`,
        'Correct `stanza`, or pg1-path and pg1-port in pgbackrest.conf. After an upgrade of PostgreSQL: `pgbackrest stanza-upgrade`.',
      ];
    case 55:
      return [
        'E_SOURCE_MISSING',
        `there is no stanza ${stanza}: ${said}`,
        `Correct \`stanza\`, or create it on the host: \`sudo -u ${owner} pgbackrest --stanza=${stanza} stanza-create\`. \`command: doctor\` prints all settings.`,
      ];
    case 37:
    case 31:
    case 32:
      return [
        'E_SOURCE_MISSING',
        `pgbackrest.conf does not describe the stanza ${stanza} completely: ${said}`,
        'Correct `stanza`, or the file on the host. `command: doctor` prints what has to be in it.',
      ];
    case 75:
      return ['E_NOT_FOUND', `the repository does not have that set: ${said}`, '`command: list` shows all sets.'];
    case 26:
    case 29:
      return damaged(said);
    case 63:
      return ['E_CANCELLED', `pgBackRest was ended by a signal: ${said}`, 'Run again.'];
    default:
      return [
        code,
        `pgBackRest ended with error ${status}: ${said}`,
        'The number is explained in the documentation of pgBackRest; its log on the host may say more.',
      ];
  }
}

const damaged = (said: string): Words => [
  'E_CHECKSUM',
  `the repository is damaged: ${said}`,
  'Use another backup, and take a new full one. Check the disk of the repository.',
];

const ARCHIVE_SETTINGS = (stanza: string): string =>
  `In postgresql.conf: \`archive_mode = on\` (needs a restart) and \`archive_command = 'pgbackrest --stanza=${stanza} archive-push %p'\`. \`command: doctor\` prints all settings.`;
