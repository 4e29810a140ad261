import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sqlite } from '../../src/engines/sqlite/index.js';
import { programFor } from '../../src/host/program.js';
import { call } from '../../src/host/quoting.js';
import { SWEEP } from '../helpers/sample.js';
import { SHELLS } from '../helpers/shell-host.js';

// The stream that a session sends, cut at any byte: whatever arrives in part must not be executed.

const MARK = '@0123456789abcdef0123456789abcdef';
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-cut-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  stdout: string;
  canary: boolean;
}

/** Feeds a shell with the text and the end of stdin; rejects when it does not end by itself. */
function feed(command: string[], text: string | Buffer, canary: string): Promise<Outcome> {
  const [program = '', ...args] = command;
  const child = spawn(program, [...args, '-s'], { cwd: folder, env: { PATH: process.env.PATH, HOME: folder } });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.resume(); // syntax errors
  child.stdin.on('error', () => {}); // the shell may end at the error
  child.stdin.end(text);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${command.join(' ')} hangs after ${text.length} bytes`));
    }, 15_000);
    child.once('close', () => {
      clearTimeout(timer);
      const touched = existsSync(join(folder, canary));
      if (touched) rmSync(join(folder, canary));
      resolve({ stdout, canary: touched });
    });
  });
}

/** Some of the beginning and of the middle; of the end of the program and of the request every byte, or every third. */
function cuts(program: number, whole: number, step: number): number[] {
  const near = (at: number) =>
    (at <= 150 && at % (SWEEP ? 1 : 6) === 0) ||
    at % Math.ceil(program / (SWEEP ? 240 : 12)) === 0 ||
    (at >= program - 80 && (whole - at) % step === 0);
  return Array.from({ length: whole + 1 }, (_, at) => at).filter(near);
}

test.each(SHELLS)(
  '%s executes nothing of a stream that ends in the middle, and does not hang',
  async (name, command) => {
    const canary = `canary ${name}`;
    const program = programFor({ host: MARK, elsewhere: `${MARK}e` }, sqlite);
    // a value that would do harm on its own
    const request = `{ request 1 ${call('run', ['touch', canary])}; ${call('put', ['k', `'; touch '${canary}'\ntouch '${canary}'\n`])}; }\n`;
    const whole = Buffer.from(program + request);
    const programBytes = Buffer.byteLength(program);
    expect((await feed(command, whole, canary)).canary).toBe(true);

    // bash reads the program byte by byte, each time
    const todo = cuts(programBytes, whole.length - 2, (name.startsWith('bash') ? 3 : 1) * (SWEEP ? 1 : 3));
    expect(todo.length).toBeGreaterThan(SWEEP ? 400 : 50);
    const wrong: string[] = [];
    await Promise.all(
      Array.from({ length: 4 }, async (_, worker) => {
        for (const at of todo.filter((_, index) => index % 4 === worker)) {
          const own = `${canary} ${worker}`;
          const text = whole.subarray(0, at).toString().replaceAll(canary, own);
          const { stdout, canary: touched } = await feed(command, text, own);
          // the program alone greets as soon as its group is closed; before that there is not a word
          const words = at < programBytes - 1 ? stdout !== '' : !stdout.includes(`${MARK} hello 1`);
          if (touched || words)
            wrong.push(`${at} of ${whole.length}: canary ${touched}, ${JSON.stringify(stdout.slice(0, 80))}`);
        }
      }),
    );
    expect(wrong).toEqual([]);
  },
);
