import { Checks } from '../doctor/checks.js';
import { lookAtCommands } from '../doctor/command-checks.js';
import { lookAtDatabase, lookAtRestore } from '../doctor/database-checks.js';
import { lookAtEncryption } from '../doctor/encryption-checks.js';
import { lookAtHost, lookAtSchedule } from '../doctor/host-checks.js';
import { setUpOf } from '../doctor/set-up.js';
import { lookAtStore } from '../doctor/store-checks.js';
import { connected } from '../run/connect.js';
import type { Run } from '../run/run.js';
import { unhealthy } from './unhealthy.js';

/**
 * Whether there is all that backups, restores, copies off-site, encryption and schedules need: every precondition is looked at, whatever the
 * one before has come to, and nothing is changed. Then the set-up by least privilege. Throws E_UNHEALTHY when something is wrong.
 */
export async function doctor(run: Run): Promise<void> {
  const { report, log } = run;
  await connected(run, async (connection) => {
    const checks = new Checks(run, connection);
    const host = await log.group('Check the host', () => lookAtHost(checks));
    const database = await log.group(`Check ${run.settings.database.given}`, () => lookAtDatabase(checks));
    await log.group('Check what a restore needs', async () => {
      await lookAtRestore(checks, host);
    });
    const sudo = await lookAtCommands(checks, host);
    await lookAtEncryption(checks);
    await lookAtStore(checks);
    await lookAtSchedule(checks, host);
    const onGitHub = process.env.RUNNER_ENVIRONMENT === 'github-hosted';
    report.setUp = setUpOf(run, host, { database, sudo, onGitHub });
    for (const { title, why, text } of report.setUp) {
      await log.group(title, async () => log.info([why, ...text.split('\n')].join('\n')));
    }
    const errors = report.problems.filter(({ level }) => level === 'error');
    if (errors.length > 0) throw unhealthy(errors);
    report.ok = true;
  });
}
