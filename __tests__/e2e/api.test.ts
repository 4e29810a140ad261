import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Manifest } from '../../src/backups/manifest.js';
import { API_TOKEN, type Api, type Called, type CallOptions, call, endServers, startApi } from '../helpers/api.js';
import { until } from '../helpers/outcome.js';
import { checkInvariant, createDatabase, sql, startWriters, type Writers } from '../helpers/sqlite.js';

let folder: string;
let app: string;
let shop: string;
let writers: Writers;
let api: Api;

/** Two databases: one under load, and one whose backup waits until it may go on. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-api-'));
  app = join(folder, 'app.db');
  shop = join(folder, 'shop.db');
  await createDatabase(app, { mb: 1, wal: true });
  await sql(app, "CREATE TABLE 'a\"}]' (x); INSERT INTO 'a\"}]' VALUES (1), (2)");
  await sql(shop, 'CREATE TABLE t (x); INSERT INTO t SELECT value FROM generate_series(1, 50000)');
  const config = join(folder, 'db-backup.yml');
  const waiting = `touch ${folder}/started; while [ -e ${folder}/hold ]; do sleep 0.05; done`;
  writeFileSync(
    config,
    `defaults: { transport: local, directory: ${folder}/backups }
databases:
  app: { database: ${app} }
  shop: { database: ${shop}, before-command: ${JSON.stringify(waiting)} }
`,
  );
  writers = await startWriters(app, { pauseMs: 5 });
  api = await startApi(['--config', config, '--behind-proxy']);
});
afterAll(async () => {
  try {
    rmSync(join(folder, 'hold'), { force: true }); // of a test that failed
    await writers.stop();
    expect(await api.stop()).toBe(0);
  } finally {
    endServers();
    rmSync(folder, { recursive: true });
  }
});

let asked = 0;
/** Each time from another address, so that there are never too many calls of one. */
const ask = (line: Parameters<typeof call>[1], options: CallOptions = {}): Promise<Called> => {
  asked++;
  return call(api.url, line, {
    ...options,
    headers: { 'x-forwarded-for': `192.0.2.${asked % 250}`, ...options.headers },
  });
};
/** From now on the backup of shop waits, as long as there is the file `hold`. */
function hold(): void {
  rmSync(join(folder, 'started'), { force: true });
  writeFileSync(join(folder, 'hold'), '');
}
const lastLine = (): string => api.log().trimEnd().split('\n').at(-1) ?? '';

test('whether the server is there is told without a token, and nothing else is', async () => {
  expect(await ask('GET /health', { token: null })).toMatchObject({ status: 200, body: { status: 'ok' } });
  expect(await ask('GET /openapi.json', { token: null })).toMatchObject({ status: 200, body: { openapi: '3.1.0' } });
  for (const token of [null, 'x'.repeat(32), `${API_TOKEN}0`, API_TOKEN.slice(1)]) {
    const refused = await ask('GET /api/database/backups?target=app', { token });
    expect(refused).toMatchObject({ status: 401, body: { success: false, error_code: 'E_TOKEN' } });
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
    expect((await ask('GET /api/nothing', { token })).status).toBe(401);
  }
  expect(api.log()).not.toContain(API_TOKEN);
});

test('each of the six calls, on a database that is written to', async () => {
  const made = await ask('POST /api/database/backup?target=app', { headers: { 'x-actor': 'ada@example.org' } });
  expect(made.body).toMatchObject({ success: true, message: expect.stringContaining('app'), warnings: [] });
  const { filename, id, size } = made.body.backup;
  expect(made.status).toBe(200);
  expect(lastLine()).toMatch(
    new RegExp(
      `^\\S+Z INFO +call POST /api/database/backup 200 \\d+ ms client=192\\.0\\.2\\.\\d+ target=app backup=${id} actor="ada@example.org"$`,
    ),
  );

  const listed = await ask('GET /api/database/backups?target=app');
  expect(listed.body).toMatchObject({ count: 1, backups: [made.body.backup] });
  expect(listed.body.backups[0]).toMatchObject({
    ...{ path: join(folder, 'backups', filename), encrypted: false, state: 'ok', suspect: false, verified: 'content' },
    checksum: execFileSync('sha256sum', [join(folder, 'backups', filename)], { encoding: 'utf8' }).slice(0, 64),
  });

  const health = await ask('GET /api/database/health?target=app');
  expect(health.status).toBe(200);
  expect(health.body).toMatchObject({
    ...{ healthy: true, integrity_check: 'passed', tables: 4, page_size: 4096, foreign_key_errors: 0 },
    ...{ estimated: false, problems: [] },
  });
  expect(health.body.table_details).toContainEqual({ name: 'a"}]', rows: 2 });
  expect(health.body.size).toBe(health.body.page_count * health.body.page_size);

  const storage = await ask('GET /api/database/storage?target=app');
  expect(storage.body).toMatchObject({
    database: { size: expect.any(Number), size_human: expect.stringMatching(/B$/) },
    backups: { count: 1, total_size: size, average_size: size },
  });
  expect(storage.body.data_directory.total_size).toBeGreaterThan(size);

  await sql(app, "PRAGMA busy_timeout = 60000; DROP TABLE 'a\"}]'");
  const restored = await ask('POST /api/database/restore?target=app', { body: { filename, confirm: 'app.db' } });
  expect(restored).toMatchObject({ status: 200, body: { success: true, outcome: 'restored' } });
  expect(restored.body.warning).toContain('restart the application'); // the writer has it open
  expect(await sql(app, "SELECT count(*) FROM 'a\"}]'")).toBe('2\n');

  const safety = restored.body.safety_backup;
  expect(await ask(`DELETE /api/database/backups/${safety}?target=app`)).toMatchObject({
    ...{ status: 409, body: { success: false, error_code: 'E_POLICY', message: expect.stringContaining('pinned') } },
  });
  expect(await ask(`DELETE /api/database/backups/${filename}?target=app`)).toMatchObject({
    ...{ status: 200, body: { success: true, message: expect.stringContaining(id) } },
  });
  expect(await ask(`DELETE /api/database/backups/${id}?target=app`)).toMatchObject({
    ...{ status: 404, body: { error_code: 'E_NOT_FOUND' } },
  });
  expect(lastLine()).toMatch(
    / call DELETE \/api\/database\/backups\/\{id\} 404 .* code=E_NOT_FOUND target=app backup=app-/,
  );
  await checkInvariant(app);
});

test('what is asked for is checked before anything is run', async () => {
  const id = 'app-20261120T101500Z-7f3a';
  const refused = async (line: Parameters<typeof call>[1], options: CallOptions, message: RegExp): Promise<void> => {
    const answer = await ask(line, options);
    expect(answer).toMatchObject({ status: 422, body: { success: false, error_code: 'E_INPUT' } });
    expect(answer.body.message).toMatch(message);
  };
  await refused('GET /api/database/health', {}, /^target: expected one of app, shop$/);
  await refused('GET /api/database/health?target=../app', {}, /^target: expected/);
  await refused('GET /api/database/health?target=--json', {}, /^target: expected/);
  await refused('GET /api/database/health?target=app&target=shop', {}, /more than once/);
  await refused('GET /api/database/health?target=app&verbose=1', {}, /unknown field "verbose"/);
  await refused(
    'GET /api/database/health?target=app',
    { headers: { 'x-actor': 'a b' } },
    /^X-Actor: expected .*letters.*digits and "@\._\+-"/,
  );
  await refused('POST /api/database/backup?target=app', { body: { keep: '0' } }, /unknown field "keep"/);
  await refused('POST /api/database/backup?target=app', { body: '{"__proto__":{"x":1}}' }, /unknown field "__proto__"/);
  for (const body of ['null', '[]', '"x"', '1']) {
    await refused('POST /api/database/backup?target=app', { body }, /expected a JSON object/);
  }
  const restore = 'POST /api/database/restore?target=app' as const;
  await refused(restore, {}, /^filename: required.*; confirm: required/);
  for (const filename of [
    ...[
      'latest',
      '/etc/passwd',
      `../${id}`,
      `${id}.json`,
      `${id}.sqlite.zst.sha256`,
      `${id}.exe`,
      '--help',
      's3://b/k',
      '',
    ],
    ...['app-20261399T101500Z-7f3a', `${id}\n`, `${id}\u0000`, 'x'.repeat(10_000), `ä${id}`],
  ]) {
    await refused(restore, { body: { filename, confirm: 'app.db' } }, /^(filename: )?expected/);
  }
  for (const confirm of [
    7,
    null,
    '',
    'a\u0000b',
    'a\nb',
    'x'.repeat(300),
    ' app.db',
    'app.db  ',
    '\u00a0app.db',
    'app.db\ufeff',
  ]) {
    await refused(restore, { body: { filename: id, confirm } }, /^confirm: .*without blanks around it/);
  }
  for (const path of ['..%2f..%2fetc', 'latest', '%00', '%ff', encodeURIComponent(`${id} `), `${id}%2f`]) {
    await refused(`DELETE /api/database/backups/${path}?target=app`, {}, /expected|cannot be decoded/);
  }
  const shops = await ask('DELETE /api/database/backups/shop-20261120T101500Z-7f3a?target=app');
  expect(shops).toMatchObject({ status: 422, body: { error_code: 'E_INPUT' } });

  expect(await ask(restore, { body: { filename: id, confirm: 'shop.db' } })).toMatchObject({
    ...{
      status: 422,
      body: { error_code: 'E_CONFIRM', outcome: 'unchanged', message: expect.stringContaining('app.db') },
    },
  });
  expect(await ask(restore, { body: { filename: id, confirm: 'app.db' } })).toMatchObject({
    ...{ status: 404, body: { error_code: 'E_NOT_FOUND', left: expect.any(String) } },
  });
});

test('what is no call is answered as such', async () => {
  const path = '/api/database/restore?target=app' as const;
  expect(await ask(`POST ${path}`, { body: '{"filename":' })).toMatchObject({ status: 400 });
  expect(await ask(`POST ${path}`, { body: '{}', headers: { 'content-type': 'text/plain' } })).toMatchObject({
    status: 415,
  });
  expect(await ask(`POST ${path}`, { body: '{}', headers: { 'content-encoding': 'gzip' } })).toMatchObject({
    status: 415,
  });
  expect(await ask(`POST ${path}`, { body: `"${'x'.repeat(20_000)}"` })).toMatchObject({ status: 413 });
  expect(await ask('GET /api/database/backups/', {})).toMatchObject({ status: 404, body: { error_code: 'E_REQUEST' } });
  expect(await ask('DELETE /api/database/storage', { body: '{}' })).toMatchObject({ status: 405 });
  const wrong = await ask(`GET ${path}`);
  expect(wrong).toMatchObject({ status: 405, body: { error_code: 'E_REQUEST' } });
  expect(wrong.headers.get('allow')).toBe('POST');
});

test('one change at a time: a second one is told what runs; who only looks does not wait', async () => {
  hold();
  const first = ask('POST /api/database/backup?target=shop', { headers: { 'x-actor': 'ada' } });
  await until(() => existsSync(join(folder, 'started')));
  const others = await Promise.all([
    ask('POST /api/database/backup?target=app'),
    ask('POST /api/database/restore?target=app', {
      body: { filename: 'app-20261120T101500Z-7f3a', confirm: 'app.db' },
    }),
    ask('DELETE /api/database/backups/app-20261120T101500Z-7f3a?target=app'),
  ]);
  for (const { status, body } of others) {
    expect(status).toBe(409);
    expect(body).toMatchObject({
      error_code: 'E_LOCKED',
      message: expect.stringMatching(
        /^backup of shop has been running since .*, called by ada \(192\.0\.2\.\d+\): only one change/,
      ),
      running: { command: 'backup', target: 'shop', client: expect.stringMatching(/^192\.0\.2\.\d+$/), actor: 'ada' },
    });
    expect(Math.abs(Date.now() - Date.parse(body.running.since))).toBeLessThan(60_000);
  }
  expect((await ask('GET /api/database/backups?target=shop')).body.count).toBe(0);
  rmSync(join(folder, 'hold'));
  expect(await first).toMatchObject({ status: 200, body: { success: true } });
});

test('the last good backup stays, and one that tripped a limit is told', async () => {
  const { body } = await ask('GET /api/database/backups?target=shop');
  const [{ id }] = body.backups;
  expect(await ask(`DELETE /api/database/backups/${id}?target=shop`)).toMatchObject({
    ...{ status: 409, body: { error_code: 'E_POLICY', message: expect.stringContaining('last verified') } },
  });
  await sql(shop, 'DELETE FROM t WHERE x > 10; VACUUM');
  const shrunk = await ask('POST /api/database/backup?target=shop');
  expect(shrunk).toMatchObject({ status: 409, body: { success: false, error_code: 'E_SHRUNK', suspect: true } });
  expect(shrunk.body.backup).toMatchObject({ state: 'suspect', suspect: true });
  const health = await ask('GET /api/database/health?target=shop');
  expect(health).toMatchObject({ status: 200, body: { healthy: false, integrity_check: 'passed' } });
  expect(health.body.problems).toContainEqual(expect.objectContaining({ level: 'error', code: 'E_SHRUNK' }));
  await sql(shop, 'INSERT INTO t SELECT value FROM generate_series(11, 50000)');
});

test('who calls may leave: what was begun is brought to its end', async () => {
  hold();
  const leaving = new AbortController();
  const left = fetch(`${api.url}/api/database/backup?target=shop`, {
    ...{ method: 'POST', headers: { authorization: `Bearer ${API_TOKEN}` }, signal: leaving.signal },
  });
  await until(() => existsSync(join(folder, 'started')));
  leaving.abort();
  await expect(left).rejects.toThrow();
  expect((await ask('POST /api/database/backup?target=shop')).status).toBe(409);
  rmSync(join(folder, 'hold'));
  const made = / call POST \/api\/database\/backup 200 \d+ ms client=127\.0\.0\.1 target=shop backup=(shop-\S+)$/;
  await until(() => made.test(lastLine()));
  const [, id] = made.exec(lastLine()) ?? [];
  expect((await ask('GET /api/database/backups?target=shop')).body.backups[0]).toMatchObject({ id, state: 'ok' });
});

test('what somebody has put into the backup directory stays data', async () => {
  const directory = join(folder, 'backups');
  const name = readdirSync(directory).find((one) => /^app-.*\.json$/.test(one)) ?? '';
  const manifest = JSON.parse(readFileSync(join(directory, name), 'utf8')) as Manifest;
  const evil = '"}],\r\nSet-Cookie: x=1\r\n\r\n##[error]::set-output name=x::y\u001b[31m\u202e\u2028';
  const id = 'app-20261120T101500Z-7f3a';
  const file = `${id}.sqlite.zst`;
  const planted = {
    ...manifest,
    id,
    file,
    createdAt: '2026-11-20T10:15:00Z',
    pinned: { reason: evil, at: manifest.createdAt },
  };
  writeFileSync(join(directory, `${id}.json`), JSON.stringify({ ...planted, database: evil, host: evil }));
  writeFileSync(join(directory, file), 'x'.repeat(manifest.bytes));
  writeFileSync(join(directory, 'app-\n"}.json'), evil);
  const listed = await ask('GET /api/database/backups?target=app');
  expect(listed.status).toBe(200);
  const one = listed.body.backups.find((backup: { id: string }) => backup.id === id);
  expect(one).toMatchObject({ filename: file, pinned: expect.stringContaining('Set-Cookie') });
  const refused = await ask(`DELETE /api/database/backups/${id}?target=app`);
  expect(refused).toMatchObject({ status: 409, body: { error_code: 'E_POLICY' } });
  for (const { headers } of [listed, refused]) expect([...headers.keys()]).not.toContain('set-cookie');
  const calls = api
    .log()
    .split('\n')
    .filter((text) => / call [A-Z]+ \//.test(text));
  expect(calls.length).toBeGreaterThan(20);
  expect(calls.filter((text) => /cookie|\p{Cc}|\p{Cf}/iu.test(text))).toEqual([]);
});
