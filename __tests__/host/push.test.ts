import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { push } from '../../src/host/push.js';
import { until } from '../helpers/outcome.js';
import { type ShellHost, shellHost } from '../helpers/shell-host.js';

let host: ShellHost;
beforeEach(() => {
  host = shellHost(['sh']);
});
afterEach(() => host.remove());

const options = { signal: new AbortController().signal, idleTimeoutMs: 60_000 };
const to = () => ({ folder: host.folder, file: 'dump' });
const come = () => (existsSync(join(host.folder, 'dump')) ? readFileSync(join(host.folder, 'dump'), 'utf8') : '');

async function* source(...texts: string[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text);
}

/** Says no more after this, and does not end. */
async function* stalled(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
  await new Promise(() => {});
}

test('what was sent is there when it resolves', async () => {
  await push(host, to(), source('one, ', 'two, ', 'three'), options);
  expect(come()).toBe('one, two, three');
});

test('all that takes it is killed while the source says nothing: E_REMOTE_LOST', async () => {
  const pushing = push(host, to(), stalled('the beginning'), options);
  const failure = expect(pushing).rejects.toMatchObject({ code: 'E_REMOTE_LOST' });
  await until(() => come() !== '');
  for (const { pid } of host.processes()) process.kill(pid, 'SIGKILL');
  await failure;
});

test('what takes it comes to the end of its input too early, and says that all is well: E_REMOTE_LOST as well', async () => {
  const pushing = push(host, to(), stalled('the beginning'), options);
  const message = expect.stringContaining('ended before it had all of it');
  const failure = expect(pushing).rejects.toMatchObject({ code: 'E_REMOTE_LOST', message });
  await until(() => come() !== '');
  host.child.stdin?.end(); // as sshd does it when the login shell is killed before what that has started
  await failure;
});
