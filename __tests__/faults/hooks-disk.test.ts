import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { expectFailure } from '../helpers/failure.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { unmount } from '../helpers/unmount.js';

/** The backup directory is a small disk of its own, and the sqlite3 of the host says nothing when it is to check a copy. */
let scene: Scene;
let tools: string;
const filler = () => join(scene.directory, 'filler');
const FILL = 'head -c 99999999 /dev/zero >db-backups/filler || true';
const SILENT = (fill: string) => `#!/bin/sh
case "$*" in *quick_check*|*integrity_check*) ${fill}; exit 0 ;; esac
exec /usr/bin/sqlite3 "$@"
`;

beforeAll(async () => {
  tools = mkdtempSync(join(tmpdir(), 'dbb-silent-'));
  chmodSync(tools, 0o755);
  scene = await startScene({
    wal: false,
    sshd: { extraConfig: `SetEnv PATH=${tools}:/usr/local/bin:/usr/bin:/bin` },
  });
  mkdirSync(scene.directory);
  const { uid, gid } = scene.user;
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=20m,uid=${uid},gid=${gid},mode=700`, 'tmpfs', scene.directory]);
});
afterAll(async () => {
  await unmount(scene.directory);
  await scene.stop();
  rmSync(tools, { recursive: true });
});
afterEach(() => {
  rmSync(filler(), { force: true });
  rmSync(join(tools, 'sqlite3'), { force: true });
});

function silent(fill: string): void {
  writeFileSync(join(tools, 'sqlite3'), SILENT(fill));
  chmodSync(join(tools, 'sqlite3'), 0o755);
}

test('how a command ended is known on a full disk as well', async () => {
  const result = await scene.run({ 'before-command': `${FILL}; exit 7` });
  expectFailure(result, 'E_HOOK', 'before-command ended with status 7');
});

test('a check that gives no answer on a full disk is no damage', async () => {
  silent('head -c 99999999 /dev/zero >"$HOME/db-backups/filler" 2>/dev/null');
  const message = expectFailure(await scene.run(), 'E_NOSPACE');
  expect(message).not.toContain('.recover');
});

test('a check that gives no answer where there is room is a failure of the tool', async () => {
  silent(':');
  const message = expectFailure(await scene.run(), 'E_DUMP_FAILED', 'quick_check of the copy gave no answer');
  expect(message).not.toContain('.recover');
});
