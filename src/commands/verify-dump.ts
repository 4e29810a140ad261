import { foreignDump, foreignRemarks } from '../engines/foreign-dump.js';
import { engineOf } from '../engines/lookup.js';
import { BackupError } from '../errors.js';
import { checkAsserts } from '../proving/asserts.js';
import { formatDuration } from '../reporting/format.js';
import { UNSIGNED_FILE } from '../restoring/source.js';
import { connected, note, warn } from '../run/connect.js';
import { keysOf, warnOfPlain } from '../run/keys.js';
import type { Run } from '../run/run.js';

/**
 * Proves a dump on the host that this action did not make: that it is one, that it is whole, and with `verify: restore` that it can be
 * restored, by the functions that a restore of it uses. It has no manifest to be compared with, and is none of the backups: nothing is
 * recorded, no backup is looked at, and neither the directory nor the lock is needed. Throws what a restore of it would before it changes anything.
 */
export async function verifyDump(run: Run, path: string): Promise<void> {
  const { settings, database, log, report } = run;
  await connected(run, async (connection) => {
    const keys = keysOf(settings);
    if (keys.length > 0) await connection.send(...keys);
    const found = await connection.send(['job', 'look_dump', [path]]);
    const dump = foreignDump(found, engineOf(settings.database));
    const compared = found.get('dump_sidecar') === 'agrees';
    const { file, sha256, bytes, compression } = dump;
    report.dump = { path: file, sha256, bytes, compression, compared, verifiedLevel: 'none' };
    for (const remark of foreignRemarks(found)) warn(run, remark);
    if (settings.signing !== null) warn(run, UNSIGNED_FILE);
    warnOfPlain(run, file, dump.encryption);
    note(
      run,
      `${file} has no manifest, so its content is compared with nothing: nothing shows which tables and rows it should have`,
    );
    if (!compared && settings.verify === 'checksum') {
      warn(
        run,
        `there is no ${file}.sha256 to compare its bytes with, so the level checksum proves nothing about them`,
      );
    }
    if (settings.dryRun) {
      log.info(`would verify ${file}, level ${settings.verify}`);
      report.ok = true;
      report.healthy = true;
      return;
    }
    if (database.tools !== undefined && settings.verify !== 'checksum') {
      const tools = await connection.send(database.tools.request(settings));
      for (const remark of database.tools.remarks(settings, tools, dump)) warn(run, remark);
    }
    const started = performance.now();
    const facts = await log
      .group(`Verify ${file}`, () => connection.send(database.verify(settings, dump)))
      .catch((error: unknown) => {
        if (!(error instanceof BackupError) || error.code !== 'E_CHECKSUM') throw error;
        const hint = 'Do not rely on this dump: choose another one, or copy it again from its source.';
        throw new BackupError(error.code, error.message, hint, { cause: error });
      });
    report.tables = database.restoring.loaded(facts, dump);
    if (settings.verify === 'restore') checkAsserts(settings.asserts, facts);
    report.dump.verifiedLevel = settings.verify;
    report.ok = true;
    report.healthy = true;
    log.info(`${file} is intact: ${settings.verify} verified in ${formatDuration(performance.now() - started)}`);
  });
}
