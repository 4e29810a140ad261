// What jest does before the first test: a folder for what is made once and used by many test files (helpers/made-once.ts).
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export default function makeFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'dbb-once-'));
  // the user of the servers has to get through
  chmodSync(folder, 0o755);
  process.env.TEST_FOLDER = folder;
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
}
