import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type PostgresContainer, startPostgresContainer } from './container.js';
import { contentsOf, fillSample } from './postgres-sample.js';
import { leftAfter, processesMentioning } from './processes.js';
import { createUser, type TestUser } from './users.js';

const run = promisify(execFile);

let container: PostgresContainer;
let user: TestUser;

beforeAll(async () => {
  [container, user] = await Promise.all([startPostgresContainer({ without: ['zstd'] }), createUser()]);
});

afterAll(async () => {
  await container.stop();
  await user.remove();
});

test('any user may `docker exec` into it, with input, output and exit status', async () => {
  const program =
    'id -un; hostname; cat /proc/1/comm; for c in pg_dump gzip zstd; do command -v $c; done; echo "$PGDATA"; exit 7';
  const command = `echo '${program}' | docker exec -i ${container.name} sh -s; echo "status $?"`;
  const { stdout } = await run('sh', ['-c', command], {
    uid: user.uid,
    gid: user.gid,
    cwd: '/',
    env: { PATH: `${container.binDirectory}:/usr/bin:/bin`, HOME: user.home },
  });
  const lines = stdout.trim().split('\n');
  expect(lines[0]).toBe('root');
  expect(lines[1]).not.toBe((await run('hostname')).stdout.trim());
  expect(lines[2]).toBe('postgres');
  expect(lines[3]).toMatch(/^\/usr\/lib\/postgresql\/\d+\/bin\/pg_dump$/);
  expect(lines.slice(4)).toEqual(['/usr/bin/gzip', '/var/lib/postgresql/data', 'status 7']);
});

test('its server is its own, and takes the sample', async () => {
  await container.exec(['createdb', '-U', 'postgres', 'x=y']);
  await expect(container.sql('x=y', 'SELECT current_database()')).resolves.toBe('x=y');
  await expect(container.sql('x=y', 'SELECT nothing')).rejects.toThrow('column "nothing" does not exist');
  await fillSample(container, 'sample');
  expect((await contentsOf(container, 'sample')).tables['shop.customers']?.rows).toBe(200);
  const login = (password: string) =>
    container.exec([
      'env',
      `PGPASSWORD=${password}`,
      'psql',
      '-w',
      '-h',
      '127.0.0.1',
      '-U',
      'postgres',
      '-c',
      'SELECT 1',
    ]);
  await expect(login(container.password)).resolves.toContain('1 row');
});

test('output of an exec is byte-exact', async () => {
  const sum = 'head -c 50000000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null';
  const inside = (await container.exec(['sh', '-c', `${sum} | sha256sum`])).trim();
  const outside = `${join(container.binDirectory, 'docker')} exec -i ${container.name} sh -c '${sum}' | sha256sum`;
  expect((await run('sh', ['-c', outside])).stdout.trim()).toBe(inside);
});

test('the end of the client is the end of the input of what it runs', async () => {
  const docker = join(container.binDirectory, 'docker');
  const client = spawn(docker, ['exec', '-i', container.name, 'sh', '-c', 'cat; touch /tmp/ended']);
  const inside = join(container.root, 'tmp/ended');
  await sleep(500);
  expect(existsSync(inside)).toBe(false);
  client.kill('SIGKILL');
  for (const end = Date.now() + 5000; !existsSync(inside) && Date.now() < end; ) await sleep(20);
  expect(existsSync(inside)).toBe(true);
});

test('nothing is left of it', async () => {
  const other = await startPostgresContainer();
  await expect(other.exec(['sh', '-c', 'echo $0 there'])).resolves.toBe('sh there\n');
  await other.stop();
  expect(await leftAfter(() => processesMentioning(other.root.replace(/root$/, '')))).toEqual([]);
  expect(existsSync(other.root)).toBe(false);
  await expect(container.sql('postgres', 'SELECT 1')).resolves.toBe('1');
});
