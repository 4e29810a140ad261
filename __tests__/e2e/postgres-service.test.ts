import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type PostgresContainer, startPostgresContainer } from '../helpers/container.js';
import { refused, succeeded } from '../helpers/outcome.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { workflow } from '../workflows/workflow-files.js';

// A service of compose or swarm: its container has another name after each deploy, and is found by its labels.

const compose = (service: string, more: Record<string, string> = {}) => ({
  'com.docker.compose.project': 'shop',
  'com.docker.compose.service': service,
  ...more,
});
const swarm = (service: string) => ({ 'com.docker.swarm.service.name': service });

let container: PostgresContainer;
let scene: Scene;

beforeAll(async () => {
  container = await startPostgresContainer({
    labels: { ...compose('db', { 'com.docker.compose.oneoff': 'False' }), ...swarm('shop_db') },
  });
  scene = await startScene({
    sshd: { extraConfig: `SetEnv PATH=${container.binDirectory}:/usr/local/bin:/usr/bin:/bin` },
  });
  await container.sql('postgres', 'CREATE DATABASE shop');
  await container.sql('shop', 'CREATE TABLE items (id int); INSERT INTO items SELECT generate_series(1, 100)');
});
afterAll(async () => {
  await scene?.stop();
  await container?.stop();
});

const run = (service: string, more: Record<string, string> = {}) =>
  scene.run({
    container: service,
    database: 'postgresql:///shop?host=/run/postgresql',
    'run-as': 'postgres',
    name: 'shop',
    ...more,
  });

describe('the one container of a service', () => {
  test('is the same database after a deploy: counted, proven, restored', async () => {
    const before = succeeded(await run('compose:shop/db'));
    await container.rename('shop-db-2');
    const after = succeeded(await run('compose:shop/db'));
    const listed = reportOf(await run('compose:shop/db', { command: 'list' }));
    expect(listed.backups).toMatchObject([{ id: after }, { id: before }]);
    expect(scene.manifest(after).identity).toEqual(scene.manifest(before).identity);
    const proof = await run('compose:shop/db', { command: 'verify', backup: before, verify: 'restore' });
    expect(proof.outputs).toMatchObject({ 'error-code': '', 'verified-level': 'restore' });
    await container.sql('shop', 'DELETE FROM items');
    const back = await run('compose:shop/db', { command: 'restore', backup: before, confirm: 'shop' });
    expect(back.outputs).toMatchObject({ 'error-code': '', 'restore-outcome': 'restored' });
    expect(await container.sql('shop', 'SELECT count(*) FROM items')).toBe('100');
  });

  test('is found by the commands that restore by hand, too', async () => {
    const { recovery } = scene.manifest(succeeded(await run('compose:shop/db')));
    const [inner] = /"\$\(docker ps -q [^)]*\)"/.exec(recovery.join('\n')) ?? [];
    const path = `${container.binDirectory}:/usr/bin:/bin`;
    const found = execFileSync('sh', ['-c', `docker exec -i ${inner} cat /etc/hostname`], { env: { PATH: path } });
    expect(found.toString()).toBe(await container.exec(['cat', '/etc/hostname']));
  });

  test('as examples/docker-compose.yml has it, with the URL that the application may have', async () => {
    const { container: service, name } = workflow('examples/docker-compose.yml').jobs.backup?.with ?? {};
    const database = `postgresql://postgres:${container.password}@127.0.0.1:5432/shop`;
    const id = succeeded(await scene.run({ container: String(service), name: String(name), database }));
    expect(scene.manifest(id).content?.tables).toEqual([{ name: 'public.items', rows: 100 }]);
  });

  test('of a swarm', async () => {
    const id = succeeded(await run('swarm:shop_db'));
    expect(scene.manifest(id).recovery.join('\n')).toContain('--filter label=com.docker.swarm.service.name=shop_db)');
  });

  test('whatever runs beside it: another service, another project, a `docker compose run`', async () => {
    const beside = [
      ['shop-web-1', compose('web')],
      ['other-db-1', { ...compose('db'), 'com.docker.compose.project': 'other' }],
      ['shop-db-run-1', compose('db', { 'com.docker.compose.oneoff': 'True' })],
      ['odd-1', compose('a`b` c')],
    ] as const;
    for (const [name, labels] of beside) await container.beside(name, labels);
    try {
      succeeded(await run('compose:shop/db'));
      const message = refused(await run('compose:shop/data'), 'E_SOURCE_MISSING', 'compose project shop');
      expect(message).toContain('these services run on the host: compose:');
      const named = message.match(/compose:[^ ,]+\/\w+/g) ?? [];
      expect(named.toSorted()).toEqual(['compose:other/db', 'compose:shop/db', 'compose:shop/web']);
    } finally {
      for (const [name] of beside) await container.remove(name);
    }
  });
});

test('a container whose image brings the labels is none of the service', async () => {
  await container.besideOfImage('stranger', compose('db'));
  await container.besideOfImage('stranger-alone', { ...compose('db'), 'com.docker.compose.project': 'blog' });
  try {
    succeeded(await run('compose:shop/db'));
    refused(await run('compose:blog/db'), 'E_SOURCE_MISSING', 'no running container of the service db');
  } finally {
    await container.remove('stranger');
    await container.remove('stranger-alone');
  }
});

describe('what fails', () => {
  test('no such service', async () => {
    const message = refused(
      await run('compose:nosuch/db'),
      'E_SOURCE_MISSING',
      'there is no running container of the service db of the compose project nosuch',
    );
    expect(message).toContain('these services run on the host: compose:shop/db');
    refused(
      await run('swarm:shop_web'),
      'E_SOURCE_MISSING',
      'no running container of the swarm service shop_web; these services run on the host: swarm:shop_db',
    );
  });

  test('more than one: nobody can tell which is meant, until one is named', async () => {
    await container.beside('shop-db-3', compose('db'));
    try {
      const message = refused(await run('compose:shop/db'), 'E_SOURCE_INVALID', 'more than one container', 'shop-db-3');
      expect(message).toContain(container.name);
      succeeded(await run(container.name));
    } finally {
      await container.remove('shop-db-3');
    }
  });
});

test('a URL with the name of a service, which the host does not know, says what is missing', async () => {
  const message = refused(
    await scene.run({ database: 'postgresql://app:pw@no-such-service:5432/shop', name: 'shop' }),
    'E_CONNECT',
    'container: compose:PROJECT/no-such-service',
  );
  expect(message).not.toContain('pw@');
});
