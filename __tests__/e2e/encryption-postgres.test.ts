import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type EncryptionKeys, layKeys, makeKeys, PASSPHRASE } from '../helpers/encryption-keys.js';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { drop, recover, startPostgresScene } from '../helpers/postgres-backups.js';
import { expectNothingLeft, expectRestored } from '../helpers/postgres-restores.js';
import { contentsOf, fillSample } from '../helpers/postgres-sample.js';
import type { ActionResult } from '../helpers/run-action.js';
import { sample } from '../helpers/sample.js';
import type { Scene } from '../helpers/scene.js';

type Inputs = Record<string, string>;
const COMBINATIONS = ['custom', 'directory', 'plain'].flatMap((format) =>
  ['zstd', 'gzip', 'none'].map((compression): [string, string] => [format, compression]),
);
const MARKER = 'a-marker-of-the-plaintext-51d0';

let keys: EncryptionKeys;
let server: Postgres;
let scene: Scene;
let good: unknown;
beforeAll(async () => {
  keys = makeKeys();
  server = await startPostgres();
  await server.createRole('app', 'pw');
  await fillSample(server, 'shop', 'app');
  await server.sql('shop', `CREATE TABLE marked AS SELECT '${MARKER}'::text AS t; ALTER TABLE marked OWNER TO app`);
  good = await contentsOf(server, 'shop');
  scene = await startPostgresScene(server, 'shop');
});
afterAll(async () => {
  keys?.remove();
  await scene?.stop();
  await server?.remove();
});
afterEach(() => expectNothingLeft(scene, server));

/** How it is encrypted, and what opens it. */
const WAYS: Record<string, () => [encrypt: Inputs, decrypt: Inputs]> = {
  age: () => [
    { encrypt: 'age', 'encryption-recipients': `${keys.otherAge.recipient}\n${keys.age.recipient}` },
    { 'decryption-key': keys.age.identity },
  ],
  'gpg, for a key': () => [
    { encrypt: 'gpg', 'encryption-recipients': keys.gpg.recipient },
    { 'decryption-key': keys.gpg.identity },
  ],
  'gpg, by a passphrase': () => [
    { encrypt: 'gpg', 'encryption-passphrase': PASSPHRASE },
    { 'decryption-passphrase': PASSPHRASE },
  ],
};
const restore = (backup: string, more: Inputs): Promise<ActionResult> =>
  scene.run({ command: 'restore', confirm: 'shop', backup, ...more });

describe.each(Object.keys(WAYS))('with %s', (way) => {
  test.each(sample(COMBINATIONS, 4))(
    '%s and %s: made, proven, restored, and recovered by hand',
    async (format, compression) => {
      const [encrypt, decrypt] = WAYS[way]?.() ?? [{}, {}];
      const id = expectBackup(await scene.run({ ...encrypt, 'dump-format': format, compression }));
      const { file, encryption, verified, content } = scene.manifest(id);
      expect(encryption).toMatchObject({ method: way === 'age' ? 'age' : 'gpg' });
      expect(verified.level).toBe('content');
      expect(content?.tables.length).toBeGreaterThan(5);
      for (const name of readdirSync(scene.directory).filter((name) => name !== '.work')) {
        expect([name, readFileSync(join(scene.directory, name), 'latin1').includes(MARKER)]).toEqual([name, false]);
      }
      for (const verify of ['content', 'restore']) {
        const proof = await scene.run({ command: 'verify', backup: id, verify, ...decrypt });
        expect({ code: proof.code, ...proof.outputs }).toMatchObject({ code: 0, 'verified-level': verify });
      }
      await server.sql('shop', 'DELETE FROM marked');
      await expectRestored(scene, server, await restore(id, { ...decrypt, 'safety-backup': 'false' }));
      expect(await contentsOf(server, 'shop')).toEqual(good);

      const laid = layKeys(scene.user, keys, keys.age, PASSPHRASE);
      const said = await recover(server, scene, id, 'by_hand', undefined, laid.env).finally(laid.remove);
      expect(said).toContain(`${file}: OK`);
      expect(await contentsOf(server, 'by_hand')).toEqual(good);
      await drop(server, 'by_hand');
    },
  );
});

test('the copy on the disk is restored before it counts, when the key is at hand', async () => {
  const [encrypt, decrypt] = WAYS.age?.() ?? [{}, {}];
  const id = expectBackup(await scene.run({ ...encrypt, ...decrypt, verify: 'restore' }));
  expect(scene.manifest(id).verified.level).toBe('restore');
});

test('what pg_dump did not bring to its end is none, although it is encrypted well', async () => {
  const [encrypt] = WAYS.age?.() ?? [{}, {}];
  const before = scene.files();
  const cut = { ...encrypt, 'dump-format': 'plain', 'exclude-table': '' };
  // a table that nobody may read
  await server.sql(
    'shop',
    "CREATE TABLE closed (); ALTER TABLE closed OWNER TO app; CREATE ROLE nobody LOGIN PASSWORD 'pw'",
  );
  const database = server.uri({ user: 'nobody', password: 'pw', database: 'shop' });
  const result = await scene.run({ ...cut, database, name: 'shop' });
  expect(result.outputs['backup-ok']).toBe('false');
  expect(scene.files()).toEqual(before);
  await server.sql('shop', 'DROP TABLE closed; DROP ROLE nobody');
});

test('in place the safety backup is the way back: it has to be one that this run can open', async () => {
  const [encrypt, decrypt] = WAYS.age?.() ?? [{}, {}];
  const way = { 'restore-way': 'in-place', database: server.uri({ user: 'app', password: 'pw', database: 'shop' }) };
  const id = expectBackup(await scene.run({ ...way, encrypt: 'none' }));
  expectFailure(await restore(id, { ...way, ...encrypt }), 'E_INPUT', 'the only way back', 'Nothing was restored');
  await server.sql('shop', "INSERT INTO marked VALUES ('later')");
  const failed = await restore(id, { ...way, ...encrypt, ...decrypt, 'check-command': 'false' });
  expect(failed.outputs).toMatchObject({ 'error-code': 'E_ROLLED_BACK', 'restore-outcome': 'rolled-back' });
  expect(await server.sql('shop', 'SELECT count(*) FROM marked')).toBe('2');
  expect(scene.manifest(failed.outputs['safety-backup-id'] ?? '').encryption).toMatchObject({ method: 'age' });
  await server.sql('shop', "DELETE FROM marked WHERE t = 'later'");
});
