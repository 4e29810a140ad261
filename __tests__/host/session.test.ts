import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { until } from '../helpers/outcome.js';
import { leftAfter } from '../helpers/processes.js';
import { lost, running, Sessions, SHELLS } from '../helpers/shell-host.js';

const sessions = new Sessions();
afterEach(() => sessions.close());

const open = sessions.open.bind(sessions);

describe.each(SHELLS)('a session in %s', (_, command) => {
  test('greets, answers requests that were sent together, and ends without a trace', async () => {
    const said: string[] = [];
    const { host, session } = await open(command, { onFact: (key) => said.push(key) });
    const facts = await session.send(
      ['request', 'put', ['one', '1']],
      ['request', 'put', ['lines', 'a\n\nb\n']],
      // more than one argument of a program may have
      ['request', 'put', ['long', 'x'.repeat(200_000)]],
      ['job', 'put', ['two', '2']],
    );
    expect(facts.entries).toEqual([
      ['one', '1'],
      ['lines', 'a\n\nb\n'],
      ['long', 'x'.repeat(200_000)],
      ['two', '2'],
    ]);
    const hello = await session.hello;
    expect(hello.need('uid')).toBe(String(process.getuid?.()));
    expect(said).toEqual(expect.arrayContaining(['user', 'hostname', 'one', 'lines', 'two']));
    expect(session.noise).toBe('');
    // a second round: facts start anew
    expect((await session.send(['job', 'put', ['three', '3']])).entries).toEqual([['three', '3']]);
    expect(await session.close()).toBe(true);
    expect(await leftAfter(host.processes, 5000)).toEqual([]);
  });

  test('hands values on byte for byte, in requests and back', async () => {
    const { session } = await open(command);
    const special =
      "' '' \" \\ $x `id` $(id) ! { } ; & | < > * ? [ ] # ~ = % ^ -n -- \n \r \t é 🦆 \x1b \x7f \x01".split(' ');
    const value = fc.oneof(
      fc.string({ unit: fc.constantFrom(...special, ' '), maxLength: 30 }),
      fc.string({ unit: 'binary', maxLength: 30 }).map((text) => text.replaceAll('\0', '')),
      fc.uint8Array({ min: 1, maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 30, maxLength: 60 }), async (values) => {
        const facts = await session.send(...values.map((one) => ['request', 'put', ['v', one]] as const));
        expect(facts.all('v')).toEqual(values);
      }),
      { numRuns: 10 },
    );
  });

  test('goes from job to job without a pause, and ends nothing of its own', async () => {
    // each job has a new watcher, and the one before is ended just after it was started: bash ran the EXIT trap in it
    const { host, session } = await open(command);
    mkdirSync(join(host.folder, '.work/x'), { recursive: true });
    await session.send(['request', 'eval', ['directory=$PWD']], ['request', 'expect_work', ['x']]);
    for (let count = 0; count < 60; count += 1) {
      expect((await session.send(['job', 'put', ['k', String(count)]])).entries).toEqual([['k', String(count)]]);
      expect(existsSync(join(host.folder, '.work/x'))).toBe(true);
    }
  });

  test('sends files as they are, up to 12 MiB', async () => {
    const { host, session } = await open(command);
    const texts = ['', '\n', 'no line end', '{\n  "a": "é"\n}\n', 'x\n'.repeat(100_000)];
    for (const [index, text] of texts.entries()) {
      writeFileSync(join(host.folder, `file${index}`), text);
      const facts = await session.send(['job', 'put_file', ['text', `file${index}`]]);
      expect(facts.need('text')).toBe(text);
    }
    writeFileSync(join(host.folder, 'large'), 'y'.repeat(1023).concat('\n').repeat(13_000));
    const large = await session.send(['job', 'put_file', ['text', 'large']]);
    expect(large.need('text')).toHaveLength(12 << 20);
  });

  test('says why a job failed, and goes on', async () => {
    const { session } = await open(command);
    const answer = session.send(['job', 'fail', ['E_BUSY', 'somebody\nelse']]);
    await expect(answer).rejects.toMatchObject({ name: 'HostFailure', code: 'E_BUSY', text: 'somebody\nelse' });
    expect((await session.send(['job', 'put', ['k', 'v']])).get('k')).toBe('v');
  });

  test('ends when a request fails: what was sent behind it is not done', async () => {
    const { host, session } = await open(command);
    const answer = session.send(['request', 'fail', ['E_PERM', 'no']], ['job', 'run', ['touch', 'canary']]);
    await expect(answer).rejects.toMatchObject({ code: 'E_PERM' });
    await expect(session.send(['job', 'put', ['k', 'v']])).rejects.toMatchObject(
      lost(/ended before the program finished, with status 99/),
    );
    expect(await leftAfter(host.processes, 5000)).toEqual([]);
  });

  test('a job that ends with a status of its own is lost, not done', async () => {
    const { session } = await open(command);
    await expect(session.send(['job', 'exit', ['3']])).rejects.toMatchObject(
      lost(/stopped before it finished \(status 3\)/),
    );
  });

  test('the end of stdin ends the job and all that it started', async () => {
    const { host, session } = await open(command);
    const answer = session.send(['job', 'run', ['/bin/sleep', '61']]);
    await until(() => running(host, '/bin/sleep 61').length === 1, 10_000);
    host.child.stdin?.end();
    await expect(answer).rejects.toMatchObject(lost(/./));
    expect(await leftAfter(host.processes, 5000)).toEqual([]);
  });

  test('an abort rejects with its error when the host has cleaned up', async () => {
    const { host, session } = await open(command);
    const answer = session.send(['job', 'run', ['/bin/sleep', '62']]);
    await until(() => running(host, '/bin/sleep 62').length === 1, 10_000);
    const reason = new Error('enough');
    session.abort(reason);
    await expect(answer).rejects.toBe(reason);
    expect(await session.close()).toBe(true);
    expect(running(host, '/bin/sleep 62')).toEqual([]);
    expect(await leftAfter(host.processes, 5000)).toEqual([]);
    await expect(session.send(['job', 'put', ['k', 'v']])).rejects.toBe(reason);
  });
});

describe('a session', () => {
  test('that does not greet in time is E_SHELL, with what was said', async () => {
    const { session } = await open(['sh', '-c', 'echo This account is currently not available.; exec cat >/dev/null'], {
      startTimeoutMs: 500,
    });
    await expect(session.hello).rejects.toMatchObject({
      code: 'E_SHELL',
      message: expect.stringMatching(
        /did not start our program within 1 s \(connect-timeout\); the output was: "This account is currently not available."/,
      ),
    });
  });

  test('that ends before it greets is E_SHELL, with status and words', async () => {
    const { session } = await open(['sh', '-c', 'echo go away >&2; exit 7']);
    const answer = session.send(['job', 'put', ['k', 'v']]);
    await expect(answer).rejects.toMatchObject({
      code: 'E_SHELL',
      message: expect.stringMatching(/ended with status 7 and did not start our program; the output was: "go away"/),
    });
  });

  test('takes what login scripts print for noise', async () => {
    const { session } = await open(['sh', '-c', 'echo "Welcome!"; printf "no line end"; echo err >&2; exec dash -s']);
    expect((await session.send(['job', 'put', ['k', 'v']])).get('k')).toBe('v');
    expect(session.noise).toBe('Welcome!\nno line end');
  });

  test('ends when the host sends too much', async () => {
    const { host, session } = await open(['dash']);
    const answer = session.send(['job', 'run', ['dd', 'if=/dev/zero', 'bs=1000000', 'count=20']]);
    await expect(answer).rejects.toMatchObject({ code: 'E_TOO_LARGE' });
    expect(await leftAfter(host.processes, 5000)).toEqual([]);
  });

  test('takes one send at a time', async () => {
    const { session } = await open(['dash']);
    const first = session.send(['job', 'put', ['k', 'v']]);
    expect(() => session.send(['job', 'put', ['k', 'v']])).toThrow('a second request before the first was answered');
    await first;
  });
});
