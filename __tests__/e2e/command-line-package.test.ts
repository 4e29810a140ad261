import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { NODE } from '../helpers/command-line.js';
import { createDatabase } from '../helpers/sqlite.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** As npm publishes and installs it: nothing of the repository is there but what is in the tarball, and there is no network. */
let folder: string;
let env: NodeJS.ProcessEnv;
let packed: { files: { path: string }[]; unpackedSize: number };
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-package-'));
  env = {
    PATH: `${dirname(NODE)}:${process.env.PATH}`,
    HOME: folder,
    npm_config_offline: 'true',
    npm_config_update_notifier: 'false',
  };
  const said = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: repository,
    encoding: 'utf8',
    env,
  });
  [packed] = JSON.parse(said);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
  execFileSync('npm', ['install', `./${tarball}`, '--prefix', folder, '--no-audit', '--no-fund'], { cwd: folder, env });
  await createDatabase(join(folder, 'app.db'), { mb: 1 });
});
afterAll(() => rmSync(folder, { recursive: true }));

const run = (...args: string[]) => spawnSync('npx', ['db-backup', ...args], { cwd: folder, env, encoding: 'utf8' });
const local = ['--database', 'app.db', '--directory', 'backups', '--transport', 'local'];

test('the package is what is needed, and needs no other', () => {
  expect(readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([
    'db-backup-action',
  ]);
  const others = packed.files.map(({ path }) => path).filter((path) => !path.startsWith('dist/'));
  expect(others.sort()).toEqual(['LICENSE', 'README.md', 'docs/db-backup.1', 'package.json']);
});

test('installed into an empty folder, it backs up, lists, verifies and restores', () => {
  const here = local.map((word) => (word === 'app.db' || word === 'backups' ? join(folder, word) : word));
  const backup = run('backup', ...here);
  expect(backup.stderr).toContain('✅ Backup app-');
  expect(backup.status).toBe(0);
  const list = run('list', ...here, '--json');
  const [{ id }] = JSON.parse(list.stdout).backups;
  expect(run('verify', id, '--verify', 'restore', ...here).status).toBe(0);
  const restored = run('restore', id, '--confirm', 'app.db', ...here);
  expect(restored.stderr).toContain('✅ Restored');
  expect(restored.status).toBe(0);
});

test('what it has besides is there as well', async () => {
  const here = local.map((word) => (word === 'app.db' || word === 'backups' ? join(folder, word) : word));
  run('backup', ...here);
  const latest = run('latest', ...here).stdout.trim();
  expect(run('show', latest, ...here).stdout).toContain(latest);
  const rows = run('extract', latest, '--table', 'a', '--format', 'csv', ...here);
  expect([rows.status, rows.stdout.slice(0, 5)]).toEqual([0, 'id,v\n']);
  const config = join(folder, 'db-backup.yml');
  writeFileSync(config, `databases: { app: { transport: local, database: ${join(folder, 'app.db')} } }`);
  expect(run('schedule', 'run', '--dry-run', '--config', config).stderr).toContain('backup: daily ');
  const server = spawn('npx', ['db-backup', 'serve', '--port', '0', '--config', config], {
    cwd: folder,
    env: { ...env, DB_BACKUP_TOKEN: 't'.repeat(32) },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  try {
    const port = await new Promise<string>((resolve, reject) => {
      let said = '';
      server.on('close', () => reject(new Error(said)));
      server.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        const [, found] = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(said) ?? [];
        if (found !== undefined) resolve(found);
      });
    });
    const answer = await fetch(`http://127.0.0.1:${port}/api/database/backups`, {
      headers: { authorization: `Bearer ${'t'.repeat(32)}` },
    });
    expect(answer.status).toBe(200);
  } finally {
    if (server.pid !== undefined) process.kill(-server.pid, 'SIGTERM');
  }
});

test('what is loaded when it is needed is there as well', () => {
  expect(run('backup', '--help').stdout).toContain('--before-command <value>'); // action.yml, and yaml
  expect(run('completion', 'bash').stdout).toContain('complete ');
  const store = { DB_BACKUP_S3_ACCESS_KEY_ID: 'a', DB_BACKUP_S3_SECRET_ACCESS_KEY: 'hunter22' };
  const s3 = spawnSync(
    'npx',
    ['db-backup', 'backup', ...local, '--s3-bucket', 'bucket', '--s3-endpoint', 'https://127.0.0.1:1'],
    {
      cwd: folder,
      env: { ...env, ...store },
      encoding: 'utf8',
    },
  );
  expect(s3.stderr).toMatch(/E_OFFSITE|E_S3|E_STORE/);
  expect(s3.stderr).not.toContain('hunter22');
  expect(s3.status).toBe(1);
});
