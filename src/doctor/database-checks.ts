import type { Facts } from '../host/session.js';
import { formatBytes } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { newReport } from '../reporting/report.js';
import { checkTarget, chooseSource } from '../restoring/source.js';
import { hasKeyFor, keysOf, missingKey, showEncrypted } from '../run/keys.js';
import type { Checks } from './checks.js';
import type { HostFacts } from './host-checks.js';

/** The database, the room beside it, and what its user may do. Resolves to what the host told of it; null: it could not be looked at. */
export async function lookAtDatabase(checks: Checks): Promise<Facts | null> {
  const { run } = checks;
  const { database, report } = run;
  const settings = { ...run.settings, encryption: null }; // which has a row of its own
  const isThere = await checks.probe('Database', async () => {
    const found = await checks.send(database.inspect(settings));
    const plan = `${database.plan(found)}; ${formatBytes(found.number('source_bytes'))}`;
    if (database.repository !== undefined) return plan; // whose tool compresses as it is configured
    const compressor = found.get('compressor_version') ?? found.get('compressor') ?? 'nothing';
    return `${plan}; compressed with ${quoteOutside(compressor, 100)}`;
  });
  if (!isThere) return null;
  let facts: Facts | null = null;
  await checks.probe('Room for a backup', async () => {
    facts = await checks.send(database.health.request(settings, 'glance'));
    if (facts.get('objects') === '0') {
      return {
        level: 'warning',
        found: 'the database is empty, and an empty database is not backed up (E_EMPTY)',
        todo: 'Check that this is the right database.',
      };
    }
    const needed = facts.number('backup_kib') * 1024;
    const free = report.storage.freeBytes;
    const found = `${formatBytes(needed)} needed, ${free === null ? 'the free space is unknown' : `${formatBytes(free)} free`}`;
    if (free === null || free >= needed) return found;
    const todo = 'Free some space there, keep fewer backups, lower `min-free`, or choose another `directory`.';
    return { level: 'error', code: 'E_NOSPACE', found, todo };
  });
  const told: Facts | null = facts;
  const { rights } = database;
  if (rights !== undefined && told !== null) {
    await checks.probe(rights.title ?? 'Rights in the database', () => rights.words(told));
  }
  return told;
}

/** The plan of a restore of the newest good backup. What would be in its way is told, and nothing is done. */
export async function lookAtRestore(checks: Checks, { place }: HostFacts): Promise<void> {
  const { run, connection } = checks;
  await checks.probe('Restore', async () => {
    if (place === null || place.listed.backups.length === 0) {
      return {
        level: 'skipped',
        found: 'there is no backup yet to plan a restore with: run `doctor` again after the first one',
      };
    }
    const settings = { ...run.settings, dryRun: true };
    const report = newReport(run.now());
    const { restoring, identity } = run.database;
    const keys = keysOf({ encryption: null, decryption: settings.decryption });
    if (keys.length > 0) await checks.send(...keys);
    const { dump, from } = await chooseSource({ ...run, settings, report }, connection);
    const { encryption } = dump;
    if (encryption !== 'none' && !hasKeyFor(encryption, settings)) {
      return { level: 'skipped', found: `${from} is ${showEncrypted(encryption)}, and ${missingKey(encryption)}` };
    }
    const facts = await checks.send(restoring.look(settings, dump));
    const plan = restoring.plan(settings, facts, dump);
    if (plan.state !== 'missing') checkTarget(run, dump, restoring.target, identity(facts));
    const { neededBytes: needed, freeBytes: free, remarks } = plan;
    const found = `${from} into ${restoring.target}: ${plan.wayInWords}; ${formatBytes(needed)} needed${free === null ? '' : `, ${formatBytes(free)} free`}`;
    if (free !== null && free < needed) {
      return { level: 'warning', code: 'E_NOSPACE', found, todo: 'Free some space before you need it.' };
    }
    const [remark] = remarks;
    return remark === undefined ? found : { level: 'warning', found, todo: remarks.join('; ') };
  });
}
