import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Manifest } from '../../src/backups/manifest.js';
import { createMinimalHost, type MinimalHost } from '../helpers/chroot.js';
import { expectBackup } from '../helpers/failure.js';
import { abandonedFolders, nothingLeft, until } from '../helpers/outcome.js';
import { type LoginShells, ownLoginShells, withSh } from '../helpers/posix-sh.js';
import { type Postgres, quoteIdentifier, startPostgres } from '../helpers/postgres.js';
import { drop, loadPayload, recover, startPostgresScene } from '../helpers/postgres-backups.js';
import { contentsOf, fillSample } from '../helpers/postgres-sample.js';
import { leftAfter, processesOfUser } from '../helpers/processes.js';
import { runAction } from '../helpers/run-action.js';
import { sample } from '../helpers/sample.js';
import type { Scene } from '../helpers/scene.js';
import { type Sshd, startSshd } from '../helpers/sshd.js';
import { createUser, type TestUser } from '../helpers/users.js';

const FORMATS = ['custom', 'directory', 'plain'];

let server: Postgres;
let scene: Scene;
beforeAll(async () => {
  server = await startPostgres();
  await fillSample(server, 'shop');
  scene = await startPostgresScene(server, 'shop', { transport: 'ssh' });
});
afterAll(async () => {
  await scene.stop();
  await server.remove();
});

/** The payload holds all of the sample. */
async function expectSample(file: string): Promise<void> {
  await server.createDatabase('copy', 'TEMPLATE template0');
  loadPayload(server, file, 'copy');
  expect(await contentsOf(server, 'copy')).toEqual(await contentsOf(server, 'shop'));
  await drop(server, 'copy');
}

const alive = (user: TestUser) => processesOfUser(user.uid).filter(({ command }) => !command.startsWith('sshd'));

describe('whatever the login shell makes of it', () => {
  const CANARY = 'pwned';
  /** The end closes the quotes of fish. */
  const HOSTILE = `-'q"$(touch ${CANARY})\`touch ${CANARY}\`!!\\'; touch ${CANARY};'\\`;
  let own: LoginShells;
  let hosts: Record<'dash' | 'bash' | 'busybox', Sshd>;
  const users: TestUser[] = [];
  beforeAll(async () => {
    const [dash, bash, busybox] = await Promise.all([
      startSshd({ wrapper: withSh('dash') }),
      startSshd({ wrapper: withSh('bash') }),
      startSshd({ wrapper: withSh('busybox') }),
    ]);
    hosts = { dash, bash, busybox };
    own = ownLoginShells();
    await server.createDatabase(HOSTILE);
    await server.createRole(HOSTILE, HOSTILE, 'SUPERUSER');
    await server.sql(
      HOSTILE,
      `CREATE TABLE kept AS SELECT generate_series(1, 7) AS id; CREATE TABLE ${quoteIdentifier(HOSTILE)} AS SELECT 1 AS one`,
    );
  });
  afterAll(async () => {
    await Promise.all(Object.values(hosts).map((host) => host.stop()));
    for (const user of users) await user.remove();
    own.remove();
  });

  test.each<[shell: string, sh: keyof typeof hosts, format: string]>([
    ['dash', 'dash', 'custom'],
    ['/bin/bash', 'bash', 'custom'],
    ['/usr/bin/fish', 'dash', 'custom'],
    ['/bin/tcsh', 'busybox', 'custom'],
    ['ash', 'busybox', 'directory'],
    ['/bin/bash', 'bash', 'directory'],
    ['/bin/bash', 'busybox', 'plain'],
  ])('the login shell %s, sh is %s: %s', async (shell, sh, format) => {
    const user = await createUser({ shell: shell === 'dash' || shell === 'ash' ? own[shell] : shell });
    users.push(user);
    const host = hosts[sh];
    const result = await runAction({
      ...scene.inputs,
      ...{ port: String(host.port), username: user.name, key: host.clientKey, 'known-hosts': host.knownHosts },
      ...{
        database: server.uri({ user: HOSTILE, password: HOSTILE, database: HOSTILE }),
        directory: HOSTILE,
        name: 'app',
      },
      ...{ 'dump-format': format, 'exclude-table': quoteIdentifier(HOSTILE) },
    });
    const id = expectBackup(result);
    expect(result.annotations).toEqual([]);
    const directory = join(user.home, HOSTILE);
    const manifest = JSON.parse(readFileSync(join(directory, `${id}.json`), 'utf8')) as Manifest;
    expect(manifest.content?.tables).toEqual([{ name: 'public.kept', rows: 7 }]);
    await recover(server, { user, manifest: () => manifest }, id, 'copy', HOSTILE);
    expect(await server.sql('copy', 'SELECT count(*) FROM kept')).toBe('7');
    await drop(server, 'copy');
    const names = [user.home, '/'].flatMap((folder) =>
      readdirSync(folder, { recursive: folder !== '/', encoding: 'utf8' }),
    );
    expect(names.filter((name) => name.split('/').at(-1)?.startsWith(CANARY))).toEqual([]);
    expect(await leftAfter(() => alive(user))).toEqual([]);
  });
});

describe('a host with nothing but busybox and the client tools', () => {
  let host: MinimalHost;
  let sshd: Sshd;
  beforeAll(async () => {
    host = await createMinimalHost();
    sshd = await startSshd(host.sshd);
    for (const tool of ['psql', 'pg_dump', 'pg_dumpall', 'pg_restore']) install(join(server.clientDirectory, tool));
  });
  afterAll(async () => {
    await sshd.stop();
    await host.remove();
  });

  /** Copies a program into the PATH there, with the libraries that it needs. */
  function install(program: string): void {
    copyFileSync(program, host.resolve(join('usr/bin', program.split('/').at(-1) ?? '')));
    for (const file of execFileSync('ldd', [program], { encoding: 'utf8' }).match(/\/\S+/g) ?? []) {
      if (existsSync(host.resolve(file))) continue;
      mkdirSync(dirname(host.resolve(file)), { recursive: true });
      copyFileSync(file, host.resolve(file));
    }
  }

  test.each(
    sample(
      [
        ['directory', '.tar.gz'],
        ['custom', '.dump'],
        ['plain', '.sql.gz'],
      ],
      1,
    ),
  )('%s: a whole backup, and the rotation', async (format, ending) => {
    const inputs = {
      ...scene.inputs,
      ...{ port: String(sshd.port), username: host.user.name, key: sshd.clientKey, 'known-hosts': sshd.knownHosts },
      ...{ 'dump-format': format, keep: '1', name: format },
    };
    expectBackup(await runAction(inputs));
    const result = await runAction(inputs);
    const id = expectBackup(result);
    expect(result.annotations).toEqual([]);
    expect(result.outputs).toMatchObject({ kept: '1', deleted: '1', 'verified-level': 'content' });
    const directory = host.resolve(join(host.user.home, 'db-backups'));
    execFileSync('sha256sum', ['-c', `${id}${ending}.sha256`], { cwd: directory });
    const manifest = JSON.parse(readFileSync(join(directory, `${id}.json`), 'utf8')) as Manifest;
    const rows = manifest.content?.tables.map((table) => table.rows) ?? [];
    expect(rows.length).toBeGreaterThan(10);
    expect(rows).not.toContain(null);
    await expectSample(join(directory, `${id}${ending}`));
    expect(readdirSync(join(directory, '.work'))).toEqual(['holder', 'lock']);
    expect(await leftAfter(() => alive(host.user))).toEqual([]);
  });
});

describe('run-as postgres, who is let in by peer authentication', () => {
  let sudoers: string;
  let inputs: Record<string, string>;
  beforeAll(() => {
    sudoers = `/etc/sudoers.d/${scene.user.name}`;
    mkdirSync('/etc/sudoers.d', { recursive: true });
    const database = `postgresql:///shop?host=${server.socketDirectory}&port=${server.port}`;
    inputs = { database, 'run-as': 'postgres' };
  });
  afterAll(() => rmSync(sudoers, { force: true }));

  const allow = (what: string) =>
    writeFileSync(sudoers, `${scene.user.name} ALL=(postgres) NOPASSWD: ${what}\n`, { mode: 0o440 });

  test.each(sample(FORMATS, 2))(
    '%s, where sudo allows nothing else: the files belong to the login user',
    async (format) => {
      allow('/bin/sh -s, /usr/bin/sh -s');
      const seen = server.log().length;
      const result = await scene.run({ ...inputs, 'dump-format': format });
      const id = expectBackup(result);
      expect(result.annotations).toEqual([]);
      expect(
        new Set(
          server
            .log()
            .slice(seen)
            .match(/connection authorized: user=\S+ database=\S+/g),
        ),
      ).toEqual(new Set(['connection authorized: user=postgres database=shop']));
      const { file } = scene.manifest(id);
      expect(statSync(join(scene.directory, file))).toMatchObject({ uid: scene.user.uid, mode: 0o100600 });
      await expectSample(join(scene.directory, file));
      await nothingLeft(scene);
      // runs of other tests by the same user that were killed are swept by the next one
      const uid = Number(execFileSync('id', ['-u', 'postgres'], { encoding: 'utf8' }));
      const abandoned = abandonedFolders(uid);
      await until(() => !abandonedFolders(uid).some((name) => abandoned.includes(name)), 30_000);
    },
  );

  test.each(sample([...FORMATS].reverse(), 1))(
    '%s: the lines for restoring, typed by the login user',
    async (format) => {
      allow('ALL');
      const id = expectBackup(await scene.run({ ...inputs, 'dump-format': format }));
      const there = new Set(readdirSync('/tmp'));
      await recover(server, scene, id, 'copy');
      expect(await contentsOf(server, 'copy')).toEqual(await contentsOf(server, 'shop'));
      await drop(server, 'copy');
      for (const name of readdirSync('/tmp')) {
        const path = join('/tmp', name);
        if (!there.has(name) && name.startsWith('tmp.') && existsSync(join(path, 'dump')))
          rmSync(path, { recursive: true });
      }
    },
  );
});

test('transport: local, without any input of ssh', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'dbb-local-'));
  for (const format of sample(FORMATS, 1)) {
    const database = server.uri({ database: 'shop' });
    const result = await runAction({ transport: 'local', database, directory, name: format, 'dump-format': format });
    const id = expectBackup(result);
    expect(result.annotations).toEqual([]);
    const manifest = JSON.parse(readFileSync(join(directory, `${id}.json`), 'utf8')) as Manifest;
    await expectSample(join(directory, manifest.file));
  }
  expect(readdirSync(join(directory, '.work'))).toEqual(['holder', 'lock']);
  rmSync(directory, { recursive: true });
});
