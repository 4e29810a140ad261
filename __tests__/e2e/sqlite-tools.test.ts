import { execFileSync } from 'node:child_process';
import { chownSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createMinimalHost, type MinimalHost, withoutCommands } from '../helpers/chroot.js';
import { EXCLUSIVE, holdLock } from '../helpers/lock-holder.js';
import { refused, succeeded, until } from '../helpers/outcome.js';
import { processesOfUser } from '../helpers/processes.js';
import { runAction, startAction } from '../helpers/run-action.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { checkInvariant, createDatabase, restorePayload } from '../helpers/sqlite.js';
import { type Sshd, startSshd } from '../helpers/sshd.js';
import { snapshotCases } from './snapshot-cases.js';

describe('without the sqlite3 tool, Python does the same', () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await startScene({ sshd: { wrapper: withoutCommands(['sqlite3']) } });
  });
  afterAll(() => scene.stop());

  snapshotCases(() => scene, 'sqlite3 (python3 module)', { rounds: 1, mb: 10 });

  test('a missing database is not created', async () => {
    const database = join(dirname(scene.database), 'nothing.db');
    refused(await scene.run({ database }), 'E_SOURCE_MISSING');
    expect(existsSync(database)).toBe(false);
  });

  test('names and text that are not ASCII, a hostile path', async () => {
    const database = join(dirname(scene.database), 'ünï ?#% \'"$(x).db');
    execFileSync('sqlite3', [
      database,
      'CREATE TABLE "tä\n\'b" (x)',
      'CREATE TABLE "" (x)',
      'INSERT INTO "" VALUES (1)',
    ]);
    chownSync(database, scene.user.uid, scene.user.gid);
    const id = succeeded(await scene.run({ database, name: 'u' }));
    expect(scene.manifest(id).content?.tables).toEqual([
      { name: '', rows: 1 },
      { name: "tä\n'b", rows: 0 },
    ]);
  });
});

describe('without both', () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await startScene({ sshd: { wrapper: withoutCommands(['sqlite3', 'python3']) } });
  });
  afterAll(() => scene.stop());

  test('E_TOOL_MISSING with the line that installs it', async () => {
    const message = refused(await scene.run(), 'E_TOOL_MISSING');
    expect(message).toMatch(/sqlite3 is not installed on .*neither is Python 3 with its sqlite3 module/);
    expect(message).toContain('sudo apt-get install -y sqlite3');
    expect(scene.files()).toEqual(['status.json']);
  });
});

describe('a host with nothing but busybox', () => {
  let host: MinimalHost;
  let sshd: Sshd;
  let inputs: Record<string, string>;
  let database: string;
  const directory = () => host.resolve(join(host.user.home, 'db-backups'));
  beforeAll(async () => {
    host = await createMinimalHost();
    sshd = await startSshd(host.sshd);
    mkdirSync(host.resolve('srv'));
    chownSync(host.resolve('srv'), host.user.uid, host.user.gid);
    database = host.resolve('srv/app.db');
    await createDatabase(database, { mb: 4, wal: false, owner: host.user.name });
    inputs = {
      host: '127.0.0.1',
      port: String(sshd.port),
      username: host.user.name,
      key: sshd.clientKey,
      'known-hosts': sshd.knownHosts,
      database: '/srv/app.db',
    };
  });
  afterAll(async () => {
    await sshd.stop();
    await host.remove();
  });

  test('E_TOOL_MISSING with the line of that distribution', async () => {
    expect(refused(await runAction(inputs), 'E_TOOL_MISSING')).toContain('apk add sqlite');
  });

  describe('and the sqlite3 tool', () => {
    beforeAll(() => install('/usr/bin/sqlite3'));

    /** Copies a program with the libraries that it needs. */
    function install(program: string): void {
      const libraries = execFileSync('ldd', [program], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
      for (const file of [program, ...libraries]) {
        mkdirSync(dirname(host.resolve(file)), { recursive: true });
        copyFileSync(file, host.resolve(file));
      }
      if (!existsSync(host.resolve('bin/sqlite3'))) symlinkSync(program, host.resolve('bin/sqlite3'));
    }

    test('a whole backup, with gzip, and rotation', async () => {
      const first = succeeded(await runAction({ ...inputs, keep: '1' }));
      const result = await runAction({ ...inputs, keep: '1' });
      const id = succeeded(result);
      expect(id).not.toBe(first);
      expect(result.outputs).toMatchObject({ kept: '1', deleted: '1', 'verified-level': 'content' });
      const file = join(directory(), `${id}.sqlite.gz`);
      execFileSync('sha256sum', ['-c', `${file}.sha256`], { cwd: directory() });
      await restorePayload(file, join(sshd.dir, 'copy.db'));
      await checkInvariant(join(sshd.dir, 'copy.db'));
      const manifest = JSON.parse(readFileSync(join(directory(), `${id}.json`), 'utf8'));
      expect(manifest.tools).toEqual({
        sqlite3: expect.stringMatching(/^3\./),
        gzip: expect.stringMatching(/^BusyBox v/),
      });
      expect(readdirSync(join(directory(), '.work'))).toEqual(['holder', 'lock']);
    });

    test('without flock the lock holds as well: E_LOCKED, also after a holder that was killed', async () => {
      await using lock = await holdLock(database, EXCLUSIVE);
      const holder = startAction(inputs);
      const copying = () =>
        processesOfUser(host.user.uid).filter(
          ({ command }) => command.includes('.backup') && !command.includes('busybox'),
        );
      await until(() => copying().length > 0);
      const message = refused(await runAction({ ...inputs, 'lock-wait': '1s' }), 'E_LOCKED');
      expect(message).toMatch(/another run holds the lock .*backup app-\d{8}T\d{6}Z-[0-9a-f]{4} of .*since 20/);

      holder.kill('SIGKILL');
      await until(() => processesOfUser(host.user.uid).length === 0);
      expect((await holder.result()).outputs['backup-ok']).not.toBe('true');
      await lock.release();
      succeeded(await runAction({ ...inputs, 'lock-wait': '1s' }));
      expect(readdirSync(join(directory(), '.work'))).toEqual(['holder', 'lock']);
    });

    test('a run that failed frees the lock', async () => {
      refused(await runAction({ ...inputs, database: '/srv/no.db', name: 'app' }), 'E_SOURCE_MISSING');
      succeeded(await runAction({ ...inputs, 'lock-wait': '1s' }));
    });
  });
});
