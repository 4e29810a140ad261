import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { startPostgres } from '../helpers/postgres.js';
import { type Scene, startScene } from '../helpers/scene.js';

// The user or the container in which the database tools run is not trusted with the host: what speaks from there is not the host.

let scene: Scene;
let tools: string;
let canary: string;
beforeAll(async () => {
  tools = mkdtempSync(join(tmpdir(), 'dbb-tools-'));
  chmodSync(tools, 0o755);
  scene = await startScene({ mb: 0.1, sshd: { extraConfig: `SetEnv PATH=${tools}:/usr/local/bin:/usr/bin:/bin` } });
  canary = join(scene.user.home, 'canary');
});
afterAll(async () => {
  await scene?.stop();
  rmSync(tools, { recursive: true, force: true });
});

/** From now on whoever is reached by sudo is this Python; `m` is the word that the lines of the program there begin with. */
function elsewhereSays(...lines: string[]): void {
  const script = `#!/usr/bin/python3
import sys
m = next((line for line in sys.stdin.buffer if line.startswith(b"mark=")), b"").decode().strip()[5:] + " "
if m == " ": sys.exit()
for line in ${JSON.stringify(lines)}: sys.stderr.write(line.replace("@", m) + "\\n")
`;
  writeFileSync(join(tools, 'sudo'), script, { mode: 0o755 });
}

const journal = (id: string): string =>
  JSON.stringify({
    ...{ schema: 1, id, way: 'in-place', target: scene.database, identity: { path: scene.database }, container: null },
    ...{
      backup: id,
      phase: 'swapped',
      safety: null,
      checkCommand: `touch '${canary}'`,
      afterBegun: false,
      checkBegun: false,
    },
    ...{ commandTimeoutMs: 60_000, by: 'nobody' },
  });

test('it can not make the host carry out a command by the tale of a restore that was cut off', async () => {
  const id = 'app-20261120T101500Z-7f3a';
  elsewhereSays(
    ...['@set state restored', `@set resolved ${scene.database}`, `@set journal_file restore-${id}`],
    ...['@begin journal', journal(id), '@end', '@set failure x', '@fail E_UNFINISHED'],
  );
  const result = await scene.run({ 'run-as': 'somebody' });
  expectFailure(result, 'E_INTERNAL', 'sent a message that it must not send ("set journal');
  expect(existsSync(canary)).toBe(false);
});

test('idle-timeout holds there as well', async () => {
  writeFileSync(join(tools, 'sudo'), '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n');
  writeFileSync(
    join(tools, 'sqlite3'),
    '#!/bin/sh\ncase "$*" in *.backup*) sleep 100 ;; esac\nexec /usr/bin/sqlite3 "$@"\n',
    { mode: 0o755 },
  );
  try {
    expectFailure(
      await scene.run({ 'run-as': 'somebody', 'idle-timeout': '6s', timeout: '60s' }),
      'E_TIMEOUT',
      'idle-timeout',
    );
  } finally {
    rmSync(join(tools, 'sqlite3'));
  }
});

test.each([
  ['the end of a request', '@done 1 0'],
  ['the end of the session', '@bye'],
  ['a manifest of the backup directory', '@set manifest app-20261120T101500Z-7f3a.json {}'],
  ['the hash of a backup', `@set sha256 ${'0'.repeat(64)}`],
  ['a deletion', '@set deleted app-20261120T101500Z-7f3a.sqlite'],
  ['what no program tells', '@set unheard_of 1'],
  ['what only another engine tells', '@set pg_bin /tmp/'],
  ['how far the host is', '@progress 1 2 3'],
])('it can not tell of %s', async (_, line) => {
  elsewhereSays(line);
  expectFailure(await scene.run({ 'run-as': 'somebody' }), 'E_INTERNAL', 'sent a message that it must not send');
});

test('PostgreSQL: its word on where pg_restore is makes nobody run another one on the host', async () => {
  const server = await startPostgres();
  try {
    await server.createDatabase('shop');
    await server.sql('shop', 'CREATE TABLE t AS SELECT 1 AS n');
    const database = server.uri({ database: 'shop' });
    const id = expectBackup(await scene.run({ database }));
    const evil = join(tools, 'evil');
    mkdirSync(evil);
    writeFileSync(join(evil, 'pg_restore'), `#!/bin/sh\ntouch '${canary}'\n`, { mode: 0o755 });
    elsewhereSays(`@set pg_bin ${evil}/`);
    expectFailure(
      await scene.run({ database, command: 'restore', backup: id, 'run-as': 'somebody', 'dry-run': 'true' }),
      'E_INTERNAL',
      'found where they are not installed',
    );
    expect(existsSync(canary)).toBe(false);
  } finally {
    await server.remove();
  }
});
