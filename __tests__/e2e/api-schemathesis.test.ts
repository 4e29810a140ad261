import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { API_TOKEN } from '../helpers/api.js';
import { type InProcess, startInProcess } from '../helpers/api-in-process.js';
import { runSchemathesis, schemathesisProgram } from '../helpers/schemathesis.js';
import { createDatabase } from '../helpers/sqlite.js';

const MUCH = { most: 100_000, perSecond: 10_000 };

/** A name that fits is not yet one that there is: that is told by 422 and 404. */
const SETTINGS = `
[parameters]
"query.target" = "app"

[[operations]]
include-operation-id = ["restore", "delete"]
checks.positive_data_acceptance.expected-statuses = [200, 404, 409, 422]

# they take what "list" takes, and run for longer
[[operations]]
include-operation-id = ["health", "storage", "backup"]
phases.coverage.enabled = false
`;

const program = schemathesisProgram();
if (program === null) test.skip('schemathesis, which is not on this machine: see scripts/schemathesis.sh', () => {});
else {
  let folder: string;
  let api: InProcess;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dbb-schemathesis-'));
    const database = join(folder, 'app.db');
    await createDatabase(database);
    const config = join(folder, 'db-backup.yml');
    const directory = join(folder, 'backups');
    writeFileSync(config, `databases: { app: { transport: local, database: ${database}, directory: ${directory} } }\n`);
    api = await startInProcess({ calls: MUCH, wrong: MUCH, open: MUCH }, { config, targets: ['app'] });
    writeFileSync(join(folder, 'schemathesis.toml'), SETTINGS);
  });
  afterAll(async () => {
    await api.stop(0);
    rmSync(folder, { recursive: true });
  });

  test('each answer is one of the document, whatever is asked for, and none is an error of the server', async () => {
    const { status, said } = await runSchemathesis(
      program,
      [
        ...['run', `${api.url}/openapi.json`, '-H', `Authorization: Bearer ${API_TOKEN}`, '--no-color'],
        ...['--max-examples', '2', '--seed', '1', '--workers', '1'],
      ],
      folder,
    );
    expect({ status, said }).toMatchObject({ status: 0 });
  });
}
