import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { EXCLUSIVE, holdLock } from '../helpers/lock-holder.js';
import { backupsIn, committedState, nothingLeft, refused, stateOf, succeeded, until } from '../helpers/outcome.js';
import { sample } from '../helpers/sample.js';
import { type Scene, startScene } from '../helpers/scene.js';

let scene: Scene;
/** Comes first in the PATH of the host; empty but for the tool that a test puts there. */
let tools: string;
let before: Record<string, string>;
beforeAll(async () => {
  tools = mkdtempSync(join(tmpdir(), 'dbb-tools-'));
  chmodSync(tools, 0o755);
  scene = await startScene({ mb: 4, wal: false, sshd: { extraConfig: `SetEnv PATH=${tools}:/usr/bin:/bin` } });
  succeeded(await scene.run());
  before = backupsIn(scene.directory);
});
afterAll(async () => {
  await scene.stop();
  rmSync(tools, { recursive: true });
});

async function nothingKept(): Promise<void> {
  expect(backupsIn(scene.directory)).toEqual(before);
  await nothingLeft(scene);
}

describe('a stage that is killed in the middle', () => {
  test.each(
    sample<[string, RegExp]>(
      [
        ['sqlite3', /killed by signal 9/],
        ['the shell of sqlite3', /exit status of source.*: 137 /],
        ['tee', /exit status/],
        ['zstd', /exit status/],
        ['cat', /exit status/],
        ['sha256sum', /exit status/],
        ['wc', /exit status/],
      ],
      4,
    ),
  )('%s: no success, nothing left', async (tool, says) => {
    const live = stateOf(scene.database);
    await using lock = await holdLock(scene.database, EXCLUSIVE);
    const action = scene.start();
    const running = (name: string) => scene.processes().filter(({ command }) => command.startsWith(name));
    const stages = { wc: 1, sha256sum: 1, tee: 1, zstd: 1, cat: 1 };
    // All stages wait for the first byte, and the first one for the lock.
    await until(() => running('sqlite3').some(({ command }) => command.includes('.backup')));
    await until(() => Object.entries(stages).every(([name, count]) => running(name).length === count));
    const [copying] = running('sqlite3');
    const pid = tool === 'the shell of sqlite3' ? copying?.ppid : running(tool)[0]?.pid;
    process.kill(pid ?? Number.NaN, 'SIGKILL');
    // The last processes of the copy wait for the lock; they must not outlive their shell.
    if (tool !== 'the shell of sqlite3') await lock.release();
    const message = refused(await action.result(), 'E_DUMP_FAILED');
    expect(message).toMatch(says);
    expect(message).toMatch(/no proven copy of .*Nothing was kept, nothing was rotated/);
    expect(stateOf(scene.database)).toEqual(live);
    await nothingKept();
  });

  test('and the next run works', async () => {
    await committedState(scene, succeeded(await scene.run()));
    before = backupsIn(scene.directory);
  });
});

describe('a compressor that fails or lies', () => {
  const CASES: [what: string, script: string, code: string, says: RegExp][] = [
    [
      'is killed while it unpacks',
      `case " $* " in *' -d '*) kill -KILL $$ ;; *) exec /usr/bin/zstd "$@" ;; esac`,
      'E_CHECKSUM',
      /reading the backup back failed; exit status/,
    ],
    [
      'changes a byte',
      `case " $* " in *' -d '* | *version*) exec /usr/bin/zstd "$@" ;; *) tr '\\001' '\\002' | /usr/bin/zstd "$@" ;; esac`,
      'E_CHECKSUM',
      /the backup does not decompress to what was written: .* differ/,
    ],
    [
      'swallows the end and says that all is well',
      `case " $* " in *' -d '* | *version*) exec /usr/bin/zstd "$@" ;; *) { head -c 1000000; cat >/dev/null; } | /usr/bin/zstd "$@" ;; esac`,
      'E_CHECKSUM',
      /does not decompress to what was written/,
    ],
    [
      'ends with an error after all its output',
      `case " $* " in *' -d '* | *version*) exec /usr/bin/zstd "$@" ;; *) /usr/bin/zstd "$@"; echo 'no memory' >&2; exit 3 ;; esac`,
      'E_DUMP_FAILED',
      /: 0 3 0 0 .*no memory/s,
    ],
  ];
  test.each(CASES)('%s', async (_, script, code, says) => {
    writeFileSync(join(tools, 'zstd'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    try {
      expect(refused(await scene.run(), code)).toMatch(says);
    } finally {
      rmSync(join(tools, 'zstd'));
    }
    await nothingKept();
  });
});
