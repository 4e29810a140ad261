import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { commandLine } from '../helpers/command-line.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const textOf = (path: string) => readFileSync(join(root, path), 'utf8');

const { status, stdout, stderr } = spawnSync('sh', [join(root, 'scripts/hadolint.sh')], { encoding: 'utf8' });
const hadolint = status === 0 ? stdout.trim() : null;

(hadolint === null ? test.skip : test)(
  `${hadolint === null ? `NOT RUN: ${stderr.trim()}: ` : ''}hadolint has nothing against the Dockerfile`,
  () => {
    const said = spawnSync(hadolint ?? '', ['--no-color', join(root, 'Dockerfile')], { encoding: 'utf8' });
    expect(said.stdout + said.stderr).toBe('');
    expect(said.status).toBe(0);
  },
);

test('the image has the bundle alone of this repository, a user who is not root, and every client that the docs name', () => {
  const dockerfile = textOf('Dockerfile');
  expect(dockerfile.match(/^COPY .*$/gm)).toEqual(['COPY dist /usr/local/lib/db-backup']);
  expect(dockerfile).toMatch(/^USER 1000$/m);
  expect(dockerfile).toContain('POSTGRES_VERSIONS="15 16 17 18"');
  expect(textOf('docs/container.md')).toContain('PostgreSQL 15 to 18');
  expect(
    textOf('.dockerignore')
      .split('\n')
      .filter((line) => /^[^#]/.test(line)),
  ).toEqual(['*', '!dist']);
});

test('the compose example starts what there is, with files that are there', async () => {
  const { services, secrets, configs, volumes } = parse(textOf('examples/compose/compose.yml'));
  expect(configs.backup.file).toBe('./db-backup.yml');
  const { backup } = services;
  for (const one of backup.secrets) expect(Object.keys(secrets)).toContain(one);
  for (const one of backup.volumes) expect(Object.keys(volumes)).toContain(one.split(':')[0]);
  expect(backup.configs).toEqual([{ source: 'backup', target: '/etc/db-backup/db-backup.yml' }]);

  const folder = mkdtempSync(join(tmpdir(), 'dbb-compose-'));
  try {
    const config = join(folder, 'db-backup.yml');
    cpSync(join(root, 'examples/compose/db-backup.yml'), config);
    // all is right but the secret, which is not here
    const there = await commandLine(['backup', '--config', config]);
    expect(there.code).toBe(2);
    expect(there.stderr.match(/ERROR .*/g)).toEqual([
      expect.stringMatching(/^ERROR E_INPUT: database-password: \/run\/secrets\/db_password cannot be read: ENOENT\./),
    ]);
    // and with what stands in comments
    writeFileSync(config, readFileSync(config, 'utf8').replace(/^( +)# (s3-)/gm, '$1$2'));
    const all = await commandLine(['backup', '--config', config]);
    expect(all.stderr.match(/\S+: \/run\/secrets\/\S+ cannot be read/g)).toHaveLength(3);
    // what the service is started with is a command line
    for (const name of ['db_password', 's3_key_id', 's3_secret']) writeFileSync(join(folder, name), 'secret-text\n');
    writeFileSync(config, readFileSync(config, 'utf8').replaceAll('/run/secrets/', `${folder}/`));
    const schedule = await commandLine([...backup.command, '--config', config, '--dry-run'], {
      env: { TZ: backup.environment.TZ },
    });
    expect([schedule.code, schedule.stderr]).toEqual([0, expect.not.stringContaining('WARN')]);
    const times = [...schedule.stderr.matchAll(/INFO {2}(\w+: .*); next /g)].map(([, job]) => job);
    expect(times).toEqual(['backup: daily 03:15', 'verify: weekly sunday 04:15', 'health: daily 08:00']);
    const docs = textOf('docs/container.md').replace(/\s+/g, ' ');
    expect(docs).toContain(
      'a backup every day at 03:15, a verify run on Sundays at 04:15, a health check every day at 08:00',
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
