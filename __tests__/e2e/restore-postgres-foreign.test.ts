import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { holesOf } from '../../src/engines/postgres/client-holes.js';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { nothingLeft } from '../helpers/outcome.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { startPostgresScene } from '../helpers/postgres-backups.js';
import { systemVersion } from '../helpers/postgres-programs.js';
import type { ActionResult } from '../helpers/run-action.js';
import { SWEEP, sample } from '../helpers/sample.js';
import { reportOf, type Scene } from '../helpers/scene.js';

// What the scripts of old have left, in every form of pg_dump. A client that was not updated has known vulnerabilities, so each is given leave.

const COUNT = "SELECT string_agg(id || ':' || item, ',' ORDER BY id) FROM orders";
const DUMPED = '1:one,2:two';
const LIVE = '1:one,2:two,3:three';
const MORE = "INSERT INTO orders VALUES (3, 'three'); CREATE TABLE newer (id int REFERENCES orders)";

let server: Postgres;
let scene: Scene;
let plain: string;
beforeAll(async () => {
  server = await startPostgres();
  await server.createDatabase('shop');
  await server.sql('shop', 'CREATE TABLE orders (id int PRIMARY KEY, item text)');
  await server.sql('shop', "INSERT INTO orders VALUES (1, 'one'), (2, 'two')");
  scene = await startPostgresScene(server, 'shop');
  dump('-Fc', '-f', file('shop.dump'));
  dump('-Ft', '-f', file('tar'));
  dump('-Fd', '-f', file('folder'));
  execFileSync('tar', ['-cf', file('folder.tar'), '-C', file('.'), 'folder']);
  dump('-f', file('shop.sql'));
  plain = readFileSync(file('shop.sql'), 'utf8');
  writeFileSync(file('shop.sql.gz'), gzipSync(plain));
  writeFileSync(file('old backup'), zstdCompressSync(readFileSync(file('shop.dump'))));
  await server.sql('shop', MORE);
});
afterAll(async () => {
  await scene?.stop();
  await server?.remove();
});

const file = (name: string): string => join(scene.user.home, name);
function dump(...options: string[]): void {
  const tool = join(server.clientDirectory, 'pg_dump');
  execFileSync(tool, ['-d', server.uri({ database: 'shop' }), ...options]);
  execFileSync('chmod', ['-R', 'a+rX', scene.user.home]);
}
const restore = (backup: string, inputs: Record<string, string> = {}): Promise<ActionResult> =>
  scene.run({ command: 'restore', backup, confirm: 'shop', 'allow-unsafe-client': 'true', ...inputs });

/** Whether the client that is installed here is one of those; with the fixes of its package it is not. */
function isUnsafe(): boolean {
  const version = execFileSync(join(server.clientDirectory, 'pg_dump'), ['--version'], { encoding: 'utf8' }).trim();
  return holesOf({ version, fixes: new Set() }, 'dump').length > 0;
}

test('a client with known vulnerabilities restores nothing of others without leave', async () => {
  const result = await restore('~/shop.dump', { 'allow-unsafe-client': '' });
  if (isUnsafe()) {
    expectFailure(result, 'E_TOOL_UNSAFE', 'CVE-', 'allow-unsafe-client: true', 'Nothing was restored');
    expect(await server.sql('shop', COUNT)).toBe(LIVE);
  } else {
    expect({ code: result.code, said: result.log.includes('known vulnerabilities') }).toEqual({ code: 0, said: false });
    expect(await server.sql('shop', COUNT)).toBe(DUMPED);
    await server.sql('shop', MORE);
  }
  await nothingLeft(scene);
});

test.each(['shop.dump', 'tar', 'folder.tar', 'shop.sql', 'shop.sql.gz', 'old backup'])('%s', async (name) => {
  const result = await restore(`~/${name}`);
  expect(result.annotations.filter(({ level }) => level === 'error')).toEqual([]);
  expect(result.outputs).toMatchObject({ 'restore-outcome': 'restored', 'backup-id': '', 'error-code': '' });
  expect(await server.sql('shop', COUNT)).toBe(DUMPED);
  expect(await server.sql('shop', "SELECT to_regclass('newer') IS NULL")).toBe('t');
  await nothingLeft(scene);

  expect(reportOf(result).restore).toMatchObject({ from: file(name) });
  expect(result.outputs['safety-backup-id']).toMatch(/^shop-/);
  await server.sql('shop', MORE);
});

describe('verify takes an old dump', () => {
  const verify = (backup: string, inputs: Record<string, string> = {}): Promise<ActionResult> =>
    scene.run({ command: 'verify', backup, 'allow-unsafe-client': 'true', ...inputs });

  test('not by a client with known vulnerabilities, without leave', async () => {
    const result = await verify('~/shop.dump', { 'allow-unsafe-client': '' });
    if (!isUnsafe()) {
      expect(result.code).toBe(0);
      return;
    }
    const message = expectFailure(result, 'E_TOOL_UNSAFE');
    expect(message).toMatch(/CVE-\d+-\d+ \(fixed in \d+\.\d+\).*apt-get install --only-upgrade postgresql-client-\d+/s);
    // its bytes are read by no tool of PostgreSQL
    expect((await verify('~/shop.dump', { verify: 'checksum', 'allow-unsafe-client': '' })).code).toBe(0);
  });

  test.each(['shop.dump', 'tar', 'folder.tar', 'shop.sql.gz'])('%s, read to its end, and loaded', async (name) => {
    const content = await verify(`~/${name}`);
    expect({ code: content.code, ...content.outputs }).toMatchObject({ code: 0, 'verified-level': 'content' });
    const assert = 'SELECT count(*) = 2 FROM orders';
    const loaded = await verify(`~/${name}`, { verify: 'restore', assert });
    expect({ code: loaded.code, ...loaded.outputs }).toMatchObject({ code: 0, 'verified-level': 'restore' });
    expect(reportOf(loaded).tables).toEqual([{ name: 'public.orders', rows: 2 }]);
    expectFailure(await verify(`~/${name}`, { verify: 'restore', assert: 'SELECT false' }), 'E_ASSERT');
    expect(await server.sql('shop', COUNT)).toBe(LIVE);
    expect(await server.sql('postgres', "SELECT count(*) FROM pg_database WHERE datname ~ '^db_backup_'")).toBe('0');
    await nothingLeft(scene);
  });

  test('that is damaged fails', async () => {
    const bytes = readFileSync(file('shop.dump'));
    writeFileSync(file('cut.dump'), bytes.subarray(0, bytes.length - 200));
    for (const level of ['content', 'restore']) {
      const message = expectFailure(await verify('~/cut.dump', { verify: level }), 'E_CHECKSUM');
      expect(message).toMatch(/cut\.dump is not whole: .*choose another one/s);
    }
    writeFileSync(file('cut.sql.gz'), gzipSync(plain.replace(/^-- PostgreSQL database dump complete$/m, '')));
    expectFailure(await verify('~/cut.sql.gz'), 'E_CHECKSUM', /cut\.sql\.gz is not whole/);
  });
});

describe('a dump of a newer pg_dump', () => {
  // what is really there is a client that can not write such a dump: its header is written anew
  const test17 = Number(systemVersion()) < 17 ? test : test.skip;
  const there = `pg_dump (PostgreSQL) ${systemVersion()}.`;

  /** The header of an archive as pg_dump 17 writes it: version 1.16, how it is packed in one byte, another version of pg_dump. */
  function newer(archive: Buffer): Buffer {
    const head = Buffer.from(archive.subarray(0, 11));
    head[6] = 16;
    const isOld = (archive[6] ?? 0) < 15;
    let at = isOld ? 16 : 12;
    const dates = archive.subarray(at, at + 35);
    at += 35;
    const texts: Buffer[] = [];
    for (let nth = 0; nth < 3; nth += 1) {
      const end = at + 5 + archive.readUInt32LE(at + 1);
      texts.push(archive.subarray(at, end));
      at = end;
    }
    const version = Buffer.from('\0....17.2 (Odd 17.2-1)');
    version.writeUInt32LE(version.length - 5, 1);
    return Buffer.concat([head, Buffer.from([1]), dates, ...texts.slice(0, 2), version, archive.subarray(at)]);
  }

  async function refused(name: string, ...says: string[]): Promise<void> {
    // the plan of both is the same one
    for (const inputs of SWEEP || name === 'newer.dump' ? [{ 'dry-run': 'true' }, {}] : [{}]) {
      const result = await restore(`~/${name}`, inputs);
      expectFailure(result, 'E_TOOL_VERSION', 'PostgreSQL 17 or newer', there, 'postgresql-client-17', ...says);
    }
    expect(await server.sql('shop', COUNT)).toBe(LIVE);
    await nothingLeft(scene);
  }

  test17('an archive', async () => {
    writeFileSync(file('newer.dump'), newer(readFileSync(file('shop.dump'))), { mode: 0o644 });
    await refused('newer.dump', 'made by pg_dump 17.2 (Odd 17.2-1)');
  });

  test17.each([
    ['a folder', 'folder', []],
    ['its own folder', '.', ['-C', 'folder17']],
  ] as [string, string, string[]][])('a tar of %s: said before anything of it is read', async (_, inside, where) => {
    execFileSync('cp', ['-r', file('folder'), file('folder17')]);
    writeFileSync(file('folder17/toc.dat'), newer(readFileSync(file('folder/toc.dat'))));
    const name = inside === '.' ? '.' : 'folder17';
    execFileSync('tar', ['-czf', file('newer.tar.gz'), ...where, name], { cwd: file('.') });
    await refused('newer.tar.gz', 'made by pg_dump 17.2 (Odd 17.2-1)');
    execFileSync('rm', ['-r', file('folder17')]);
  });

  test('a script: what the server may not know is a remark', async () => {
    const script = plain.replace(/^-- Dumped from database version .*$/m, '-- Dumped from database version 99.1 (Odd)');
    writeFileSync(file('newer.sql'), script, { mode: 0o644 });
    const result = await restore('~/newer.sql', { 'dry-run': 'true' });
    expect(result.outputs['error-code']).toBe('');
    const told = [...result.annotations.map(({ message }) => message), result.summary].join('\n');
    expect(told).toContain(`the dump is of PostgreSQL 99, but the server is ${systemVersion()}`);
  });

  test17('that is a backup of another client, in a proof', async () => {
    const id = expectBackup(await scene.run({ compression: 'none', name: 'newer' }));
    const [payload, manifest] = ['dump', 'json'].map((end) => join(scene.directory, `${id}.${end}`));
    const before = readFileSync(String(payload));
    const bytes = newer(before);
    const [old, sum] = [before, bytes].map((data) => createHash('sha256').update(data).digest('hex'));
    writeFileSync(String(payload), bytes);
    for (const path of [`${payload}.sha256`, String(manifest)]) {
      const text = readFileSync(path, 'utf8').replaceAll(String(old), String(sum));
      writeFileSync(path, text.replace(`"bytes": ${before.length}`, `"bytes": ${bytes.length}`));
    }
    const result = await scene.run({ command: 'verify', name: 'newer', backup: id });
    expectFailure(result, 'E_TOOL_VERSION', 'PostgreSQL 17 or newer', 'format is 1.16', there);
  });
});

describe('no command that stands in a script is run', () => {
  const attacks = (canary: string, head: string, key: string): Record<string, string> => ({
    'a shell': `\\! touch ${canary}\n`,
    'a pipe for rows': `SELECT 1 \\g |touch ${canary}\n`,
    'a pipe for output': `\\o |touch ${canary}\n`,
    'after its own end of the restriction': `${head}\\unrestrict ${key}\n\\! touch ${canary}\n`,
    'after another end of it': `\\unrestrict ${key}x\n\\! touch ${canary}\n`,
    'an early end': '\\q\n',
  });

  test.each(sample(Object.keys(attacks('', '', '')), 4))('%s', async (name) => {
    const canary = file('canary');
    const [head = '', key = ''] = /\\restrict (\w+)\n/.exec(plain) ?? [];
    expect(key).not.toBe('');
    const attack = attacks(canary, head, key)[name] ?? '';
    writeFileSync(file('attack.sql'), plain.replace('CREATE TABLE', `${attack}CREATE TABLE`));
    const result = await restore('~/attack.sql', { 'safety-backup': 'false' });
    expectFailure(result, 'E_RESTORE', 'backslash commands are restricted', 'The live database is as it was');
    expect(existsSync(canary)).toBe(false);
    expect(await server.sql('shop', COUNT)).toBe(LIVE);
    expect(await server.sql('postgres', "SELECT count(*) FROM pg_database WHERE datname LIKE 'db_backup%'")).toBe('0');
  });
});
