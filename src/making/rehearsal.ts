import { coverageOf, showCoverage } from '../backups/coverage.js';
import type { Candidate } from '../backups/retention.js';
import { HostPlace } from '../places/host.js';
import type { Place } from '../places/place.js';
import { planRotation, refusalOf, tellRotation } from '../places/rotate.js';
import { withStorePlace } from '../places/with-store.js';
import { formatBytes } from '../reporting/format.js';
import { tellChecked, tellStore } from '../run/checked.js';
import { type Connection, warn } from '../run/connect.js';
import { openDirectory } from '../run/directory.js';
import { keysOf } from '../run/keys.js';
import type { Run } from '../run/run.js';
import { adoptLost } from './adopt.js';
import { timeAfter } from './time.js';

/** What a backup would do, for `dry-run`: looked at and told, and nothing is written. Throws E_NOSPACE where there is no room for it. */
export async function rehearse(run: Run, connection: Connection): Promise<void> {
  const { settings, database, log, report } = run;
  const facts = await log.group('Look', () =>
    connection.send(...openDirectory(run, 'look'), ...keysOf(settings), database.inspect(settings)),
  );
  const host = await HostPlace.of(run, connection, facts);
  await tellChecked(run, connection, facts, host.listed);
  await connection.send(['job', 'foresee_space', [facts.path('directory'), String(facts.number('backup_kib'))]]);
  const encrypt = settings.encryption === null ? '' : ` encrypt it with ${settings.encryption.method},`;
  log.info(
    `would copy ${database.plan(facts)} (${formatBytes(facts.number('source_bytes'))}), compress it with ${facts.get('compressor')},${encrypt} into ${report.directory}`,
  );
  const made: Candidate = {
    id: 'the new backup',
    createdAt: timeAfter(run.now(), host.listed),
    verified: true,
    partial: showCoverage(coverageOf(settings.dump)),
    pinned: settings.pin,
    safety: false,
  };
  await withStorePlace(run, host, async (store) => {
    if (store !== null) log.info(`would copy it to ${store.uri}`);
    await adoptLost(run, host);
    await tellPlan(run, host, made);
    if (store === null) return;
    await tellPlan(run, store, made);
    tellStore(run, store.uri);
  });
  report.ok = true;
}

async function tellPlan(run: Run, place: Place, made: Candidate): Promise<void> {
  const rotation = await planRotation(run, place, { made });
  const { retention } = rotation;
  retention.decisions = retention.decisions.filter(({ id }) => id !== made.id);
  tellRotation(run, rotation, true);
  const refusal = refusalOf(rotation);
  if (refusal !== null) warn(run, `the rotation would be refused: ${refusal}`);
}
