import type { TableRows } from '../../backups/manifest.js';
import { stagesOf, unpackLine } from '../../backups/packing.js';
import { plural } from '../../counting.js';
import { BackupError } from '../../errors.js';
import { quote } from '../../host/quoting.js';
import type { CountedRows, Facts } from '../../host/session.js';
import { formatBytes, formatCount } from '../../reporting/format.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import type { Settings } from '../../settings/settings.js';
import { checkRows, commonArguments, named } from '../common.js';
import { type Dump, dumpArguments, type Restoring, type Step, type TargetPlan } from '../restoring.js';
import type { SqliteSource } from './url.js';

/** For people, as the programs on the host ask: nothing that stands in the database is carried out (sqlite.sh, sqlite_distrust). */
export const QUICK_CHECK = 'PRAGMA trusted_schema = off; PRAGMA ignore_check_constraints = on; PRAGMA quick_check';

/** The tool for that: it loads no library, and starts no editor. */
export const checking = (sudo: string): string => `${sudo}env -u VISUAL sqlite3 -cmd '.dbconfig load_extension off'`;

const IN_PLACE = 'in-place';
const REPLACE = 'replace';
const MOST_SHOWN = 5;

/** Puts a SQLite dump back, by programs/sqlite-restore.sh. */
export function sqliteRestoring(target: SqliteSource): Restoring {
  const given = (settings: Settings): Record<string, string> => ({
    ...commonArguments(settings),
    source: target.path,
    busy_ms: String(settings.lockWaitMs),
  });

  return {
    targetName: target.path.replace(/^.*\//, ''),
    target: target.path,

    // what the path leads to the host tells
    mayBe: (identity) => 'path' in identity,

    look(settings, dump) {
      const stops = settings.restore.stopCommand === null ? '' : '1';
      return ['job', 'look_restore_sqlite', named({ ...given(settings), ...dumpArguments(dump), stops })];
    },

    plan: planOf,

    load(settings, dump, step) {
      return [
        'job',
        'load_restore_sqlite',
        named({ ...given(settings), ...dumpArguments(dump), ...stepArguments(step) }),
      ];
    },

    loaded(facts, { manifest }) {
      const tables = decoded(facts.restored, facts.get('encoding'));
      const couldCount = facts.get('uncounted') === null && facts.get('unread') === null;
      if (manifest?.content && couldCount) checkRows(manifest.content, tables);
      return tables;
    },

    swap(settings, dump, step) {
      const { proven = '' } = dumpArguments(dump);
      return ['job', 'swap_restore_sqlite', named({ ...given(settings), ...stepArguments(step), proven })];
    },

    swapped(facts, loaded) {
      return differencesAfter(facts, loaded);
    },

    back(settings, step, safety) {
      return [
        'job',
        'back_restore_sqlite',
        named({
          ...given(settings),
          ...stepArguments(step),
          safety_payload: safety?.file ?? '',
          safety_sha256: safety?.sha256 ?? '',
          safety_bytes: safety === null ? '' : String(safety.bytes),
          safety_plain_bytes: safety?.databaseBytes == null ? '' : String(safety.databaseBytes),
          safety_packing: safety === null ? '' : stagesOf(safety),
          safety_kind: safety?.kind ?? '',
        }),
      ];
    },

    settle(settings, step) {
      return ['job', 'settle_restore_sqlite', named({ ...given(settings), ...stepArguments(step) })];
    },

    recover(settings, step, { identity }) {
      const known = identity.path ?? '';
      return ['job', 'recover_restore_sqlite', named({ ...given(settings), ...stepArguments(step), known })];
    },

    identity: (facts) => ({ path: facts.path('resolved') }),

    saveDamaged(settings, id) {
      return ['job', 'save_damaged_sqlite', named({ ...given(settings), id })];
    },

    byHand({ runAs }, { id, way }, safety, directory) {
      const sudo = runAs === null ? '' : `sudo -u ${quote(runAs)} `;
      const path = target.path.startsWith('/') ? quote(target.path) : `~/${quote(target.path)}`;
      const live = `live=$(${sudo}readlink -f ${path})`;
      if (way === REPLACE) {
        const move = `[ ! -e "$1.before-$2$3" ] || mv -f "$1.before-$2$3" "$1$3"`;
        return [
          live,
          `${sudo}rm -f "$live-wal" "$live-shm" "$live-journal"`,
          ...['', '-wal', '-shm', '-journal'].map((end) => `${sudo}sh -c '${move}' sh "$live" ${quote(id)} '${end}'`),
        ];
      }
      if (safety === null) return [];
      return [
        `cd ${quote(directory)} && sha256sum -c ${quote(`${safety.file}.sha256`)}`,
        `old=$(${sudo}mktemp -d)/old.db && ${unpackLine(safety, quote(safety.file))} ${sudo === '' ? '>' : `| ${sudo}tee > /dev/null`} "$old"`,
        `${checking(sudo)} "$old" ${quote(QUICK_CHECK)}`,
        live,
        `${sudo}test -s "$old" && ${sudo}sqlite3 "$live" '.timeout 30000' ".restore $old"`,
      ];
    },
  };
}

const stepArguments = ({ id, way }: Step): Record<string, string> => ({ id, way });

function planOf({ restore, minFreeBytes }: Settings, facts: Facts, dump: Dump): TargetPlan {
  const path = facts.path('source');
  const state = stateOf(facts);
  const dumpBytes = facts.number('dump_bytes');
  const users = usersOf(facts);
  if (facts.get('headless') !== null) checkIsMeant(facts, dump, path);
  if (dump.manifest === null && facts.number('objects') === 0) {
    throw new BackupError(
      'E_EMPTY',
      `${dump.file} is a valid SQLite database without a single table`,
      'If you want an empty database, delete the live one by hand.',
    );
  }
  const unread = facts.get('unread') !== null || facts.get('live_unread') !== null;
  const inPlace =
    state === 'sound' && !unread && (facts.get('live_wal') !== '1' || sizeOf(facts) === facts.number('page_size'));
  const needed = (inPlace ? 2 : 1) * dumpBytes;
  const free = facts.get('target_free_kib');
  const freeBytes = free === null || free === '' ? null : facts.number('target_free_kib') * 1024;
  if (freeBytes !== null && freeBytes < needed + minFreeBytes) {
    throw new BackupError(
      'E_NOSPACE',
      `the restore needs ${formatBytes(needed)} beside ${path}, and ${formatBytes(minFreeBytes)} must stay free (min-free), but only ${formatBytes(freeBytes)} are free`,
      'Free some space there.',
    );
  }
  if (!inPlace && users.length > 0 && restore.stopCommand === null) throw busy(path, users);
  if (!inPlace) checkGroup(facts, path);
  const live = decoded(facts.rows, facts.get('live_encoding'));
  return {
    state,
    way: inPlace ? IN_PLACE : REPLACE,
    wayInWords: wayInWords(state, inPlace, unread),
    safetyLevel: facts.get('live_unjudged') === null ? 'content' : 'checksum',
    bytes: facts.number('live_bytes'),
    tables: live,
    dumpTables:
      facts.get('unread') === null
        ? decoded(facts.restored, facts.get('encoding'))
        : (dump.manifest?.content?.tables ?? null),
    differences: [...differencesOf(facts), ...settingsOf(facts)],
    users,
    neededBytes: needed,
    freeBytes,
    remarks: [...remarksOf(facts, path, inPlace, users), ...textRemarks(facts, dump, path)],
  };
}

function stateOf(facts: Facts): TargetPlan['state'] {
  const state = facts.need('live_state');
  if (state === 'sound' || state === 'damaged' || state === 'missing') return state;
  throw new BackupError('E_INTERNAL', `the host reported the state ${JSON.stringify(state.slice(0, 40))}`);
}

const sizeOf = (facts: Facts): number => facts.number('live_page_size');

/** Who has the database open, one line each. */
export function usersOf(facts: Facts): string[] {
  return [...new Set(facts.all('in_use'))].map((user) => quoteOutside(user, 100));
}

export function busy(path: string, users: string[]): BackupError {
  return new BackupError(
    'E_TARGET_BUSY',
    `${path} can only be replaced as a whole, but is open in ${users.length === 0 ? 'a process that cannot be seen from here' : users.join(', ')}`,
    'Stop that process, or set `stop-command` and `start-command`: what it writes afterwards would be lost.',
  );
}

/** The new file gets the group of the old one, which only members of that group can give it. Throws E_PERM. */
function checkGroup(facts: Facts, path: string): void {
  if (facts.get('foreign_group') === null) return;
  const [group, owner] = ['foreign_group', 'owner'].map((key) => quoteOutside(facts.get(key) ?? '', 100));
  throw new BackupError(
    'E_PERM',
    `${path} can only be replaced as a whole, and its group is ${group}: ${owner} is not in that group, and cannot give the new file to it`,
    `On the host, as root: \`usermod -aG ${group} ${owner}\`, which counts from the next login. If nobody needs the database by that group, give it one of ${owner} instead: \`chgrp "$(id -g ${owner})" ${quote(path)}\`.`,
  );
}

/** A file that is no database is replaced only where it is known that one was there. Throws E_SOURCE_INVALID. */
function checkIsMeant(facts: Facts, { manifest }: Dump, path: string): void {
  if (manifest?.identity.path === path) return;
  throw new BackupError(
    'E_SOURCE_INVALID',
    `${path} is not a SQLite database: ${quoteOutside(facts.get('damage') ?? '', 200)}`,
    'It is not replaced, because the backup was not made from it. If you do want to replace it, move that file away first: a missing one is created.',
  );
}

/** `unread`: what SQLite itself writes over a database it signs with its own version, and an older one looks like damage to the next tool. */
function wayInWords(state: TargetPlan['state'], inPlace: boolean, unread: boolean): string {
  if (inPlace) {
    return 'in place: SQLite writes the backup into the live file in one transaction; programs may stay connected, writers wait meanwhile, and everyone sees the restored rows with the next statement';
  }
  const because = {
    missing: 'the file is created',
    damaged: 'the damaged file is replaced as a whole, with its -wal, -shm and -journal',
    sound: `the file is replaced as a whole, with its -wal, -shm and -journal, because ${unread ? 'its schema, or the schema of the backup, needs a newer SQLite than the tool on the host' : 'its page size differs from that of the backup'}`,
  };
  return `${because[state]}, while nobody has it open`;
}

function remarksOf(facts: Facts, path: string, inPlace: boolean, users: string[]): string[] {
  const remarks: string[] = [];
  const damage = facts.get('damage');
  if (damage !== null) remarks.push(`${path} is damaged: ${quoteOutside(damage, 300)}`);
  if (facts.get('live_locked') !== null) {
    remarks.push(`${path} is locked, so it could not be read: ${quoteOutside(facts.get('live_locked') ?? '', 200)}`);
  }
  if (facts.get('uncounted') !== null) {
    remarks.push(`not all rows of ${path} could be counted: ${quoteOutside(facts.get('uncounted') ?? '', 200)}`);
  }
  if (facts.get('live_state') === 'missing') {
    remarks.push(
      `${path} will be created with mode 600, owned by the owner of ${quoteOutside(facts.get('parent') ?? '', 300)}, or by the user who creates it if only root could change that`,
    );
  }
  if (!inPlace && facts.get('all_users') === null) {
    remarks.push(
      `only processes of the same user were checked for having ${path} open: only root can see those of others`,
    );
  }
  if (inPlace && users.length > 0) {
    remarks.push(
      `${plural(users.length, 'process', 'processes')} ${users.length === 1 ? 'has' : 'have'} ${path} open, and may keep rows in memory that no longer exist: restart the application after the restore`,
    );
  }
  return remarks;
}

/** What the text of a dump has no place for. */
function textRemarks(facts: Facts, { kind }: Dump, path: string): string[] {
  const [live, there] = [facts.get('live_user_version'), facts.get('dump_user_version')];
  if (kind !== 'statements' || live === null || there === null || live === there) return [];
  return [
    `the user_version of ${path} is ${quoteOutside(live, 20)}, and ${quoteOutside(there, 20)} in the dump, because \`.dump\` and iterdump leave it out. An application that counts its migrations there would run them again, so set it after the restore (\`PRAGMA user_version\`)`,
  ];
}

/** The schema of the live database against that of the backup. */
function differencesOf(facts: Facts): string[] {
  const [live, dump] = [facts.get('live_schema'), facts.get('dump_schema')];
  if (live === null || dump === null) return [];
  const [before, after] = [schemaOf(live, facts.get('live_encoding')), schemaOf(dump, facts.get('encoding'))];
  const differences: string[] = [];
  for (const [name, sql] of before) {
    const other = after.get(name);
    if (other === undefined) differences.push(`${name} is only in the live database, and will be gone`);
    else if (other !== sql) differences.push(`${name} is defined differently in the backup`);
  }
  for (const name of after.keys()) if (!before.has(name)) differences.push(`${name} is only in the backup`);
  return differences.map((line) => quoteOutside(line, 300));
}

function settingsOf(facts: Facts): string[] {
  const [live, dump] = [facts.get('live_encoding'), facts.get('encoding')];
  const lines: string[] = [];
  if (live !== null && dump !== null && live !== dump) lines.push(`the encoding is ${live}, but ${dump} in the backup`);
  if (facts.get('live_page_size') !== null && sizeOf(facts) !== facts.number('page_size')) {
    lines.push(
      `pages have ${formatCount(sizeOf(facts))} bytes, but ${formatCount(facts.number('page_size'))} in the backup`,
    );
  }
  return lines.map((line) => quoteOutside(line, 200));
}

/** Lines of `object TYPE NAME TABLE ROOTPAGE SQL`, the texts in hex; what SQLite makes by itself is left out. */
function schemaOf(text: string, encoding: string | null): Map<string, string> {
  const decoder = decoderOf(encoding);
  const plain = (hex = ''): string => decoder.decode(Buffer.from(hex, 'hex'));
  const objects = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [word, type, name, , , sql] = line.split(' ');
    if (word !== 'object' || plain(name).startsWith('sqlite_')) continue;
    objects.set(`${plain(type)} ${plain(name)}`, plain(sql));
  }
  return objects;
}

/** The live database after the swap against what was loaded. Throws E_RESTORE. */
function differencesAfter(facts: Facts, loaded: readonly TableRows[]): string[] {
  const path = facts.path('source');
  const remarks: string[] = [];
  const uncounted = facts.get('uncounted');
  if (uncounted !== null)
    remarks.push(`not all rows of the restored ${path} could be counted: ${quoteOutside(uncounted, 200)}`);
  const live = new Map(decoded(facts.restored, facts.get('encoding')).map(({ name, rows }) => [name, rows]));
  const missing = loaded.filter(({ name }) => !live.has(name)).map(({ name }) => name);
  const other = loaded.filter(({ name, rows }) => live.has(name) && live.get(name) !== rows);
  const alone = facts.get('all_users') !== null && facts.all('in_use').length === 0;
  const shown = other
    .slice(0, MOST_SHOWN)
    .map(({ name, rows }) => quoteOutside(`${name} has ${plural(live.get(name) ?? 0, 'row')}, not ${rows}`, 120))
    .join('; ');
  if ((missing.length > 0 && uncounted === null) || (other.length > 0 && alone)) {
    throw new BackupError(
      'E_RESTORE',
      `${path} is not what was loaded: ${missing.length > 0 ? `missing: ${quoteOutside(missing.slice(0, MOST_SHOWN).join(', '), 300)}` : shown}`,
      'Something else writes to that database, or the disk is faulty.',
    );
  }
  if (other.length > 0) remarks.push(`somebody has already written to ${path} after the restore: ${shown}`);
  return remarks;
}

/** Names as the database holds them, in its own encoding. */
function decoded(tables: CountedRows[], encoding: string | null): { name: string; rows: number }[] {
  const decoder = decoderOf(encoding);
  return tables.map(({ name, rows }) => ({ name: decoder.decode(name), rows }));
}

function decoderOf(encoding: string | null): TextDecoder {
  return new TextDecoder(encoding === null || encoding === '' ? 'utf-8' : encoding.toLowerCase());
}
