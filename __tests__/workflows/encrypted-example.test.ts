import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ageKey, type KeyPair } from '../helpers/encryption-keys.js';
import { refused, sqlite3, succeeded } from '../helpers/outcome.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { workflow } from './workflow-files.js';

// What examples/encrypted.yml gives to its two jobs, run by the action itself, over SSH.

let scene: Scene;
let backupKey: KeyPair;
let offlineKey: KeyPair;
beforeAll(async () => {
  [backupKey, offlineKey] = [ageKey(), ageKey()];
  scene = await startScene({ mb: 0.3 });
  sqlite3(scene.database, 'CREATE TABLE users (name)', "INSERT INTO users VALUES ('ann')");
});
afterAll(() => scene?.stop());

/** The inputs of a job, with what stands in the place of its variables, secrets and outputs; those of the scene for the connection. */
function inputsOf(id: string, filled: Record<string, string>): Record<string, string> {
  const job = workflow('examples/encrypted.yml').jobs[id];
  const given = job?.with ?? job?.steps?.find(({ uses }) => uses?.startsWith('org/'))?.with ?? {};
  const inputs: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    const text = String(value);
    if (Object.hasOwn(scene.inputs, name)) continue;
    const expression = /^\$\{\{ (.*) \}\}$/.exec(text)?.[1];
    if (expression !== undefined && filled[expression] === undefined) throw new Error(`there is no ${expression}`);
    inputs[name] = expression === undefined ? text : (filled[expression] ?? '');
  }
  return inputs;
}

test('the job that backs up has no private key; the one that proves opens and restores it on the runner', async () => {
  const backup = inputsOf('backup', { 'vars.BACKUP_RECIPIENTS': `${backupKey.recipient}\n${offlineKey.recipient}` });
  expect(Object.keys(backup).filter((name) => name.startsWith('decryption'))).toEqual([]);
  const id = succeeded(await scene.run(backup));
  expect(scene.manifest(id)).toMatchObject({
    file: expect.stringMatching(/\.age$/),
    encryption: {
      method: 'age',
      recipients: [backupKey.recipient.slice(0, 20), offlineKey.recipient.slice(0, 20)],
    },
  });
  const proof = (key: KeyPair) =>
    inputsOf('proof', { 'needs.backup.outputs.backup-id': id, 'secrets.BACKUP_DECRYPTION_KEY': key.identity });
  for (const key of [backupKey, offlineKey]) {
    const result = await scene.run(proof(key));
    expect({ code: result.code, ...result.outputs }).toMatchObject({ code: 0, 'verified-level': 'restore' });
    expect(result.annotations).toEqual([]);
  }
  expect(refused(await scene.run(proof(ageKey())), 'E_DECRYPT')).toContain('the key does not open it');
});
