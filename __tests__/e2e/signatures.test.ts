import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Manifest } from '../../src/backups/manifest.js';
import { parseId } from '../../src/backups/names.js';
import { canonicalText, SigningKeys } from '../../src/backups/signature.js';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { nothingLeft, sqlite3, stateOf } from '../helpers/outcome.js';
import { sampleArgv } from '../helpers/processes.js';
import type { ActionResult } from '../helpers/run-action.js';
import { type S3Double, startS3Double } from '../helpers/s3-double.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { daysAgo, listing, SeededDirectory } from '../helpers/seed.js';
import { SeededStore } from '../helpers/seeded-store.js';
import { journals, lostInCheck } from '../helpers/unfinished.js';

// With a key nothing counts that a host or a bucket could have made by itself.

type Inputs = Record<string, string>;

const KEY = 'q3Jx8y/of the runner+alone=';
const OLD_KEY = 'the key of last year';
const WITH_KEY: Inputs = { 'signing-key': KEY };
const keys = new SigningKeys([KEY]);
const DONE = { code: 0, outputs: { 'error-code': '' } };

let scene: Scene;
beforeAll(async () => {
  scene = await startScene({ transport: 'local', mb: 1, wal: false });
  sql('CREATE TABLE t (n)', 'INSERT INTO t VALUES (1), (2), (3)');
});
afterAll(() => scene.stop());

const asOwner = (command: string): string =>
  execFileSync('su', ['-s', '/bin/sh', scene.user.name, '-c', command], { encoding: 'utf8' });
function sql(...statements: string[]): void {
  asOwner(`sqlite3 -bail '${scene.database}' ${statements.map((one) => `"${one}"`).join(' ')}`);
}
const rows = (): string => sqlite3(scene.database, 'SELECT group_concat(n) FROM t').trim();
const states = (result: ActionResult): Record<string, string> =>
  Object.fromEntries(reportOf(result).backups.map(({ id, state }) => [id, state]));
const warnings = (result: ActionResult): string =>
  result.annotations
    .filter(({ level }) => level === 'warning')
    .map(({ message }) => message)
    .join('\n');
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** What openssl makes of a document, by that key. */
function macOf(document: object, key = KEY): string {
  const input = canonicalText(document) ?? '';
  const told = execFileSync('openssl', ['dgst', '-sha256', '-mac', 'HMAC', '-macopt', `key:${key}`], {
    input,
    encoding: 'utf8',
  });
  return `hmac-sha256:${told.trim().slice(-64)}`;
}

describe('over a real sshd', () => {
  let far: Scene;
  beforeAll(async () => {
    far = await startScene({ mb: 1, wal: false });
  });
  afterAll(() => far.stop());

  test('a backup is signed, proven, listed and restored, and the key is nowhere but on the runner', async () => {
    const argv = sampleArgv();
    const made = await far.run(WITH_KEY, { ACTIONS_STEP_DEBUG: 'true', RUNNER_DEBUG: '1' });
    const id = expectBackup(made);
    const manifest = far.manifest(id);
    expect(manifest.mac).toBe(macOf(manifest));
    expect(reportOf(made).backup).toMatchObject({ id, signed: true, state: 'ok' });
    expect(made.summary).toContain('its manifest is signed');

    const proof = await far.run({ ...WITH_KEY, command: 'verify', verify: 'restore' });
    expect(expectBackup(proof)).toBe(id);
    const proven = far.manifest(id);
    expect(proven.verified.level).toBe('restore');
    expect(proven.mac).toBe(macOf(proven));
    expect(proven.mac).not.toBe(manifest.mac);

    const restored = await far.run({ ...WITH_KEY, command: 'restore', confirm: 'app.db' });
    expect(restored).toMatchObject({ code: 0, outputs: { 'restore-outcome': 'restored', 'backup-id': id } });
    const safety = restored.outputs['safety-backup-id'] ?? '';
    expect(far.manifest(safety).mac).toBe(macOf(far.manifest(safety)));
    const list = await far.run({ ...WITH_KEY, command: 'list' });
    expect(list.annotations).toEqual([]);
    expect(list.visible).toMatch(new RegExp(`^${id}  .*verified: restore  signed$`, 'm'));
    expect(reportOf(list).backups.map(({ signed, state }) => [signed, state])).toEqual([
      [true, 'ok'],
      [true, 'ok'],
    ]);
    const hex = Buffer.from(KEY).toString('hex');
    const files = readdirSync(far.user.home, { recursive: true, encoding: 'utf8' })
      .map((name) => join(far.user.home, name))
      .filter((file) => statSync(file).isFile())
      .map((file) => readFileSync(file, 'latin1'));
    const told = [made, proof, restored, list].flatMap(({ log, outputs, summary }) => [
      log.replace(/^::add-mask::.*$/gm, ''),
      JSON.stringify(outputs),
      summary,
    ]);
    for (const text of [...told, ...files, argv.stop().join('\n'), far.sshd.log()]) {
      expect(text).not.toContain(KEY);
      expect(text).not.toContain(hex);
    }
  });

  test('a proof on the runner takes the copy in the store when that is signed, and no forged one', async () => {
    const s3 = await startS3Double();
    try {
      const inputs: Inputs = { ...WITH_KEY, ...s3.inputs };
      const id = expectBackup(await far.run(inputs));
      const payloads = () => s3.requests.filter(({ method, key }) => method === 'GET' && key.endsWith('.zst')).length;
      const proof: Inputs = { ...inputs, command: 'verify', backup: id, 'verify-on': 'runner' };
      const before = payloads();
      expect(expectBackup(await far.run(proof))).toBe(id);
      expect(payloads()).toBe(before + 1);
      const key = `app/${id}.json`;
      const copy = JSON.parse(s3.bucket.need(key, null).body.toString()) as Manifest;
      const body = Buffer.from(JSON.stringify({ ...copy, content: null }));
      s3.bucket.put(key, { body, bytes: body.length, md5: '' }, 'etag', {});
      expect(expectBackup(await far.run(proof))).toBe(id);
      expect(payloads()).toBe(before + 1);
      expectBackup(await far.run({ ...proof, 'signing-key': '' }));
      expect(payloads()).toBe(before + 2);
    } finally {
      await s3.stop();
    }
  });
});

describe('what a host that was taken over may try', () => {
  let dir: string;
  let kept: string;
  /** The older and the newer of two signed ones, of the same size; and one that is suspect and newer than both. */
  let [older, newer, suspect] = ['', '', ''];
  const run = (inputs: Inputs) => scene.run({ ...WITH_KEY, directory: dir, ...inputs });
  const path = (name: string) => join(dir, name);
  const read = (id = newer): Manifest => JSON.parse(readFileSync(path(`${id}.json`), 'utf8')) as Manifest;
  const write = (manifest: Manifest, id = manifest.id): string => {
    writeFileSync(path(`${id}.json`), `${JSON.stringify(manifest, null, 2)}\n`);
    return id;
  };
  const payload = (id = newer) => path(`${id}.sqlite.zst`);

  beforeAll(async () => {
    dir = join(scene.user.home, 'attacked');
    older = expectBackup(await run({}));
    sql('INSERT INTO t VALUES (4)');
    newer = expectBackup(await run({ verify: 'checksum', pin: 'for the audit' }));
    sql('CREATE TABLE large (n)', 'INSERT INTO large VALUES (randomblob(100000))');
    const failed = await run({ 'growth-limit': '1B' });
    expectFailure(failed, 'E_SHRUNK');
    suspect = failed.outputs['backup-id'] ?? '';
    kept = `${dir}-kept`;
    asOwner(`cp -a '${dir}' '${kept}'`);
  });
  beforeEach(() => {
    asOwner(`rm -rf '${dir}' && cp -a '${kept}' '${dir}'`);
  });

  /** Returns the id by which it is asked for then. */
  type Attack = () => string;
  /** Everything of a backup by the id of another time, which agrees in itself. */
  const renamed = (from: string, to: string, change: Partial<Manifest> = {}): string => {
    const manifest = read(from);
    const file = `${to}.sqlite.zst`;
    const createdAt = parseId(to)?.createdAt.toISOString().replace('.000Z', 'Z') ?? '';
    write({ ...manifest, id: to, file, createdAt, ...change });
    rmSync(path(`${from}.json`));
    renameSync(payload(from), payload(to));
    rmSync(`${payload(from)}.sha256`);
    writeFileSync(`${payload(to)}.sha256`, `${manifest.sha256}  ${file}\n`);
    return to;
  };
  const otherBytes = (id: string, bytes: Buffer, change: Partial<Manifest> = {}): string => {
    const manifest = { ...read(id), sha256: sha256(bytes), bytes: bytes.length, ...change };
    writeFileSync(payload(id), bytes);
    writeFileSync(`${payload(id)}.sha256`, `${manifest.sha256}  ${manifest.file}\n`);
    write(manifest);
    return id;
  };
  const soon = (id: string) =>
    id.replace(/\d{8}T\d{6}Z/, new Date(Date.now()).toISOString().replace(/[-:]|\.\d+/g, ''));

  test.each<[string, string, Attack]>([
    ['a proof that was none', 'forged', () => write({ ...read(), verified: { ...read().verified, level: 'restore' } })],
    [
      'a suspect one that is good',
      'forged',
      () => {
        const { state: _, suspicion: __, ...manifest } = read(suspect);
        return write(manifest as Manifest);
      },
    ],
    [
      'an accepted one',
      'forged',
      () => write({ ...read(suspect), state: 'ok', accepted: { by: 'command: accept', at: '2026-01-01T00:00:00Z' } }),
    ],
    ['no pin', 'forged', () => write({ ...read(), pinned: null })],
    ['other bytes, and their checksum', 'forged', () => otherBytes(newer, readFileSync(payload(older)))],
    ['a younger age: all of it by another id', 'forged', () => renamed(older, soon(older))],
    ['another name for it', 'forged', () => renamed(newer, newer.replace(/....$/, 'ffff'))],
    ['another database', 'forged', () => write({ ...read(), host: 'db.example.org' })],
    ['no signature', 'unsigned', () => otherBytes(newer, readFileSync(payload(older)), { mac: null })],
    ['a signature by a key of its own', 'forged', () => write(new SigningKeys(['a key of the attacker']).sign(read()))],
    ['the signature of another', 'forged', () => write({ ...read(), mac: read(older).mac })],
  ])('%s: it is named, and counts for nothing', async (_, state, attack) => {
    const id = attack();
    const before = listing(dir);
    const database = stateOf(scene.database);
    const list = await run({ command: 'list' });
    expect(states(list)[id]).toBe(state);
    expect(warnings(list)).toContain(`1 backup is ${state} (${id}): never counted, and never deleted`);
    expect(list.visible).toMatch(new RegExp(`^${id}  .* ${state}: `, 'm'));
    for (const inputs of [
      { command: 'restore', backup: id, confirm: 'app.db' },
      { command: 'verify', backup: id },
      { command: 'pin', backup: id, pin: 'x' },
      { command: 'unpin', backup: id },
      { command: 'delete', backup: id },
      ...(state === 'forged' ? [{ command: 'accept', backup: id }] : []),
    ]) {
      expectFailure(await run(inputs), 'E_SIGNATURE', `${id} is ${state}`);
    }
    const latest = await run({ command: 'restore', confirm: 'app.db', 'dry-run': 'true' });
    expect(latest).toMatchObject(DONE);
    expect(latest.outputs['backup-id']).not.toBe(id);
    const { 'status.json': __, ...after } = listing(dir);
    const { 'status.json': ___, ...was } = before;
    const files = (all: Record<string, string>) => Object.entries(all).filter(([name]) => name.startsWith('app-'));
    expect(files(after)).toEqual(files(was));
    expect(stateOf(scene.database)).toEqual(database);
    // no rotation deletes it, whatever it says of itself
    const pruned = await run({ command: 'prune', keep: '1', 'keep-made-under': 'false' });
    expect(pruned).toMatchObject(DONE);
    expect(readdirSync(dir)).toContain(`${id}.json`);
  });

  test.each<[string, string, Attack]>([
    [
      'the payload of another',
      'E_CHECKSUM',
      () => {
        writeFileSync(payload(newer), readFileSync(payload(older)));
        return newer;
      },
    ],
    [
      'both payloads swapped, with their checksums',
      'E_CHECKSUM',
      () => {
        const [one, other] = [older, newer];
        for (const end of ['', '.sha256']) {
          renameSync(payload(one) + end, `${payload(one)}.x`);
          renameSync(payload(other) + end, payload(one) + end);
          renameSync(`${payload(one)}.x`, payload(other) + end);
        }
        return newer;
      },
    ],
    ['the signed manifest of another', 'E_MANIFEST', () => write(read(older), newer)],
    [
      'a field that is there twice',
      'E_SIGNATURE',
      () => {
        const text = readFileSync(path(`${newer}.json`), 'utf8');
        writeFileSync(
          path(`${newer}.json`),
          text.replace(/\}\s*$/, `, "sha256": "${sha256(readFileSync(payload(older)))}"}`),
        );
        return newer;
      },
    ],
    ['a short form, as the host sends it', 'E_SIGNATURE', () => write({ ...read(), shortened: true })],
  ])('%s: nothing is restored', async (_, code, attack) => {
    const id = attack();
    const database = stateOf(scene.database);
    const result = await run({ command: 'restore', backup: id, confirm: 'app.db' });
    expectFailure(result, code);
    expect(result.outputs['restore-outcome']).toBe('unchanged');
    expect(stateOf(scene.database)).toEqual(database);
  });

  test('a payload that has lost its manifest is not adopted', async () => {
    rmSync(path(`${newer}.json`));
    const result = await run({ keep: '9' });
    expectBackup(result);
    expect(warnings(result)).toContain('not adopted, because with `signing-key` an unsigned file is not trusted');
    expect(readdirSync(dir)).not.toContain(`${newer}.json`);
    expect(readdirSync(dir)).toContain(`${newer}.sqlite.zst`);
  });

  test('what is dumped by its path has no signature, and that is said', async () => {
    const result = await run({ command: 'restore', backup: payload(newer), confirm: 'app.db', 'dry-run': 'true' });
    expect(result).toMatchObject(DONE);
    expect(warnings(result)).toContain('has no signature');
  });
});

test('a young one that is forged is not young enough, and a new one is held against those that are signed', async () => {
  const dir = new SeededDirectory(scene, join(scene.user.home, 'young'));
  const LARGE = { databaseBytes: 900_000_000 };
  const good = dir.backup(daysAgo(3), { keys });
  const forged = [1, 2].map((days) => dir.backup(daysAgo(days), { manifest: { ...LARGE, mac: keys.sign({}).mac } }));
  const unsigned = dir.backup(daysAgo(0, 0), { manifest: LARGE });
  const inputs: Inputs = { ...WITH_KEY, directory: dir.path, keep: '1', 'skip-if-younger-than': '50h' };
  const result = await scene.run(inputs);
  const made = expectBackup(result);
  expect(reportOf(result).skipped).toBeNull();
  expect(dir.names().filter((name) => name.endsWith('.json'))).toEqual(
    [made, unsigned, ...forged].map((id) => `${id}.json`).sort(),
  );
  expect(reportOf(result).retention).toContainEqual({ id: good, keep: false, reasons: ['no rule keeps it'] });
  expect(warnings(result)).toContain(`2 backups are forged (${forged.join(', ')})`);
  expect(warnings(result)).toContain(`1 backup is unsigned (${unsigned})`);
  for (const name of dir.names().filter((one) => one.startsWith(made))) rmSync(join(dir.path, name));
  // the age of what is not signed is no age
  expectFailure(await scene.run({ ...inputs, command: 'verify' }), 'E_STALE');
});

test('an encrypted one is signed as any: for whom it is can not be changed, nor its bytes', async () => {
  const directory = join(scene.user.home, 'encrypted');
  const run = (inputs: Inputs) => scene.run({ ...WITH_KEY, directory, ...inputs });
  const id = expectBackup(await run({ encrypt: 'gpg', 'encryption-passphrase': 'twelve or more' }));
  const file = join(directory, `${id}.json`);
  const text = readFileSync(file, 'utf8');
  const manifest = JSON.parse(text) as Manifest;
  expect(manifest.encryption).not.toBe('none');
  expect(manifest.mac).toBe(macOf(manifest));
  const opened: Inputs = { backup: id, 'decryption-passphrase': 'twelve or more' };
  expect(expectBackup(await run({ ...opened, command: 'verify', verify: 'restore' }))).toBe(id);
  const restored = await run({ ...opened, command: 'restore', confirm: 'app.db' });
  expect(restored).toMatchObject({ code: 0, outputs: { 'restore-outcome': 'restored' } });
  const proven = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
  expect(proven.mac).toBe(macOf(proven));
  // anybody can encrypt: what is inside is vouched for by the hash alone, and that by the signature
  writeFileSync(file, text.replace(manifest.sha256, '0b'.repeat(32)));
  expectFailure(await run({ ...opened, command: 'restore', confirm: 'app.db' }), 'E_SIGNATURE');
});

test('two keys: the first signs, both verify; what is written anew is signed by the first', async () => {
  const directory = join(scene.user.home, 'two-keys');
  const run = (key: string, inputs: Inputs = {}) => scene.run({ directory, 'signing-key': key, ...inputs });
  const of = (id: string) => JSON.parse(readFileSync(join(directory, `${id}.json`), 'utf8')) as Manifest;
  const [first, second] = [expectBackup(await run(OLD_KEY)), expectBackup(await run(OLD_KEY))];
  const BOTH = `${KEY}\n  ${OLD_KEY}\n`;
  const third = expectBackup(await run(BOTH));
  expect(of(third).mac).toBe(macOf(of(third)));
  expect(await run(BOTH, { command: 'pin', backup: second, pin: 'with the new key' })).toMatchObject(DONE);
  expect(of(second).mac).toBe(macOf(of(second)));
  expect(states(await run(BOTH, { command: 'list' }))).toEqual({ [first]: 'ok', [second]: 'ok', [third]: 'ok' });
  expect(states(await run(KEY, { command: 'list' }))).toEqual({ [first]: 'forged', [second]: 'ok', [third]: 'ok' });
  expect(states(await run(OLD_KEY, { command: 'list' }))).toEqual({
    [first]: 'ok',
    [second]: 'forged',
    [third]: 'forged',
  });
});

describe('without a key', () => {
  let dir: SeededDirectory;
  let count = 0;
  beforeEach(() => {
    dir = new SeededDirectory(scene, join(scene.user.home, `without-${++count}`));
  });
  const run = (inputs: Inputs = {}) => scene.run({ directory: dir.path, ...inputs });

  test('signed ones are read, proven, restored and rotated as any; their manifests stay as they are', async () => {
    const ids = [expectBackup(await run(WITH_KEY)), expectBackup(await run(WITH_KEY))];
    const [old = '', id = ''] = ids;
    const before = readFileSync(join(dir.path, `${id}.json`), 'utf8');
    const list = await run({ command: 'list' });
    expect(list.annotations).toEqual([]);
    expect(reportOf(list).backups.map(({ state, signed }) => [state, signed])).toEqual([
      ['ok', true],
      ['ok', true],
    ]);
    const proof = await run({ command: 'verify', verify: 'restore', backup: id });
    expect(expectBackup(proof)).toBe(id);
    expect(proof.visible).toContain('note: the verified level is not recorded');
    for (const inputs of [{ command: 'pin', pin: 'x' }, { command: 'unpin' }, { command: 'accept' }]) {
      for (const dryRun of ['true', 'false']) {
        const result = await run({ ...inputs, backup: id, 'dry-run': dryRun });
        expectFailure(result, 'E_SIGNATURE', `${id} is signed, and this run has no \`signing-key\``);
      }
    }
    expect(readFileSync(join(dir.path, `${id}.json`), 'utf8')).toBe(before);
    const restored = await run({ command: 'restore', backup: id, confirm: 'app.db' });
    expect(restored.outputs['restore-outcome']).toBe('restored');
    const young = await run({ 'skip-if-younger-than': '1h', 'dry-run': 'true' });
    expect(reportOf(young).skipped).toContain(`${id} is`);
    expect(await run({ command: 'prune', keep: '1', 'keep-made-under': 'false' })).toMatchObject(DONE);
    expect(readdirSync(dir.path)).not.toContain(`${old}.json`);
    // and they are still what was signed
    expect(states(await run({ ...WITH_KEY, command: 'list' }))).toMatchObject({ [id]: 'ok' });
  });

  test('a damaged one is told, and its manifest stays as it is', async () => {
    const id = expectBackup(await run(WITH_KEY));
    const before = readFileSync(join(dir.path, `${id}.json`), 'utf8');
    const payload = join(dir.path, `${id}.sqlite.zst`);
    const bytes = readFileSync(payload);
    bytes.writeUInt8(bytes.readUInt8(99) ^ 1, 99);
    writeFileSync(payload, bytes);
    const result = await run({ command: 'verify', backup: id });
    expectFailure(result, 'E_CHECKSUM');
    expect(reportOf(result).error?.left).toBe('backup-as-it-was');
    expect(warnings(result)).toContain('the damage is not recorded');
    expect(readFileSync(join(dir.path, `${id}.json`), 'utf8')).toBe(before);
  });

  test('a loss of rows is told, and nothing is pinned by itself', async () => {
    sql('CREATE TABLE u (n)', ...Array.from({ length: 25 }, (_, n) => `INSERT INTO u VALUES (${n})`));
    const id = expectBackup(await run(WITH_KEY));
    const before = readFileSync(join(dir.path, `${id}.json`), 'utf8');
    sql('DROP TABLE u');
    const result = await run();
    expectBackup(result);
    expect(warnings(result)).toContain(`${id} is signed, and this run has no \`signing-key\`, so it cannot pin it`);
    expect(readFileSync(join(dir.path, `${id}.json`), 'utf8')).toBe(before);
  });
});

describe('beginning with a key', () => {
  test('those that were made before count for nothing, until somebody says of one that it is right', async () => {
    const dir = new SeededDirectory(scene, join(scene.user.home, 'begin'));
    const run = (inputs: Inputs) => scene.run({ ...WITH_KEY, directory: dir.path, ...inputs });
    const suspicion = { state: 'suspect', suspicion: { limit: 'shrink-limit', why: 'it shrank' } } as const;
    const [good, other] = [dir.backup(daysAgo(2)), dir.backup(daysAgo(3))];
    const suspect = dir.backup(daysAgo(4), { manifest: suspicion });
    const torn = dir.backup(daysAgo(5), { manifest: { bytes: 1 } });
    const foreign = dir.backup(daysAgo(6), { manifest: { identity: { path: '/srv/other.db' } } });
    expectFailure(await run({ command: 'verify' }), 'E_STALE');

    const dry = await run({ command: 'accept', backup: good, 'dry-run': 'true' });
    expect(dry).toMatchObject(DONE);
    expect(dry.visible).toContain(`would sign ${good}`);
    expect(dir.manifest(good).mac).toBeNull();

    const before = dir.manifest(good);
    const signed = await run({ command: 'accept', backup: good });
    expect(signed).toMatchObject(DONE);
    expect(reportOf(signed).backup).toMatchObject({ id: good, state: 'ok', signed: true });
    // the history does not begin anew with it
    expect(dir.manifest(good)).toEqual({ ...before, mac: macOf(before) });
    expect(await run({ command: 'accept', backup: suspect })).toMatchObject(DONE);
    expect(dir.manifest(suspect)).toMatchObject({ state: 'ok', accepted: { by: 'command: accept' } });
    expect(dir.manifest(suspect).mac).toBe(macOf(dir.manifest(suspect)));
    const refused = await run({ command: 'accept', backup: torn });
    expectFailure(refused, 'E_POLICY', 'not suspect but damaged');
    expect(reportOf(refused).backup).toMatchObject({ state: 'unsigned', signed: false });
    expectFailure(await run({ command: 'accept', backup: foreign }), 'E_NOT_FOUND');
    expect(states(await run({ command: 'list' }))).toEqual({
      ...{ [good]: 'ok', [other]: 'unsigned', [suspect]: 'ok', [torn]: 'unsigned' },
    });

    // without the key it is deleted as any
    expect(await run({ 'signing-key': '', command: 'delete', backup: other })).toMatchObject(DONE);
    expect(dir.names()).not.toContain(`${other}.json`);
  });
});

describe('in the store', () => {
  let s3: S3Double;
  let store: SeededStore;
  beforeAll(async () => {
    s3 = await startS3Double();
    store = new SeededStore(scene, s3);
  });
  beforeEach(() => {
    s3.clear();
    asOwner(`rm -rf '${scene.directory}'`);
  });
  afterAll(() => s3.stop());
  const run = (inputs: Inputs = {}) => scene.run({ ...WITH_KEY, ...s3.inputs, ...inputs });
  const stored = (id: string) => JSON.parse(s3.bucket.need(`app/${id}.json`, null).body.toString()) as Manifest;
  const forge = (id: string, change: Partial<Manifest>): void =>
    store.put(`app/${id}.json`, JSON.stringify({ ...stored(id), ...change }));

  test('the copy is signed as well, and is restored when the host has lost its own, or has a forged one', async () => {
    const id = expectBackup(await run());
    expect(stored(id).mac).toBe(macOf(stored(id)));
    const file = join(scene.directory, `${id}.json`);
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace('"pinned": null', '"pinned": {"reason": "x", "at": "2026-01-01T00:00:00Z"}'),
    );
    const restored = await run({ command: 'restore', backup: id, confirm: 'app.db' });
    expect(restored).toMatchObject({
      code: 0,
      outputs: { 'restore-outcome': 'restored', 's3-uri': `s3://shop-backups/app/${id}.sqlite.zst` },
    });
    expect(warnings(restored)).toContain(`${id} is forged`);
    await nothingLeft(scene);
  });

  test('a forged copy is named, never counted, never deleted, and never restored', async () => {
    const host = hostname();
    const forged = store.copy(daysAgo(1), { keys, manifest: { host } });
    const good = store.copy(daysAgo(2), { keys, manifest: { host } });
    const old = store.copy(daysAgo(3), { keys, manifest: { host } });
    forge(forged, { verified: { level: 'restore', at: '2026-01-01T00:00:00Z' } });
    const list = await run({ command: 'list' });
    expect(states(list)).toEqual({ [forged]: 'forged', [good]: 'ok', [old]: 'ok' });
    expect(warnings(list)).toContain(`in s3://shop-backups/app/: 1 backup is forged (${forged})`);
    const uri = `s3://shop-backups/app/${forged}.sqlite.zst`;
    const before = stateOf(scene.database);
    for (const backup of [forged, uri]) {
      for (const command of ['restore', 'verify']) {
        const confirm = command === 'restore' ? { confirm: 'app.db' } : {};
        expectFailure(await run({ command, backup, ...confirm }), 'E_SIGNATURE', `${forged} is forged`);
      }
    }
    expectFailure(await run({ command: 'delete', backup: forged }), 'E_SIGNATURE');
    const latest = await run({ command: 'restore', confirm: 'app.db', 'dry-run': 'true' });
    // what was seeded is no database; that it was chosen is what is asked
    expect(reportOf(latest).backup?.id ?? latest.visible).toContain(good);
    expect(stateOf(scene.database)).toEqual(before);
    // with other bytes as well it is what it is, and not another failure
    forge(forged, { sha256: '0b'.repeat(32) });
    expectFailure(await run({ command: 'restore', backup: forged, confirm: 'app.db' }), 'E_SIGNATURE');
    const pruned = await run({ command: 'prune', 's3-keep': '1', 'keep-made-under': 'false' });
    expect(pruned).toMatchObject(DONE);
    expect(s3.keys()).toEqual([forged, good].flatMap((id) => [`app/${id}.json`, `app/${id}.sqlite.zst`]).sort());
  });

  test('a copy that has lost its manifest gets back the one that the host has, when that is signed', async () => {
    const [signed, forged] = [expectBackup(await run()), expectBackup(await run())];
    for (const id of [signed, forged]) s3.bucket.delete(`app/${id}.json`, null);
    const file = join(scene.directory, `${forged}.json`);
    const manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
    writeFileSync(file, JSON.stringify({ ...manifest, durationMs: manifest.durationMs + 1 }));
    expect(await run({ command: 'prune' })).toMatchObject(DONE);
    expect(stored(signed).mac).toBe(macOf(stored(signed)));
    expect(s3.keys()).not.toContain(`app/${forged}.json`);
    expect(s3.keys()).toContain(`app/${forged}.sqlite.zst`);
    // without the key it gets the same
    s3.bucket.delete(`app/${signed}.json`, null);
    expect(await run({ 'signing-key': '', command: 'prune' })).toMatchObject(DONE);
    expect(stored(signed).mac).toBe(macOf(stored(signed)));
  });

  test('a payload whose manifest is gone is no dump like any other', async () => {
    const id = expectBackup(await run());
    s3.bucket.delete(`app/${id}.json`, null);
    const uri = `s3://shop-backups/app/${id}.sqlite.zst`;
    expectFailure(
      await run({ command: 'restore', backup: uri, confirm: 'app.db' }),
      'E_SIGNATURE',
      'has no manifest beside it',
    );
    const without = await run({
      'signing-key': '',
      command: 'restore',
      backup: uri,
      confirm: 'app.db',
      'dry-run': 'true',
    });
    expect(without).toMatchObject(DONE);
  });

  test('what the host has only damaged is taken from no copy that is forged', async () => {
    const id = expectBackup(await run({ compression: 'none' }));
    const payload = join(scene.directory, `${id}.sqlite`);
    const bytes = readFileSync(payload);
    bytes.writeUInt8(bytes.readUInt8(5000) ^ 1, 5000);
    writeFileSync(payload, bytes);
    const inputs: Inputs = { command: 'restore', backup: id, confirm: 'app.db', 'dry-run': 'true' };
    expect(await run(inputs)).toMatchObject(DONE);
    forge(id, { recovery: [] });
    expectFailure(await run(inputs), 'E_CHECKSUM');
    // nobody who has no key can tell
    expect(await run({ ...inputs, 'signing-key': '' })).toMatchObject(DONE);
  });
});

describe('the journal of a restore that was cut off', () => {
  const directory = () => join(scene.user.home, 'journal');
  const inputs = (): Inputs => ({ ...WITH_KEY, directory: directory(), confirm: 'app.db' });
  const run = (more: Inputs = {}) => scene.run({ ...inputs(), ...more });
  const file = (journal: string) => join(directory(), '.work', journal);
  const proof = () => join(scene.user.home, 'carried-out');

  test('is signed, and finished with the key', async () => {
    expectBackup(await run());
    const { journal, clean } = await lostInCheck(scene, inputs(), directory());
    const document = JSON.parse(readFileSync(file(journal), 'utf8')) as { mac: string };
    expect(document.mac).toBe(macOf(document));
    const result = await run({ command: 'prune' });
    expect(result).toMatchObject(DONE);
    expect(warnings(result)).toContain('the database is the restored one');
    expect(journals(directory())).toEqual([]);
    await clean();
  });

  test.each<[string, (journal: Record<string, unknown>) => object]>([
    ['changed', (journal) => ({ ...journal, checkCommand: `touch '${proof()}'` })],
    ['of nobody', ({ mac: _, ...journal }) => ({ ...journal, checkCommand: `touch '${proof()}'` })],
    ['of another key', (journal) => new SigningKeys([OLD_KEY]).sign(journal)],
  ])('that was %s is not believed: nothing of it is carried out', async (_, change) => {
    rmSync(join(scene.user.home, 'lost-in-check'), { force: true });
    const { journal, clean } = await lostInCheck(scene, inputs(), directory());
    const document = JSON.parse(readFileSync(file(journal), 'utf8')) as Record<string, unknown>;
    writeFileSync(file(journal), JSON.stringify(change(document)));
    const before = rows();
    expectFailure(
      await run({ command: 'prune' }),
      'E_UNFINISHED',
      'is not signed with `signing-key`',
      'settle-unfinished',
    );
    const settled = await run({ command: 'prune', 'settle-unfinished': 'true' });
    expect(settled).toMatchObject(DONE);
    expect(readdirSync(join(directory(), '.work'))).toContain(`settled-${journal}`);
    expect(readdirSync(scene.user.home)).not.toContain('carried-out');
    expect(rows()).toBe(before);
    await clean();
  });
});

describe('manifests that the host does not send whole by itself', () => {
  // Six of these fill what the host sends whole, twenty what it sends at all.
  const TABLES = Array.from({ length: 4_300 }, (_, n) => ({ name: `${n}`.padEnd(650, 'x'), rows: n }));
  const COUNT = 30;

  test('are read whole, and each signature is checked', async () => {
    const dir = new SeededDirectory(scene, join(scene.user.home, 'large'));
    const content = { tables: TABLES, pageSize: 4096, pageCount: 9, objects: 1, foreignKeyViolations: 0 };
    const ids = Array.from({ length: COUNT }, (_, days) =>
      dir.backup(daysAgo(days + 1), { keys, manifest: { content } }),
    );
    const sizes = ids.map((id) => statSync(join(dir.path, `${id}.json`)).size);
    expect(sizes.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(80 << 20);
    const forged = [ids[8] ?? '', ids.at(-1) ?? ''];
    for (const id of forged) {
      const { content: whole, ...manifest } = dir.manifest(id);
      const tables = (whole?.tables ?? []).map((one) => ({ ...one, rows: one.rows === 7 ? 8 : one.rows }));
      dir.write(`${id}.json`, `${JSON.stringify({ ...manifest, content: { ...whole, tables } }, null, 2)}\n`);
    }
    const list = await scene.run({ ...WITH_KEY, directory: dir.path, command: 'list' });
    expect(list.code).toBe(0);
    expect(states(list)).toEqual(Object.fromEntries(ids.map((id) => [id, forged.includes(id) ? 'forged' : 'ok'])));
    expect(list.annotations).toHaveLength(1);
    const oldest = ids.at(-2) ?? '';
    const before = dir.manifest(oldest);
    expect(
      await scene.run({ ...WITH_KEY, directory: dir.path, command: 'pin', backup: oldest, pin: 'x' }),
    ).toMatchObject(DONE);
    const { mac, pinned, ...after } = dir.manifest(oldest);
    expect({ ...after, pinned: null, mac: before.mac }).toEqual(before);
    expect(mac).toBe(macOf({ ...after, pinned }));
  }, 300_000);
});
