import type { Content } from '../../backups/manifest.js';
import { BackupError } from '../../errors.js';
import { quote } from '../../host/quoting.js';
import type { Facts } from '../../host/session.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import { named, seconds } from '../common.js';
import type { Database } from '../database.js';
import { restoredIn, serverVersion } from '../postgres/facts.js';
import { serverIn } from '../postgres/url.js';
import { type Dump, dumpArguments } from '../restoring.js';
import { archiveIn, timelineOf } from './archive.js';
import { argumentsOf, jobsOf } from './arguments.js';
import { lastOf } from './choose-set.js';
import { physicalHealth } from './health.js';
import { otherList } from './other-list.js';
import { checkRecovered } from './recovered.js';
import { aimOf, physicalRepository, setsIn } from './repository.js';
import { physicalRestoring } from './restore.js';
import { archiveInWords, setUpOf } from './set-up.js';
import type { PhysicalSource } from './source.js';
import { chooseType } from './type.js';
import { readVerified } from './verified.js';
import { warningsIn } from './warnings.js';
import { reachOf } from './window.js';
import { explainPhysical } from './words.js';

/** A whole PostgreSQL cluster, by pgBackRest and programs/physical.sh. */
export function physicalDatabase(source: PhysicalSource): Database {
  const { stanza } = source;
  const repository = physicalRepository(source);
  return {
    kind: 'full',
    path: '',
    server: serverIn(source.postgres),
    repository,

    backup(settings, id, holder, known) {
      const { type } = chooseType(settings, known === undefined ? null : setsIn(known, stanza), new Date());
      return [
        'job',
        'backup_physical',
        named({
          ...argumentsOf(source, settings),
          ...{ id, holder, kind: type, jobs: jobsOf(settings), scratch_database: source.postgres.database },
          lock_wait: seconds(settings.lockWaitMs),
        }),
      ];
    },

    verify(settings, dump) {
      return [
        'job',
        'verify_physical',
        named({
          ...argumentsOf(source, settings),
          ...dumpArguments(dump),
          ...aimOf(dump),
          label: dump.manifest?.set?.label ?? '',
          jobs: jobsOf(settings),
          scratch_database: source.postgres.database,
        }),
      ];
    },

    checkProof(facts, manifest, aim) {
      const { sha256, set } = manifest;
      if (set === undefined) return;
      const found = facts.need('set_hash');
      // nobody has told yet what it should be
      if (sha256 !== found && !/^0+$/.test(sha256)) throw otherList(set.label, found, sha256);
      const text = facts.get('verified_text');
      if (text !== null) readVerified(text, stanza, set.label);
      if (facts.get('restored_into') !== null) {
        const { timeline } = aimOf({ manifest, ...(aim === undefined ? {} : { aim }) });
        checkRecovered(facts, pastOf(facts, stanza, set.label, aim), Number(timeline));
      }
    },

    inspect: (settings) => ['job', 'inspect_physical', named(argumentsOf(source, settings))],

    identity: (facts) => {
      const text = facts.get('sets');
      const told = facts.get('system_identifier');
      const last = text === null ? undefined : setsIn(facts, stanza).clusters.at(-1);
      return { stanza, cluster: told ?? last?.systemId ?? null };
    },

    describe(facts) {
      return {
        databaseBytes: 0, // as the set has it
        tools: {
          pgbackrest: quoteOutside(facts.get('backrest_version') ?? '', 60),
          server: quoteOutside(serverVersion(facts), 60),
        },
        content: contentIn(facts),
      };
    },

    remarks: (facts) => warningsIn(facts, 'made_warnings'),

    plan(facts) {
      const version = quoteOutside(serverVersion(facts), 60);
      return `the whole cluster of PostgreSQL ${version} with pgBackRest ${quoteOutside(facts.get('backrest_version') ?? '', 60)}`;
    },

    recovery({ set }, _, { runAs }) {
      if (set === undefined) return [];
      const there = runAs === null ? '' : `sudo -u ${quote(runAs)} `;
      return [
        '# into a new, empty directory of the owner of the cluster, with the server stopped; it replaces the data directory then',
        `${there}pgbackrest --stanza=${quote(stanza)} --set=${quote(set.label)} --type=immediate --target-action=promote --pg1-path=/NEW/EMPTY/DIRECTORY restore`,
        '# to another moment: --type=time --target="2026-11-29 18:19:40+00" instead of --type=immediate (see docs/physical.md)',
      ];
    },

    empty: () => new BackupError('E_EMPTY', 'the cluster is empty'),

    health: physicalHealth(source),
    rights: { title: 'WAL archive', words: (facts) => archiveInWords(facts), toSet: () => [] },
    setUp: (facts, settings) => setUpOf(stanza, facts, settings),
    restoring: physicalRestoring(source),
    explain: (failure, settings) => explainPhysical(failure, source, settings),
  };
}

/** What a scratch restore has to come past: on its own timeline it goes as far as the WAL. */
function pastOf(facts: Facts, stanza: string, label: string, aim: Dump['aim']): bigint | null {
  if (aim?.past !== undefined) return BigInt(aim.past);
  const repository = setsIn(facts, stanza);
  const set = repository.sets.find((one) => one.label === label);
  const archive = archiveIn(facts);
  const reach = set === undefined ? null : reachOf(set, timelineOf(set.stopWal), repository, archive);
  return reach === null ? null : lastOf(reach, archive);
}

/** What a scratch restore has counted; null: there was none. */
function contentIn(facts: Facts): Content | null {
  if (facts.get('restored_into') === null) return null;
  const tables = restoredIn(facts);
  return { tables, objects: tables.length };
}
