import { expect, test } from '@jest/globals';
import { postgresHealth } from '../../src/engines/postgres/health.js';
import { ERRORS, type ErrorCode } from '../../src/errors.js';
import { Facts } from '../../src/host/facts.js';
import { usePlatform } from '../../src/platform/platform.js';
import { terminal } from '../../src/platform/terminal.js';
import { type HealthReport, newReport } from '../../src/reporting/report.js';
import { ANSWERS, failureOf } from '../../src/server/answers.js';
import { Buckets } from '../../src/server/buckets.js';
import { openApi } from '../../src/server/openapi.js';
import { statusOf } from '../../src/server/refusal.js';
import { ROUTES } from '../../src/server/routes.js';
import { Running } from '../../src/server/running.js';
import { targetOf } from '../../src/server/target.js';
import { faultOfToken, tokenCheck } from '../../src/server/token.js';
import { Turns } from '../../src/server/turns.js';

test('a bucket gives so many, and then one after the other, each address its own', () => {
  let now = 0;
  const buckets = new Buckets({ most: 2, perSecond: 0.5 }, () => now);
  expect([1, 2, 3].map(() => buckets.take('a'))).toEqual([0, 0, 2]);
  expect(buckets.take('b')).toBe(0);
  now += 1_500;
  expect(buckets.take('a')).toBe(1);
  now += 500;
  expect([1, 2].map(() => buckets.take('a'))).toEqual([0, 2]);
  now += 3_600_000;
  expect([1, 2, 3].map(() => buckets.take('a'))).toEqual([0, 0, 2]);
});

test('so many addresses are known, and those of whom longest nothing was heard are forgotten', () => {
  const buckets = new Buckets({ most: 1, perSecond: 0.001 }, () => 0);
  expect([buckets.take('first'), buckets.take('first')]).toEqual([0, 1_000]);
  for (let i = 0; i < 9_999; i++) buckets.take(`more ${i}`);
  expect(buckets.take('first')).toBe(1_000);
  buckets.take('one more'); // in the place of the first of those
  expect([buckets.take('first'), buckets.take('more 1'), buckets.take('more 0')]).toEqual([1_000, 1_000, 0]);
});

test('turns: so many at once, so many wait, in their order, and also after one that failed', async () => {
  const turns = new Turns(1, 2);
  const order: number[] = [];
  const ends: (() => void)[] = [];
  const take = (number: number) =>
    turns.take(async () => {
      order.push(number);
      await new Promise<void>((resolve) => ends.push(resolve));
      if (number === 1) throw new Error('it failed');
    });
  const all = [1, 2, 3].map(take);
  await expect(take(4)).rejects.toMatchObject({ status: 503, code: 'E_LIMIT' });
  expect(order).toEqual([1]);
  const settled = Promise.allSettled(all);
  for (let i = 0; i < 3; i++) {
    ends[i]?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
  expect(order).toEqual([1, 2, 3]);
  const later = take(5);
  ends[3]?.();
  await later;
});

test('a run that ends without a report has not told what it did, and one that did not begin has done nothing', async () => {
  const log: string[] = [];
  usePlatform({ ...terminal(), error: (text) => void log.push(text) });
  const running = new Running({ script: '/dev/null', env: {}, log: 'ignore' });
  const ended = running.run('restore', []);
  await running.end(60_000);
  const answers = [
    failureOf(await ended),
    failureOf(await running.run('delete', [])),
    failureOf(await running.run('list', [])),
    failureOf(await running.run('restore', ['x'.repeat(1 << 20)])),
  ];
  const failed = { success: false, error_code: 'E_INTERNAL' };
  expect(answers).toMatchObject([
    {
      ...{ ...failed, outcome: '', hint: expect.stringContaining('`GET /api/database/health`') },
      message: 'restore ended with 0, without a report: it is not known if the database was replaced',
      left: expect.stringContaining('It is unknown whether the live database was already replaced'),
    },
    {
      ...{ ...failed, hint: expect.stringContaining('`GET /api/database/backups`') },
      message: 'delete ended with 0, without a report: it is not known if the backup was deleted',
      left: expect.stringContaining('What was done before the failure stays done'),
    },
    {
      ...failed,
      message: 'list ended with 0, without a report: there is no result',
      left: 'Nothing was changed.',
    },
    {
      ...{ ...failed, outcome: 'unchanged', message: expect.stringMatching(/^restore could not be started: .*E2BIG/) },
      left: 'Nothing was restored, and nothing was changed.',
    },
  ]);
  expect(log).toHaveLength(4);
});

test('a token is long, in one piece, and compared as a whole', () => {
  const token = 'Abcdefghijklmnopqrstuvwxyz-_.~+/=0';
  expect(faultOfToken(token)).toBeNull();
  expect(faultOfToken('x'.repeat(31))).toContain('32 characters');
  for (const odd of [`${token} x`, `${token}\n`, `${token}ä`, 'x'.repeat(2_000)])
    expect(faultOfToken(odd)).toContain('ASCII');
  const isRight = tokenCheck(token);
  expect([`Bearer ${token}`, `bearer  ${token}`].map(isRight)).toEqual([true, true]);
  const wrong = [
    undefined,
    '',
    token,
    `Basic ${token}`,
    `Bearer ${token}x`,
    `Bearer ${token.slice(1)}`,
    `Bearer ${token} x`,
    'Bearer ',
  ];
  expect(wrong.map(isRight)).toEqual(wrong.map(() => false));
});

test('a call is about one database: of a server with all of its own it is named', () => {
  const two = { targets: ['app', 'pg-own'], servers: ['pg', 'pg-eu'] };
  const said = (given: string | undefined, among = two): unknown => {
    try {
      return targetOf(given, among);
    } catch (error) {
      const { status, message } = error as { status: number; message: string };
      return `${status} ${message}`;
    }
  };
  expect(['app', 'pg-own', 'pg-shop'].map((given) => said(given))).toEqual(['app', 'pg-own', 'pg-shop']);
  const names = 'expected one of app, pg-own, pg-DATABASE, pg-eu-DATABASE';
  expect([undefined, 'other', 'pg', 'pgshop', 'pg-eu', 'pg-eu-shop'].map((given) => said(given))).toEqual([
    `422 target: ${names}`,
    `422 target: ${names}`,
    `422 target: pg is a whole server, but a call is about one database: ${names}`,
    `422 target: ${names}`,
    `422 target: pg-eu is a whole server, but a call is about one database: ${names}`,
    '422 target: it could be a database of any of pg, pg-eu: rename one of them in the configuration',
  ]);
  const one = { targets: [], servers: ['pg'] };
  expect(said(undefined, one)).toBe('422 target: expected one of pg-DATABASE');
  expect([said(undefined, { targets: [], servers: [] }), said(undefined, { targets: ['a'], servers: [] })]).toEqual([
    ...[null, 'a'],
  ]);
});

test('every code has the status of an error', () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[])
    expect([404, 409, 422, 500, 502, 503, 504, 507]).toContain(statusOf(code));
});

test('the document has each route, and no other; what it refers to is there', () => {
  const document = openApi() as { paths: Record<string, object>; components: Record<string, Record<string, unknown>> };
  const there = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(there).toEqual(ROUTES.map(({ method, path }) => `${method} ${path}`));
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(\w+)\/(\w+)"/g)];
  expect(references.length).toBeGreaterThan(50);
  for (const [, kind = '', name = ''] of references) expect(document.components[kind]).toHaveProperty(name);
});

const healthOf = (database: HealthReport['database']): ReturnType<typeof newReport> => ({
  ...newReport(new Date('2026-11-30T10:00:00Z')),
  ...{ command: 'health', healthy: true, tables: [{ name: 'a', rows: 3 }] },
  health: {
    ...{ database, lastRestored: null, encryption: null, clocks: { hostAheadMs: null, storeAheadMs: null } },
    room: { backupBytes: null, restoreBytes: null },
  },
});

test('what PostgreSQL does not have is null, and its rows are estimates', () => {
  const facts = new Facts();
  facts.add('source_bytes', '8192');
  const { bytes, estimated, figures } = postgresHealth(facts);
  expect(ANSWERS.Health.of(healthOf({ bytes, estimated, ...figures }))).toMatchObject({
    ...{ healthy: true, integrity_check: null, size: 8192, size_human: '8.19 kB', tables: 1, estimated: true },
    ...{ page_count: null, page_size: null, foreign_key_errors: null, last_checked: '2026-11-30T10:00:00.000Z' },
  });
});

test('damage is told as such, and a database that could not be looked at as unknown', () => {
  const damaged = { bytes: 1, estimated: false, integrity: 'row 3 missing from index i' };
  expect(ANSWERS.Health.of({ ...healthOf(damaged), healthy: false })).toMatchObject({
    healthy: false,
    integrity_check: 'failed',
  });
  const unknown = { size: null, size_human: null, tables: null, integrity_check: null, page_count: null };
  expect(ANSWERS.Health.of({ ...healthOf(null), healthy: false, tables: [] })).toMatchObject(unknown);
  expect(ANSWERS.Storage.of(healthOf(null))).toMatchObject({
    ...{ database: { size: null, size_human: null }, data_directory: { total_size: null, size_human: null } },
    backups: { count: 0, total_size: 0, average_size: 0 },
  });
});

test('what is said of a workflow is said as who calls can do it, or not at all', () => {
  const codes = Object.keys(ERRORS) as ErrorCode[];
  for (const code of codes) {
    const error = { message: 'x', hint: ERRORS[code].fix, left: 'changed-in-part' as const };
    const answer = failureOf({ ...newReport(new Date()), errorCode: code, error });
    expect(JSON.stringify(answer)).not.toMatch(/`command: |`dry-run: |cancel-in-progress: |workflow|runner/);
  }
  const of = (hint: string, message = 'x') =>
    failureOf({
      ...newReport(new Date()),
      ...{ errorCode: 'E_NOT_FOUND', error: { message, hint, left: 'changed-in-part' as const } },
    });
  expect(of('Run `command: unpin` first.', 'see `command: list`')).toMatchObject({
    ...{ hint: 'Run `db-backup unpin` first.', message: 'see `GET /api/database/backups`' },
    left: 'What was done before the failure stays done; `GET /api/database/backups` shows what is there.',
  });
  expect(of('Set `confirm: app.db`.')).not.toHaveProperty('hint');
  const problem = { level: 'error' as const, code: 'E_SHRUNK' as const, message: 'until `command: accept`' };
  const todos = ['If it is right, `command: accept`.', 'With `backup: x`.'].map((todo) => ({ ...problem, todo }));
  expect(ANSWERS.Health.of({ ...healthOf(null), problems: [...todos, problem] })).toMatchObject({
    problems: [
      { todo: 'If it is right, `db-backup accept`.', message: 'until `db-backup accept`' },
      problem,
      problem,
    ].map((one) => ({ ...one, message: 'until `db-backup accept`' })),
  });
  const told = ANSWERS.Health.of({ ...healthOf(null), problems: todos.slice(1) }) as { problems: object[] };
  expect(told.problems[0]).not.toHaveProperty('todo');
});

test('a failure says what was left as it was', () => {
  const report = newReport(new Date());
  Object.assign(report, {
    errorCode: 'E_BUSY',
    error: { message: 'it is locked', hint: 'Wait.', left: 'nothing-kept' },
  });
  expect(failureOf(report)).toEqual({
    ...{ success: false, message: 'it is locked', error_code: 'E_BUSY', hint: 'Wait.' },
    left: expect.stringContaining('the database was not changed'),
  });
});
