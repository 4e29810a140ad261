import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { identityOf } from '../helpers/host-identity.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { type Ran, type Run, runExample, runJobOfCi } from './act.js';
import { notRun, script } from './tools.js';

// Building act takes minutes: ci.yml does it before (scripts/workflow-tools.sh act), and so may you.
const act = script('workflow-tools.sh', ['--cached', 'act']);
if (act.status === 3) notRun('the examples and the workflows that they call, run by act', act.said);
else if (act.status !== 0) throw new Error(act.said);
else describe('the examples, run by act', examples);

function examples(): void {
  let scene: Scene;
  /** What the scripts of the caller and the commands on the host leave. */
  let marks: string;
  beforeAll(async () => {
    scene = await startScene();
    marks = mkdtempSync(join(tmpdir(), 'dbb-marks-'));
    execFileSync('chown', [scene.user.name, marks]);
  });
  afterAll(async () => {
    await scene?.stop();
    rmSync(marks, { recursive: true, force: true });
  });
  beforeEach(() => {
    for (const path of [scene.directory, marks].filter((one) => existsSync(one))) {
      execFileSync('find', [path, '-mindepth', '1', '-delete']);
    }
  });

  const mark = (name: string) => join(marks, name);
  const sql = (text: string) => execFileSync('sqlite3', [scene.database, text], { encoding: 'utf8' }).trim();
  const manifests = () => scene.files().filter((name) => /^app-.*\.json$|^shop-.*\.json$/.test(name));

  async function run(example: string, given: Partial<Run> = {}): Promise<Ran> {
    const { inputs } = scene;
    const ran = await runExample(act.said, {
      example,
      vars: { DB_HOST: inputs.host ?? '', DB_KNOWN_HOSTS: inputs['known-hosts'] ?? '' },
      secrets: { DB_SSH_KEY: inputs.key ?? '' },
      scripts: { 'deploy.sh': `touch ${mark('deployed')}` },
      ...given,
      changes: {
        [`username: ${example === 'many-databases.yml' ? 'backup' : 'deploy'}\n`]: `username: ${inputs.username}\n      port: ${inputs.port}\n`,
        ...given.changes,
      },
    });
    const lines = inputs.key?.trim().split('\n').slice(1, -1) ?? [];
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines) expect(ran.log).not.toContain(line);
    return ran;
  }

  const OUR_DATABASE = () => ({ '/srv/app/app.db': scene.database });

  test('backup-before-deploy.yml: a verified backup of this commit, then the deploy', async () => {
    const { code, log, sha } = await run('backup-before-deploy.yml', { changes: OUR_DATABASE() });
    expect({ code, log: code === 0 ? '' : log }).toEqual({ code: 0, log: '' });
    expect(existsSync(mark('deployed'))).toBe(true);
    expect(manifests()).toHaveLength(1);
    const manifest = JSON.parse(readFileSync(join(scene.directory, manifests()[0] ?? ''), 'utf8'));
    expect(manifest).toMatchObject({ name: 'app', reason: 'deploy', verified: { level: 'content' }, github: { sha } });
  });

  test('backup-before-deploy.yml: no deploy when the host shows another key', async () => {
    const identity = identityOf(scene.sshd);
    try {
      const { code, log } = await run('backup-before-deploy.yml', {
        changes: OUR_DATABASE(),
        vars: { DB_HOST: '127.0.0.1', DB_KNOWN_HOSTS: `${identity.name} ${identity.foreign.ed25519}\n` },
      });
      expect(code).not.toBe(0);
      expect(log).toContain('E_HOSTKEY');
      expect(existsSync(mark('deployed'))).toBe(false);
      expect(scene.files()).toEqual([]);
    } finally {
      identity.remove();
    }
  });

  const ROLLBACK = () => ({
    'confirm: shop': 'confirm: app.db',
    'sudo systemctl stop shop': 'true',
    'sudo systemctl start shop': `touch ${mark('started')}`,
  });

  const GATE = `::error title=Deploy gate::No verified backup was taken in this attempt (a dry run takes none). Use "Re-run all jobs".`;

  test('backup-before-deploy.yml: "Re-run failed jobs" is red, and deploys nothing by the backup of an earlier attempt', async () => {
    const { code, log } = await run('backup-before-deploy.yml', {
      changes: { ...OUR_DATABASE(), '!= github.run_attempt': "!= '2'" },
    });
    expect(code).not.toBe(0);
    expect(log).toContain(GATE);
    expect([existsSync(mark('deployed')), manifests().length]).toEqual([false, 1]);
  });

  test('deploy-with-rollback.yml: by the backup of an earlier attempt nothing is migrated, and nothing restored', async () => {
    sql('DROP TABLE IF EXISTS half_way');
    const { code, log } = await run('deploy-with-rollback.yml', {
      changes: { ...ROLLBACK(), '!= github.run_attempt': "!= '2'" },
      secrets: { DB_SSH_KEY: scene.inputs.key ?? '', DATABASE_URL: scene.database },
      scripts: {
        'migrate.sh': `sqlite3 ${scene.database} 'CREATE TABLE half_way (x)'`,
        'deploy.sh': `touch ${mark('deployed')}`,
      },
    });
    expect(code).not.toBe(0);
    expect(log).toContain(GATE);
    expect(sql("SELECT count(*) FROM sqlite_master WHERE name = 'half_way'")).toBe('0');
    expect([existsSync(mark('deployed')), existsSync(mark('started')), manifests().length]).toEqual([false, false, 1]);
  });

  test('backup-beside-build.yml: backup, build, gate, deploy; no deploy when the backup says nothing', async () => {
    const scripts = { 'build.sh': `touch ${mark('built')}`, 'deploy.sh': `touch ${mark('deployed')}` };
    const changes = {
      ...OUR_DATABASE(),
      'username: deploy\n': `username: ${scene.inputs.username}\n          port: ${scene.inputs.port}\n`,
    };
    const good = await run('backup-beside-build.yml', { changes, scripts });
    expect({ code: good.code, log: good.code === 0 ? '' : good.log }).toEqual({ code: 0, log: '' });
    expect([existsSync(mark('built')), existsSync(mark('deployed')), manifests().length]).toEqual([true, true, 1]);

    rmSync(mark('deployed'));
    const silent = await run('backup-beside-build.yml', {
      changes: { ...changes, 'id: backup\n': 'id: other\n' },
      scripts,
    });
    expect(silent.code).not.toBe(0);
    expect(silent.log).toContain('::error title=Deploy gate::No verified backup was taken.');
    expect(existsSync(mark('deployed'))).toBe(false);
  });

  test('ci.yml: the called workflows back up, verify and restore what stands in this repository', async () => {
    const fetched = `/home/runner/work/_actions/\${{ github.repository }}/\${{ github.sha }}/__tests__/workflows/host`;
    const [host, live] = [mark('host'), mark('live')];
    cpSync(new URL('host', import.meta.url), host, { recursive: true });
    mkdirSync(live);
    for (const name of readdirSync(join(host, 'backups')).filter((one) => one.endsWith('.json'))) {
      const file = join(host, 'backups', name);
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll('/home/runner/app.db', join(live, 'app.db')));
    }
    const { code, log } = await runJobOfCi(act.said, 'called', {
      [fetched]: host,
      '/home/runner/app.db': join(live, 'app.db'),
    });
    expect({ code, log: code === 0 ? '' : log }).toEqual({ code: 0, log: '' });
    expect(execFileSync('sqlite3', [join(live, 'app.db'), 'SELECT name FROM users'], { encoding: 'utf8' })).toBe(
      'ann\nbob\n',
    );
  });

  test('restore.yml: the form as it stands shows the plan, and restores when the name is typed in', async () => {
    const changes = {
      ...OUR_DATABASE(),
      'sudo systemctl stop app': `touch ${mark('stopped')}`,
      'sudo systemctl start app': `touch ${mark('started')}`,
      'curl -fsS --retry 10 --retry-connrefused http://localhost:8080/health': `test -e ${mark('started')}`,
    };
    expect((await run('backup-before-deploy.yml', { changes: OUR_DATABASE() })).code).toBe(0);
    sql('CREATE TABLE made_later (x)');
    const tables = () => sql("SELECT count(*) FROM sqlite_master WHERE name = 'made_later'");

    const dispatch = { event: 'workflow_dispatch', changes } as const;
    const plan = await run('restore.yml', dispatch);
    expect({ code: plan.code, log: plan.code === 0 ? '' : plan.log }).toEqual({ code: 0, log: '' });
    expect(plan.log).toContain('made_later');
    expect([tables(), existsSync(mark('stopped')), manifests().length]).toEqual(['1', false, 1]);

    const wrong = await run('restore.yml', { ...dispatch, inputs: { confirm: 'other.db', 'dry-run': 'false' } });
    expect(wrong.code).not.toBe(0);
    expect(wrong.log).toContain('E_CONFIRM');
    expect([tables(), existsSync(mark('stopped'))]).toEqual(['1', false]);

    const done = await run('restore.yml', { ...dispatch, inputs: { confirm: 'app.db', 'dry-run': 'false' } });
    expect({ code: done.code, log: done.code === 0 ? '' : done.log }).toEqual({ code: 0, log: '' });
    // the safety backup is the second one
    expect([tables(), existsSync(mark('stopped')), manifests().length]).toEqual(['0', true, 2]);
  });

  test.each([
    ['fails', 'exit 1', '0', false],
    ['succeeds', 'exit 0', '1', true],
  ])('deploy-with-rollback.yml: the migration %s', async (_, end, left, deployed) => {
    sql('DROP TABLE IF EXISTS half_way');
    const { code, log } = await run('deploy-with-rollback.yml', {
      changes: ROLLBACK(),
      secrets: { DB_SSH_KEY: scene.inputs.key ?? '', DATABASE_URL: scene.database },
      scripts: {
        'migrate.sh': `sqlite3 ${scene.database} 'CREATE TABLE half_way (x)'\n${end}`,
        'deploy.sh': `touch ${mark('deployed')}`,
      },
    });
    expect({ green: code === 0, log: (code === 0) === deployed ? '' : log }).toEqual({ green: deployed, log: '' });
    expect(sql("SELECT count(*) FROM sqlite_master WHERE name = 'half_way'")).toBe(left);
    expect([existsSync(mark('deployed')), existsSync(mark('started'))]).toEqual([deployed, !deployed]);
  });

  test.each([
    ['all good', '', 0, ['billing', 'blog', 'shop']],
    ['one not', '.missing', 1, ['billing', 'shop']],
  ])('many-databases.yml: %s', async (_, ending, end, backedUp) => {
    const { code, log } = await run('many-databases.yml', {
      event: 'schedule',
      changes: {
        'db1.example.com': '127.0.0.1',
        'web1.example.com': '127.0.0.1',
        '"postgresql:///shop?host=/var/run/postgresql"': scene.database,
        '"postgresql:///billing?host=/var/run/postgresql"': scene.database,
        '/srv/blog/blog.db': `${scene.database}${ending}`,
        'run-as: postgres': 'run-as: ""',
        'run-as: www-data': 'run-as: ""',
      },
    });
    expect({ code, log: code === end ? '' : log }).toEqual({ code: end, log: '' });
    const done = ['billing', 'blog', 'shop'].filter((name) =>
      readdirSync(join(scene.directory, name)).some((file) => file.startsWith(`${name}-`)),
    );
    expect(done).toEqual(backedUp);
    expect(log.includes('every database has a verified backup')).toBe(end === 0);
  });

  test('nightly.yml keeps the one with a reason; watchdog.yml is red without a backup, and green with it', async () => {
    const changes = OUR_DATABASE();
    const before = await run('watchdog.yml', { event: 'schedule', changes });
    expect(before.code).not.toBe(0);
    expect(before.log).toContain('E_STALE');

    const nightly = await run('nightly.yml', {
      event: 'workflow_dispatch',
      inputs: { pin: 'before the big one' },
      changes: { ...changes, 'FROM users': 'FROM blobs' },
    });
    expect({ code: nightly.code, log: nightly.code === 0 ? '' : nightly.log }).toEqual({ code: 0, log: '' });
    const manifest = JSON.parse(readFileSync(join(scene.directory, manifests()[0] ?? ''), 'utf8'));
    expect(manifest).toMatchObject({ verified: { level: 'restore' }, pinned: { reason: 'before the big one' } });

    const after = await run('watchdog.yml', { event: 'schedule', changes });
    expect({ code: after.code, log: after.code === 0 ? '' : after.log }).toEqual({ code: 0, log: '' });
  });
}
