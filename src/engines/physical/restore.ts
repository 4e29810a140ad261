import { BackupError } from '../../errors.js';
import { quote } from '../../host/quoting.js';
import type { Facts, HostRequest } from '../../host/session.js';
import { counted, formatBytes, formatDuration, formatMoment } from '../../reporting/format.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import type { Settings } from '../../settings/settings.js';
import { named, seconds } from '../common.js';
import { decoded } from '../postgres/facts.js';
import type { Dump, Restoring, Step, TargetPlan } from '../restoring.js';
import { archiveIn } from './archive.js';
import { argumentsOf, jobsOf } from './arguments.js';
import { isPhysicalIdentity } from './format.js';
import { checkRecovered, checkRest } from './recovered.js';
import { aimOf, setsIn } from './repository.js';
import type { PhysicalSource } from './source.js';
import { warningsIn } from './warnings.js';
import { windowOf } from './window.js';

/** Puts a whole cluster back, by programs/physical-restore.sh. */
export function physicalRestoring(source: PhysicalSource): Restoring {
  const { stanza, given } = source;
  const step = (name: string, settings: Settings, { id }: Step, dump: Dump | null): HostRequest => {
    return [
      'job',
      `${name}_restore_physical`,
      named({
        ...argumentsOf(source, settings),
        ...aimOf(dump),
        ...(dump === null ? { label: '', sha256: '' } : listOf(dump)),
        ...{ id, jobs: jobsOf(settings), lock_wait: seconds(settings.lockWaitMs) },
      }),
    ];
  };
  return {
    targetName: stanza,
    target: given,
    mayBe: (identity) => isPhysicalIdentity(identity) && identity.stanza === stanza,
    look: (settings, dump) => [
      'job',
      'look_restore_physical',
      named({ ...argumentsOf(source, settings), ...listOf(dump), moment: momentOf(dump) }),
    ],
    plan: (settings, facts, dump) => planOf(source, settings, facts, dump),
    load: (settings, dump, at) => step('load', settings, at, dump),
    loaded: () => [],
    loadRemarks: (facts) => warningsIn(facts, 'restore_warnings'),
    swap: (settings, dump, at) => step('swap', settings, at, dump),
    swapped: (facts, _, dump) => reached(facts, dump),
    notes: (facts) => [recoveredInWords(facts)],
    back: (settings, at) => step('back', settings, at, null),
    settle: (settings, at) => step('settle', settings, at, null),
    settleKeepsOld: true,
    recover: (settings, at) => step('recover', settings, at, null),
    identity: (facts) => ({ stanza, cluster: facts.get('system_identifier') }),
    byHand: ({ runAs }, { id }) => byHand(runAs, id),
  };
}

/** To which one is restored, in UTC, as the WAL has it; empty: as far as that goes. */
function momentOf(dump: Dump): string {
  const { type, target } = aimOf(dump);
  if (type === 'time') return target.replace('+00', '');
  return type === 'immediate' ? (dump.manifest?.set?.to ?? '').replace('T', ' ').replace('Z', '') : '';
}

function planOf({ stanza }: PhysicalSource, settings: Settings, facts: Facts, dump: Dump): TargetPlan {
  const cluster = facts.path('cluster');
  const damage = facts.get('cluster_damaged');
  const isThere = damage !== null || facts.get('system_identifier') !== null;
  const isRunning = facts.get('server_running') !== null;
  refuseOdd(facts, cluster);
  const set = setsIn(facts, stanza).sets.find(({ label }) => label === dump.manifest?.set?.label);
  if (set === undefined) {
    throw new BackupError(
      'E_NOT_FOUND',
      `the repository does not have the set of ${dump.file} any more`,
      'Choose another backup: `command: list` shows them.',
    );
  }
  checkTimeline(settings, facts, dump, stanza, isRunning);
  const live = (sum(facts, 'cluster_kib') + sum(facts, 'tablespace_kib')) * 1024;
  const [own, ...others] = roomsIn(facts);
  if (own === undefined) throw new BackupError('E_INTERNAL', 'the host did not say what the set needs');
  for (const room of [own, ...others]) checkRoom(room, settings);
  const { target, type } = aimOf(dump);
  const moment =
    type === 'time'
      ? `the moment ${target}`
      : type === 'default'
        ? 'the end of the archived WAL'
        : `the end of the set, ${formatMoment(set.stoppedAt)} UTC`;
  const databases = facts.all('on_server').map(decoded);
  return {
    state: damage !== null ? 'damaged' : isThere ? 'sound' : 'missing',
    way: 'swap',
    wayInWords: `restored beside ${quoteOutside(cluster, 300)} from ${set.label} and recovered to ${moment}; the server is stopped for the swap and the recovery, and everybody is disconnected. The old data directory stays beside it: that is the way back${elsewhere(others)}${expected(dump)}`,
    safetyLevel: 'content',
    keepsOld: true,
    bytes: live,
    tables: [],
    dumpTables: null,
    differences: [
      ...(databases.length === 0
        ? []
        : [`the whole cluster is restored, with all its databases: ${quoteOutside(databases.join(', '), 1000)}`]),
      ...foreign(facts, stanza),
      ...lost(dump, facts, stanza, isRunning),
    ],
    users: facts.all('session').map((hex) => decoded(hex)),
    ...{ neededBytes: own.neededBytes, freeBytes: own.freeBytes },
    remarks: remarksOf(facts, settings, isThere, isRunning),
  };
}

/** Which set a request is about, and the hash that its list of files has to have. */
const listOf = ({ manifest, sha256 }: Dump): Record<string, string> => ({ label: manifest?.set?.label ?? '', sha256 });

/** A file system to which some of the set goes. */
interface Room {
  folder: string;
  neededBytes: number;
  freeBytes: number | null;
}

/** That of the data directory first. Throws E_INTERNAL when the host told something else. */
function roomsIn(facts: Facts): Room[] {
  return facts.all('room').map((text) => {
    const [, needed, free, folder] = /^(\d{1,15}) (\d{1,15})? (\/[^\p{Cc}]{0,4095})$/u.exec(text) ?? [];
    if (needed === undefined || folder === undefined) {
      throw new BackupError('E_INTERNAL', `the host reported a room as ${JSON.stringify(text.slice(0, 80))}`);
    }
    return { folder, neededBytes: Number(needed) * 1024, freeBytes: free === undefined ? null : Number(free) * 1024 };
  });
}

/** Throws E_NOSPACE. */
function checkRoom({ folder, neededBytes, freeBytes }: Room, { minFreeBytes }: Settings): void {
  if (freeBytes === null || freeBytes >= neededBytes + minFreeBytes) return;
  throw new BackupError(
    'E_NOSPACE',
    `not enough space in ${quoteOutside(folder, 300)}: ${formatBytes(neededBytes + minFreeBytes)} are needed for the restored cluster, ${formatBytes(freeBytes)} are free`,
    'Free some space there, or lower `min-free`: the old files stay as the way back, so there must be room for both.',
  );
}

/** The file systems on which there is no data directory, only tablespaces. */
const elsewhere = (rooms: readonly Room[]): string =>
  rooms
    .map(
      ({ folder, neededBytes, freeBytes }) =>
        `. Its tablespaces need ${formatBytes(neededBytes)} in ${quoteOutside(folder, 300)}${freeBytes === null ? '' : `, where ${formatBytes(freeBytes)} are free`}`,
    )
    .join('');

/** What cannot be renamed cannot be restored beside. Throws E_RESTORE. */
function refuseOdd(facts: Facts, cluster: string): void {
  const unwritable = facts.get('parent_unwritable');
  const why =
    facts.get('cluster_mount') !== null
      ? `${cluster} is a mount point, which cannot be renamed`
      : facts.get('cluster_link') !== null
        ? `${cluster} is a symbolic link`
        : unwritable === null
          ? null
          : `its owner cannot write to ${unwritable}, where the new directory has to be made`;
  if (why === null) return;
  throw new BackupError(
    'E_RESTORE',
    `the cluster cannot be restored beside the live one: ${quoteOutside(why, 500)}`,
    'Put the data directory one level below what is mounted, into a directory of its owner, and name its real path as pg1-path in pgbackrest.conf. Or restore by hand: docs/physical.md says how.',
  );
}

/** That the moment is one to which the WAL goes by now: a server that does not run adds none. Throws E_NOT_FOUND. */
function checkTimeline(settings: Settings, facts: Facts, dump: Dump, stanza: string, isRunning: boolean): void {
  const { restoreTime } = settings;
  if (restoreTime === null || restoreTime === 'latest' || isRunning) return;
  const { spans } = windowOf(setsIn(facts, stanza), archiveIn(facts), Number(aimOf(dump).timeline));
  const end = spans.at(-1)?.to ?? '';
  if (restoreTime.at <= new Date(end)) return;
  throw new BackupError(
    'E_NOT_FOUND',
    `the archived WAL ends at ${formatMoment(new Date(end))} UTC, before ${restoreTime.text}, and the server does not run to archive what it has committed since`,
    'Set `restore-time: latest` to recover as far as the WAL goes, or start the server first.',
  );
}

/** That what is live is not what the repository is of: a server that was installed anew, or somebody else's. */
function foreign(facts: Facts, stanza: string): string[] {
  const live = facts.get('system_identifier');
  const own = setsIn(facts, stanza).clusters.at(-1)?.systemId;
  return live === null || own === undefined || live === own
    ? []
    : [
        `the data directory holds another cluster (system identifier ${quoteOutside(live, 30)}) than the one in the repository (${own}): all of it would be replaced`,
      ];
}

/** What would be lost, in time and in transactions. */
function lost(dump: Dump, facts: Facts, stanza: string, isRunning: boolean): string[] {
  const { target, type } = aimOf(dump);
  const { newest } = windowOf(setsIn(facts, stanza), archiveIn(facts));
  const to =
    type === 'time'
      ? new Date(`${target.slice(0, 23).replace(' ', 'T')}Z`)
      : type === 'immediate'
        ? new Date(dump.manifest?.set?.to ?? '')
        : null;
  if (to === null)
    return [
      'everything that reached the repository is kept; what was committed since the newest WAL there, and cannot be archived any more, would be lost',
    ];
  const until =
    isRunning || newest === null ? new Date() : new Date(Math.max(new Date(newest).getTime(), to.getTime()));
  const commits = facts.numberOrNull('lost_commits');
  const atLeast = facts.get('lost_more') === null ? '' : 'at least ';
  const number = commits === null ? '' : `, ${atLeast}${counted(commits, 'transaction')}`;
  return [
    `every transaction that was committed after ${formatMoment(to)} UTC would be lost: ${formatDuration(until.getTime() - to.getTime())} of work${number}`,
  ];
}

const expected = ({ manifest }: Dump): string =>
  manifest?.verified.ms === undefined ? '' : `. Its last scratch restore took ${formatDuration(manifest.verified.ms)}`;

function remarksOf(facts: Facts, { runAs }: Settings, isThere: boolean, isRunning: boolean): string[] {
  const sudo = runAs === null ? '' : `sudo -u ${quote(runAs)} `;
  const unit = facts.get('unit');
  const beside = facts.all('left_beside');
  const asked = facts.get('server_unasked');
  return [
    ...(isThere && !isRunning
      ? ['the server does not run: what it has not archived yet stays in the old data directory alone']
      : []),
    ...(asked === null ? [] : [`the server could not be asked for its databases: ${quoteOutside(asked, 300)}`]),
    ...(unit === null
      ? []
      : [
          `the server is run by systemd (${quoteOutside(unit, 100)}), and will be started without it: hand it back at a quiet moment with \`${sudo}${quoteOutside(facts.get('unit_stop') ?? 'pg_ctl stop', 300)}\` and then \`sudo systemctl start ${quoteOutside(unit, 100)}\`. A restart by systemd alone would find a server that it does not know`,
        ]),
    ...(beside.length === 0
      ? []
      : [`what earlier restores have replaced still takes space: ${quoteOutside(beside.join(', '), 500)}`]),
  ];
}

const sum = (facts: Facts, key: string): number =>
  facts.all(key).reduce((total, text) => total + (/^\d{1,15}$/.test(text) ? Number(text) : 0), 0);

/** How far the server has come. Throws E_RESTORE, E_ARCHIVE when that is not what was asked for. */
function reached(facts: Facts, dump: Dump): string[] {
  const { type, timeline } = aimOf(dump);
  const past = dump.aim?.past;
  checkRecovered(facts, past === undefined ? null : BigInt(past), Number(timeline));
  if (type === 'default') checkRest(facts, Number(timeline));
  const at = decoded(facts.get('recovered_at') ?? '');
  const target = facts.get('aimed_at') ?? '';
  if (facts.get('holds_archive') === 'false') {
    throw new BackupError(
      'E_RESTORE',
      'the restored server archives already, which nobody has allowed yet',
      'Something sets archive_command after postgresql.auto.conf: look at its command line.',
    );
  }
  if (target !== '' && at !== '' && at > target.slice(0, 26)) {
    throw new BackupError(
      'E_RESTORE',
      `the server recovered to ${quoteOutside(at, 60)} UTC, later than ${quoteOutside(target, 60)}`,
      'Look at the log of the server.',
    );
  }
  const unreached = facts.get('unreached');
  const unarchived = facts.get('unarchived');
  return [
    ...(unreached === null
      ? []
      : [`the restored server could not be asked how far it has come: ${quoteOutside(unreached, 300)}`]),
    ...(unarchived === null
      ? []
      : [
          `the last WAL of the old server did not reach the repository (${quoteOutside(unarchived, 300)}): it is in the old data directory alone`,
        ]),
  ];
}

/** For the log and the summary. */
function recoveredInWords(facts: Facts): string {
  const at = decoded(facts.get('recovered_at') ?? '');
  const last = at === '' ? '' : `; the last transaction in it was committed at ${quoteOutside(at, 60)} UTC`;
  return `recovered to LSN ${facts.get('recovered_lsn')}, where timeline ${facts.get('recovered_timeline')} begins${last}`;
}

/** Shell lines, by the owner of the cluster. */
function byHand(runAs: string | null, id: string): string[] {
  const sudo = runAs === null ? '' : `sudo -u ${quote(runAs)} `;
  return [
    '# DATA is the data directory; stop its server first',
    `${sudo}mv DATA DATA.restored && ${sudo}mv DATA.db_backup_old_${id} DATA`,
    '# start the server; in the place of each tablespace, move PG_* away and that of db_backup_old_* back',
  ];
}
