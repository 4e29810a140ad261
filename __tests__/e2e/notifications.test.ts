import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { EXCLUSIVE, holdLock } from '../helpers/lock-holder.js';
import { type MailServer, makeCertificate, startMailServer } from '../helpers/mail-server.js';
import { until } from '../helpers/outcome.js';
import { type Receiver, startReceiver } from '../helpers/receiver.js';
import { type ActionResult, startAction } from '../helpers/run-action.js';
import { createDatabase } from '../helpers/sqlite.js';

// Who is told how a run ended, by what the runner starts and real receivers.

const [HOOK, UUID, TOKEN, PASSWORD] = [
  'hook-of-json-1',
  '5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278',
  'tk_0123456789',
  'p@ss/word',
];
/** Nothing of these may be seen anywhere. */
const SECRETS = [HOOK, UUID, TOKEN, PASSWORD, encodeURIComponent(PASSWORD), Buffer.from(PASSWORD).toString('base64')];

let folder: string;
let database: string;
let directory: string;
let receiver: Receiver;
let mail: MailServer;
let trust: Record<string, string>;
let urls: { json: string; ntfy: string; mail: string; ping: string };
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-told-'));
  database = join(folder, 'app.db');
  directory = join(folder, 'backups');
  await createDatabase(database, { mb: 1 });
  receiver = await startReceiver();
  const certificate = makeCertificate();
  mail = await startMailServer({ certificate });
  writeFileSync(join(folder, 'ca.pem'), certificate.cert);
  trust = { NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') };
  urls = {
    json: `json+http://127.0.0.1:${receiver.port}/${HOOK}?a=b`,
    ntfy: `ntfy://${TOKEN}@127.0.0.1:${receiver.port}/ops`,
    mail: `smtp://alerts:${encodeURIComponent(PASSWORD)}@127.0.0.1:${mail.port}/?from=backup@example.com&to=ops+db@example.com`,
    ping: `http://127.0.0.1:${receiver.port}/ping/${UUID}`,
  };
});
afterAll(async () => {
  await receiver.stop();
  await mail.stop();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  receiver.received = [];
  receiver.answer = (_, response) => response.end('ok');
  mail.mails.length = 0;
});

const start = (inputs: Record<string, string>) =>
  startAction({ transport: 'local', database, directory, name: 'app', ...inputs }, { env: trust });

async function run(inputs: Record<string, string>): Promise<ActionResult> {
  const result = await start(inputs).result();
  nothingSecretIn(result);
  return result;
}

function nothingSecretIn({ log, outputs, summary, state }: ActionResult): void {
  const printed = log.replaceAll(/^::add-mask::.*$/gm, '');
  const status = readFileSync(join(directory, 'status.json'), 'utf8');
  const seen = [printed, JSON.stringify(outputs), summary, JSON.stringify(state), status].join('\n');
  expect(SECRETS.filter((secret) => seen.includes(secret))).toEqual([]);
}

/** Levels that the JSON receiver was told. */
const told = () =>
  receiver.received
    .filter(({ path }) => path === `/${HOOK}?a=b`)
    .map(({ body }) => (JSON.parse(body) as { notification: { level: string } }).notification.level);

/** Endings of the pings, each with its run's id. */
const pings = () =>
  receiver.received
    .filter(({ path }) => path.startsWith('/ping/'))
    .map(({ path }) => {
      const url = new URL(path, 'http://receiver');
      return { ending: url.pathname.slice(`/ping/${UUID}`.length), rid: url.searchParams.get('rid') };
    });

const MISSING = { database: '/nowhere/app.db' };

test('by default failures are told, and the first success after one; each run pings as it begins and ends', async () => {
  const inputs = { 'notify-urls': urls.json, 'ping-url': urls.ping };
  expectBackup(await run(inputs));
  expect(told()).toEqual([]);
  expectFailure(await run({ ...inputs, ...MISSING }), 'E_SOURCE_MISSING');
  expect(told()).toEqual(['failed']);
  expectFailure(await run({ ...inputs, ...MISSING }), 'E_SOURCE_MISSING');
  expectBackup(await run(inputs));
  expect(told()).toEqual(['failed', 'failed', 'recovered']);
  expectBackup(await run(inputs));
  expect(told()).toEqual(['failed', 'failed', 'recovered']);

  const endings = pings().map(({ ending }) => ending);
  expect(endings).toEqual(['/start', '', '/start', '/fail', '/start', '/fail', '/start', '', '/start', '']);
  const rids = pings().map(({ rid }) => rid);
  expect(new Set(rids).size).toBe(5);
  for (let at = 0; at < rids.length; at += 2) expect(rids[at]).toBe(rids[at + 1]);
  const failed = receiver.received.find(({ path }) => path.includes('/fail'));
  expect(failed?.body).toMatch(/Backup of app failed: E_SOURCE_MISSING/);
}, 60_000);

test('the last run of another database in the same directory, and of another command, says nothing about this one', async () => {
  const inputs = { 'notify-urls': urls.json };
  expectFailure(await run({ ...MISSING, name: 'other' }), 'E_SOURCE_MISSING');
  expectBackup(await run(inputs));
  expectFailure(await run({ ...MISSING }), 'E_SOURCE_MISSING');
  expect((await run({ ...inputs, command: 'verify' })).code).toBe(0);
  expect(told()).toEqual([]);
}, 60_000);

test('a restore that went well is told as a recovery once', async () => {
  const inputs = { command: 'restore', confirm: 'app.db', 'notify-urls': urls.json };
  expectBackup(await run({}));
  expectFailure(await run({ ...inputs, backup: 'app-20200101T000000Z-0000' }), 'E_NOT_FOUND');
  for (const times of [1, 2])
    expect({ times, ...(await run({ ...inputs, backup: 'latest' })) }).toMatchObject({ code: 0 });
  expect(told()).toEqual(['failed', 'recovered']);
}, 60_000);

test('always, by JSON, ntfy and mail at once; what they are told', async () => {
  const result = await run({ notify: 'always', 'notify-urls': `${urls.json}\n\n  ${urls.ntfy}\r\n${urls.mail}` });
  const id = expectBackup(result);
  expect(result.annotations).toEqual([]);
  expect(told()).toEqual(['ok']);
  const [json, ntfy] = [`/${HOOK}?a=b`, '/'].map((path) => receiver.received.find((one) => one.path === path));
  expect(JSON.parse(json?.body ?? '')).toMatchObject({
    schema: 1,
    command: 'backup',
    ok: true,
    backup: { id, sha256: result.outputs.sha256 },
    notification: {
      title: '✅ Backup of app is good: content verified',
      run: 'https://github.com/owner/repo/actions/runs/1',
      log: [],
    },
  });
  expect(ntfy?.headers.authorization).toBe(`Bearer ${TOKEN}`);
  expect(JSON.parse(ntfy?.body ?? '')).toMatchObject({
    topic: 'ops',
    message: expect.stringContaining(`SHA-256: ${result.outputs.sha256}`),
  });
  expect(mail.mails).toMatchObject([{ tls: true, user: 'alerts', recipients: ['ops+db@example.com'] }]);
  expect(mail.mails[0]?.raw).toContain(id);
}, 30_000);

test('never: not even a failure, but the monitor is pinged', async () => {
  expectFailure(
    await run({ ...MISSING, notify: 'never', 'notify-urls': urls.json, 'ping-url': urls.ping }),
    'E_SOURCE_MISSING',
  );
  expect(told()).toEqual([]);
  expect(pings().map(({ ending }) => ending)).toEqual(['/start', '/fail']);
}, 30_000);

test('a dry run tells nobody', async () => {
  const result = await run({ 'dry-run': 'true', notify: 'always', 'notify-urls': urls.json, 'ping-url': urls.ping });
  expect(result.code).toBe(0);
  expect(receiver.received).toEqual([]);
}, 30_000);

test('what can not be delivered is a warning in log and summary, and changes nothing else', async () => {
  receiver.answer = ({ headers, path }, response) => {
    response.statusCode = 404;
    response.end(`no topic here\n::error::owned ${headers.authorization} ${decodeURIComponent(path)}`);
  };
  const encoded = `json+http://127.0.0.1:${receiver.port}/pa%C3%BCth/sec%2Fret9`;
  const lines = [urls.json, urls.ntfy, encoded].join('\n');
  const result = await run({ notify: 'always', 'notify-urls': lines, 'ping-url': urls.ping });
  expectBackup(result);
  const warnings = result.annotations.map(({ level, message }) => `${level} ${message}`);
  expect(warnings.filter((text) => text.includes('notify-urls'))).toEqual([
    expect.stringMatching(
      /^warning notify-urls, line 1 \(JSON\): the notification was not delivered: HTTP 404: no topic here : :error::owned undefined \*\*\*$/,
    ),
    expect.stringMatching(
      /^warning notify-urls, line 2 \(ntfy\): the notification was not delivered: HTTP 404: .* Bearer \*\*\* /,
    ),
    expect.stringMatching(/^warning notify-urls, line 3 \(JSON\): .* undefined \*\*\*$/),
  ]);
  expect(result.summary).not.toMatch(/paüth|ret9/);
  expect(warnings.filter((text) => text.includes('ping-url'))).toHaveLength(2);
  expect(result.summary).toMatch(/^## ✅ [\s\S]*### Failed notifications\n\n- ⚠️ /);
}, 30_000);

describe('inputs that are wrong', () => {
  test('others than these: it is told', async () => {
    const result = await run({ keep: 'seven', 'notify-urls': urls.json, 'ping-url': urls.ping });
    expectFailure(result, 'E_INPUT', 'keep: ');
    expect(told()).toEqual(['failed']);
    expect(pings().map(({ ending }) => ending)).toEqual(['/fail']);
  }, 30_000);

  test('the command: which one was meant is not guessed', async () => {
    const result = await run({ command: 'heatlh', 'notify-urls': urls.json });
    expectFailure(result, 'E_INPUT', 'command: ');
    const title = '❌ The input "command" is wrong: E_INPUT';
    expect(JSON.parse(receiver.received[0]?.body ?? '')).toMatchObject({ notification: { level: 'failed', title } });
    expect(result.summary).toContain(`## ${title}`);
  }, 30_000);

  test('a line that is none: the others are told, and the message names the line alone', async () => {
    const result = await run({ 'notify-urls': `https://example.com/${HOOK}\n${urls.json}` });
    const message = expectFailure(result, 'E_INPUT', 'notify-urls: line 1: expected the webhook URL of Slack');
    expect(message).not.toContain('line 2');
    expect(told()).toEqual(['failed']);
  }, 30_000);
});

describe('the last lines of the log', () => {
  test('are told when they are asked for, without secrets', async () => {
    const inputs = { 'notify-log': 'True', 'notify-urls': `${urls.json}\n${urls.ntfy}` };
    // a path that has a secret in it, which nobody forbids, and which the log tells
    const result = await start({ ...inputs, database: `/nowhere/${TOKEN}.db` }).result();
    expectFailure(result, 'E_SOURCE_MISSING');
    const json = receiver.received.find(({ path }) => path === `/${HOOK}?a=b`);
    const { log } = (JSON.parse(json?.body ?? '') as { notification: { log: string[] } }).notification;
    expect(log.length).toBeLessThanOrEqual(40);
    expect(log.join('\n')).toContain('logged in as');
    expect(log.join('\n')).toContain('/nowhere/***.db');
    for (const { body } of receiver.received) expect(SECRETS.filter((secret) => body.includes(secret))).toEqual([]);
  }, 30_000);

  test('are not told otherwise', async () => {
    await run({ ...MISSING, 'notify-urls': urls.json });
    expect(receiver.received[0]?.body).not.toContain('logged in as');
  }, 30_000);
});

describe('a run that did not come to its end', () => {
  async function inTheMiddle(inputs: Record<string, string>) {
    const lock = await holdLock(database, EXCLUSIVE);
    const running = start({ 'lock-wait': '10m', 'notify-urls': urls.json, 'ping-url': urls.ping, ...inputs });
    await running.line(/logged in as/);
    await until(() => receiver.received.length > 0); // the ping that it begins
    return { running, lock };
  }

  test('killed: post tells it, with the id of the run', async () => {
    const { running, lock } = await inTheMiddle({});
    running.kill('SIGKILL');
    await running.main;
    await lock.release();
    const result = await running.result();
    nothingSecretIn(result);
    expect(result.steps.post?.code).toBe(0);
    expect(told()).toEqual(['failed']);
    expect(receiver.received.find(({ path }) => path.startsWith(`/${HOOK}`))?.body).toContain('the run was killed');
    const [begun, ended] = pings();
    expect([begun?.ending, ended?.ending]).toEqual(['/start', '/fail']);
    expect(ended?.rid).toBe(begun?.rid);
  }, 60_000);

  test('killed while it tells how it ended: post does not tell something else', async () => {
    // the monitor is silent until main is gone
    let silent = true;
    receiver.answer = ({ path }, response) => {
      if (!silent || !path.startsWith(`/ping/${UUID}?`)) response.end('ok');
    };
    const running = start({ name: 'told', notify: 'always', 'notify-urls': urls.json, 'ping-url': urls.ping });
    await until(() => told().length === 1 && pings().length === 2);
    running.kill('SIGKILL');
    await running.main;
    silent = false;
    const result = await running.result();
    nothingSecretIn(result);
    expect(result.steps).toMatchObject({ main: { signal: 'SIGKILL' }, post: { code: 0 } });
    expect(told()).toEqual(['ok']);
    expect(pings().map(({ ending }) => ending)).toEqual(['/start', '']);
  }, 60_000);

  test('cancelled: it tells so by itself, and post does not tell it again', async () => {
    const { running, lock } = await inTheMiddle({});
    running.kill('SIGINT');
    await running.main;
    await lock.release();
    const result = await running.result();
    nothingSecretIn(result);
    expectFailure(result, 'E_CANCELLED');
    expect(told()).toEqual(['failed']);
    expect(pings().map(({ ending }) => ending)).toEqual(['/start', '/fail']);
  }, 60_000);
});
