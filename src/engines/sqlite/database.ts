import { unpackLine } from '../../backups/packing.js';
import { BackupError } from '../../errors.js';
import { quote } from '../../host/quoting.js';
import type { CountedRows, Facts } from '../../host/session.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import type { Settings } from '../../settings/settings.js';
import { checkRows, commonArguments, loginUser, named, packersOf, seconds } from '../common.js';
import type { Database } from '../database.js';
import { dumpArguments } from '../restoring.js';
import { sqliteExtracting } from './extracting.js';
import type { SqliteContent, SqliteIdentity } from './format.js';
import { sqliteHealth } from './health.js';
import { busy, checking, QUICK_CHECK, sqliteRestoring, usersOf } from './restore.js';
import { scriptFault } from './script-faults.js';
import type { SqliteSource } from './url.js';

/** SQLite: one committed state of a live database, by programs/sqlite.sh. */
export function sqliteDatabase(source: SqliteSource): Database {
  return {
    kind: 'sqlite',
    path: source.path,

    backup(settings, id, holder) {
      return [
        'job',
        'backup_sqlite',
        named({ ...argumentsOf(source, settings), id, holder, lock_wait: seconds(settings.lockWaitMs) }),
      ];
    },

    inspect(settings) {
      return ['job', 'inspect_sqlite', named(argumentsOf(source, settings))];
    },

    verify(settings, dump) {
      return ['job', 'verify_sqlite', named({ ...argumentsOf(source, settings), ...dumpArguments(dump) })];
    },

    checkProof(facts, { content }) {
      if (content === null || facts.get('page_count') === null) return;
      checkRows(content, decoded(facts, facts.restored));
    },

    identity(facts) {
      return { path: facts.path('source') };
    },

    describe(facts) {
      const checked = facts.get('page_count') !== null;
      return {
        databaseBytes: facts.number('plain_bytes'),
        tools: toolsOf(facts),
        content: checked
          ? ({
              tables: decoded(facts, facts.rows),
              pageSize: facts.number('page_size'),
              pageCount: facts.number('page_count'),
              objects: facts.number('objects'),
              foreignKeyViolations: facts.numberOrNull('foreign_keys') ?? 0,
            } satisfies SqliteContent)
          : null,
      };
    },

    remarks() {
      return [];
    },

    plan(facts) {
      return `${facts.need('source')} with ${facts.get('sqlite_tool')} ${facts.get('sqlite_version')}`;
    },

    recovery({ file, compression, encryption, identity, content }, directory, { runAs }) {
      const { path = source.path } = identity as SqliteIdentity;
      // The owner can not read the directory of the login user, who in turn may not write the database.
      const sudo = runAs === null ? '' : `sudo -u ${quote(runAs)} `;
      return [
        `cd ${quote(directory)} && sha256sum -c ${quote(`${file}.sha256`)}`,
        `restored=$(${sudo}mktemp -d)/restored.db && ${unpackLine({ compression, encryption }, quote(file))} ${runAs === null ? '>' : `| ${sudo}tee > /dev/null`} "$restored"`,
        // what the tool could not judge then it may not be able to judge now
        `${checking(sudo)} "$restored" ${quote(QUICK_CHECK)} # must print ok${content === null ? ', unless this sqlite3 is older than that of the application' : ''}; do not go on otherwise`,
        `# then${runAs === null ? ', as the owner of the database' : ''}, best with the application stopped:`,
        `${sudo}test -s "$restored" && ${sudo}sqlite3 ${quote(path)} '.timeout 30000' ".restore $restored"`,
      ];
    },

    empty(facts) {
      return new BackupError(
        'E_EMPTY',
        `${facts.need('source')} is a valid SQLite database without a single table, so a backup of it would prove nothing`,
        'Check that `database` names the file that the application uses.',
      );
    },

    health: {
      request: (settings, how) => [
        'job',
        'health_sqlite',
        named({ ...argumentsOf(source, settings), examined: how === 'examine' ? '1' : '' }),
      ],
      read: (facts) => sqliteHealth(facts, decoded(facts, facts.rows)),
    },

    restoring: sqliteRestoring(source),

    extracting: sqliteExtracting((settings) => argumentsOf(source, settings)),

    // biome-ignore lint/complexity/noExcessiveCognitiveComplexity: one sentence a code, side by side
    explain(failure, settings) {
      const fault = scriptFault(failure);
      if (fault !== null) return fault;
      const said = quoteOutside(failure.text);
      const path = failure.facts.get('source') ?? source.path;
      switch (failure.code) {
        case 'E_SOURCE_MISSING':
          return new BackupError(
            'E_SOURCE_MISSING',
            `there is no database at ${path} (database: ${source.given})`,
            `Correct \`database\`. A relative path starts at the home of the login user${/^sqlite[^:]*:\/\/\/[^/]/.test(source.given) ? '; in a URL of the form sqlite:///x the path is relative; an absolute path needs four slashes' : ''}.`,
          );
        case 'E_SOURCE_OWNER': {
          const owner = failure.facts.get('owner') ?? 'its owner';
          const login = loginUser(settings);
          const user = settings.runAs ?? login;
          return new BackupError(
            'E_SOURCE_OWNER',
            `${path} belongs to ${owner}, and ${user} is not ${owner}: SQLite would leave -wal and -shm files that the application cannot write, and its next write would fail`,
            `Set \`run-as: ${owner}\` (and let ${login} run \`sudo -n -u ${owner} sh\`), or log in as ${owner}.`,
          );
        }
        case 'E_SOURCE_INVALID': {
          if (failure.facts.get('is_directory') !== null) {
            return new BackupError('E_SOURCE_INVALID', said, 'Name the database file in it.');
          }
          const other = failure.facts.get('other_name');
          if (other === null) return null;
          return new BackupError(
            'E_SOURCE_INVALID',
            `${said}: SQLite keeps -wal and -journal beside one name of a file, and under another name their content is not seen`,
            `${
              other === 'link'
                ? `\`find / -xdev -samefile ${path}\` shows the others. Remove those that nobody opens (a hard link is not a copy), and name the one that the application opens`
                : 'Mount the folder of the database into the container, not the single file, and name the file in that folder'
            }.`,
          );
        }
        case 'E_SOURCE_CORRUPT':
          return new BackupError(
            'E_SOURCE_CORRUPT',
            `SQLite found damage in ${path}: ${said}`,
            /\b(NULL|NUMERIC|TEXT|non-[A-Z]+) value in /.test(failure.text)
              ? `Rows violate a constraint of their table, which SQLite counts as damage. Correct the rows, or set \`verify: checksum\`.`
              : `${NOT_PARSED.test(failure.text) ? 'First open it with the SQLite of the application. If that can read it, an older tool (`.restore`, `.backup`) wrote the file and marked it with its own version, until the application writes again. Otherwise: ' : ''}A backup of it would be damaged too. Keep the older backups. Check the disk, then restore the newest good backup, or try \`sqlite3 ${path} .recover | sqlite3 -safe NEW-FILE\`.`,
          );
        case 'E_BUSY':
          return new BackupError(
            'E_BUSY',
            `${path} stayed locked for ${seconds(settings.lockWaitMs)} s (lock-wait): ${said}`,
            `A process holds an exclusive lock (a long transaction, a migration, locking_mode=EXCLUSIVE). \`fuser -v ${path}\` shows who has it open.`,
          );
        case 'E_DUMP_FAILED':
          return new BackupError(
            'E_DUMP_FAILED',
            `no proven copy of ${path} could be made: ${said}`,
            NOT_KNOWN.test(failure.text)
              ? `The application brings this SQLite extension. The tool on the host does not know it, so it cannot check the content. Set \`verify: checksum\`: the copy is the same, but less is verified.`
              : undefined,
          );
        case 'E_RESTORE':
          if (settings.command === 'restore') {
            return new BackupError(
              'E_RESTORE',
              `${path} could not be restored: ${said}`,
              NOT_KNOWN.test(failure.text)
                ? 'The application brings this SQLite extension. The tool on the host does not know it, so it cannot verify the backup. Restore it by hand, as its manifest says under `recovery`.'
                : NOT_PARSED.test(failure.text)
                  ? 'It is damaged, or an older tool (`.backup`, `.restore`) wrote it and marked it with its own version. Open it with the SQLite of the application. If that can read it, install a sqlite3 as new as that on the host, and restore again.'
                  : '',
            );
          }
          return new BackupError(
            'E_RESTORE',
            `SQLite on the host cannot check the content of the backup: ${said}`,
            NOT_KNOWN.test(failure.text)
              ? `The application brings this SQLite extension, and the tool on the host does not know it. Verify with the level checksum.`
              : undefined,
          );
        case 'E_TOOL_VERSION':
          if (failure.facts.get('written_by') !== null) return newer(path, said, failure.facts, settings);
          return new BackupError(
            'E_TOOL_VERSION',
            `${said} on the host cannot be kept from running programs that the schema of a database names (its function edit), and Python 3.7 or newer, which would do as well, is missing`,
            `Install sqlite3 3.31 or newer, or Python 3.7 or newer.`,
          );
        case 'E_TARGET_BUSY':
          return busy(path, usersOf(failure.facts));
        case 'E_ROLLBACK_FAILED':
          return new BackupError('E_ROLLBACK_FAILED', `${path} could not be put back: ${said}`, '');
        case 'E_PERM': {
          if (!/readonly|unable to open/.test(failure.text)) return null;
          return new BackupError(
            'E_PERM',
            `SQLite could not open ${path}: ${said}`,
            `In WAL mode it must be able to create -wal and -shm beside the database: let the owner of the database write to that folder.`,
          );
        }
        default:
          return null;
      }
    },
  };
}

/** The text of a statement of the schema that the tool can not read, where the file says that it is not of a newer SQLite. */
const NOT_PARSED = /malformed database schema .* - .*(syntax error|unrecognized token|unknown )/;

/** The schema is of a newer SQLite than the tool that is to read it. */
function newer(path: string, said: string, facts: Facts, { command, verifyOn }: Settings): BackupError {
  const version = quoteOutside(facts.get('written_by') ?? '', 20);
  const verifying = command === 'verify';
  const where = verifying && verifyOn === 'runner' ? 'the runner' : 'the host';
  return new BackupError(
    'E_TOOL_VERSION',
    `${verifying ? 'the backup' : path} needs a newer sqlite3 on ${where} for its content to be read: ${said}`,
    `It may be too new for that tool, or damaged: the application's own SQLite can tell (\`PRAGMA integrity_check\`). Install sqlite3 ${version} or newer on ${where} (for example from sqlite.org/download.html, into /usr/local/bin), or set \`verify: checksum\`, ${
      verifying
        ? 'which checks its bytes'
        : 'which copies its pages as they are and checks the bytes of the copy; it can be restored'
    }.`,
  );
}

/** What SQLite says of an extension that the schema needs. */
const NOT_KNOWN = /no such (collation sequence|function|module|tokenizer)|unknown function|unsafe use of/;

function argumentsOf(source: SqliteSource, settings: Settings): Record<string, string> {
  return { ...commonArguments(settings), source: source.path, busy_ms: String(settings.lockWaitMs) };
}

function toolsOf(facts: Facts): Record<string, string> {
  const tools: Record<string, string> = {};
  const engine = facts.get('sqlite_tool');
  if (engine !== null) {
    tools[engine === 'python3' ? 'sqlite3 (python3 module)' : engine] = quoteOutside(
      facts.get('sqlite_version') ?? '',
      60,
    );
  }
  Object.assign(tools, packersOf(facts));
  return tools;
}

/** `hex()` gives the bytes of a name as the database holds them. */
function decoded(facts: Facts, tables: CountedRows[]): { name: string; rows: number }[] {
  const decoder = new TextDecoder(facts.get('encoding')?.toLowerCase() ?? 'utf-8');
  return tables.map(({ name, rows }) => ({ name: decoder.decode(name), rows }));
}
