import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { refused, succeeded } from '../helpers/outcome.js';
import { type PhysicalScene, startPhysicalScene } from '../helpers/physical-scene.js';
import { reportOf } from '../helpers/scene.js';

// Backups of a whole cluster by pgBackRest: taken, proven, listed, kept and removed. Restores are in physical-restore.test.ts.

let scene: PhysicalScene;
beforeAll(async () => {
  scene = await startPhysicalScene({ section: { 'archive-timeout': '5' } });
}, 120_000);
afterAll(() => scene?.stop());

/** What opens no gate, and went well. */
function fine(result: Parameters<typeof reportOf>[0]): void {
  expect([result.code, reportOf(result).errorCode]).toEqual([0, '']);
}

const labels = async (): Promise<string[]> =>
  JSON.parse(await scene.physical.backrest('info', '--output=json', '--log-level-console=off'))[0].backup.map(
    ({ label }: { label: string }) => label,
  );

const manifests = (): string[] => scene.files().filter((file) => file !== 'status.json');

async function backup(inputs: Record<string, string> = {}) {
  const result = await scene.run(inputs);
  succeeded(result);
  const report = reportOf(result);
  return { result, report, id: report.backup?.id ?? '', label: report.backup?.set?.label ?? '' };
}

test('a dry run says what would be copied, and copies nothing', async () => {
  const result = await scene.run({ 'dry-run': 'true' });
  fine(result);
  expect(result.visible).toMatch(/the whole cluster of PostgreSQL 1\d\S* .*with pgBackRest 2\.\d+/);
  expect(await labels()).toEqual([]);
  expect(manifests()).toEqual([]);
});

test('the first is full, the next holds what has changed; each has a manifest, and the window is told', async () => {
  const full = await backup();
  expect(full.label).toMatch(/^\d{8}-\d{6}F$/);
  const incr = await backup();
  expect(incr.label).toMatch(new RegExp(`^${full.label}_\\d{8}-\\d{6}I$`));
  expect(await labels()).toEqual([full.label, incr.label]);
  expect(manifests()).toEqual([`${full.id}.json`, `${incr.id}.json`]);

  const manifest = scene.manifest(incr.id);
  expect(manifest).toMatchObject({
    engine: 'pgbackrest',
    kind: 'incr',
    file: `${scene.physical.stanza}/${incr.label}`,
  });
  expect(manifest.set).toMatchObject({ repository: scene.physical.stanza, label: incr.label, needs: [full.label] });
  expect(manifest.identity).toEqual({ stanza: scene.physical.stanza, cluster: expect.stringMatching(/^\d+$/) });
  expect(manifest.verified.level).toBe('content');
  expect(manifest.bytes).toBeLessThan(scene.manifest(full.id).bytes);

  const { report, result } = incr;
  expect(report.backup?.set).toMatchObject({ kind: 'incr', needs: 1, log: { from: manifest.set?.log.from } });
  expect(report.window?.spans).toHaveLength(1);
  expect(report.window?.gaps).toEqual([]);
  expect(result.summary).toContain('| Recovery | any moment from **');
  expect(report.retention.map(({ reasons }) => reasons)).toEqual([[`needs ${full.id}, which stays`], ['last 1 of 5']]);
});

test('one that somebody else has made is listed, counts for nothing, and counts once it was verified', async () => {
  await scene.physical.backrest(
    'backup',
    '--type=incr',
    '--no-expire-auto',
    '--log-level-console=off',
    '--log-level-stderr=off',
  );
  const label = (await labels()).at(-1);
  const list = reportOf(await scene.run({ command: 'list' }));
  const foreign = list.backups.find(({ set }) => set?.label === label);
  expect(foreign).toMatchObject({ state: 'unverified', detail: 'this action neither made nor verified it' });
  expect(list.latest).not.toBe(foreign?.id);

  const verified = await scene.run({ command: 'verify', backup: foreign?.id ?? '' });
  fine(verified);
  const after = reportOf(await scene.run({ command: 'list' }));
  expect(after.latest).toBe(foreign?.id);
  expect(after.backups.find(({ id }) => id === foreign?.id)).toMatchObject({ state: 'ok', verifiedLevel: 'content' });
});

describe('retention', () => {
  test('a full one that others need is not deleted by itself', async () => {
    const [full] = await labels();
    const { id } = reportOf(await scene.run({ command: 'list' })).backups.find(({ set }) => set?.label === full) ?? {};
    const message = refused(await scene.run({ command: 'delete', backup: id ?? '' }), 'E_POLICY');
    expect(message).toContain(`cannot be restored without ${id}`);
    expect(await labels()).toHaveLength(3);
  });

  test('the last of a chain is, and its set with it', async () => {
    const last = reportOf(await scene.run({ command: 'list' })).backups[0];
    fine(await scene.run({ command: 'delete', backup: last?.id ?? '' }));
    expect(await labels()).not.toContain(last?.set?.label);
    expect(manifests()).toHaveLength(2);
  });

  test('a pinned one keeps those that it needs; then the chain goes as a whole, with its WAL', async () => {
    const [full, incr] = manifests().map((file) => file.replace('.json', ''));
    fine(await scene.run({ command: 'pin', backup: incr ?? '', pin: 'before 3.0' }));
    const kept = await backup({ 'backup-type': 'full', keep: '1', 'keep-made-under': 'false' });
    expect(kept.report.deleted).toBe(0);
    expect(kept.report.retention.find(({ id }) => id === full)?.reasons).toEqual([
      `${incr}, which needs it, is pinned: before 3.0`,
    ]);

    fine(await scene.run({ command: 'unpin', backup: incr ?? '' }));
    const plan = reportOf(
      await scene.run({ command: 'prune', keep: '1', 'keep-made-under': 'false', 'dry-run': 'true' }),
    );
    expect(plan.retention.filter(({ keep }) => !keep).map(({ id }) => id)).toEqual([incr, full]);
    expect(await labels()).toHaveLength(3);

    const pruned = await scene.run({ command: 'prune', keep: '1', 'keep-made-under': 'false' });
    fine(pruned);
    expect(reportOf(pruned).deletedIds.toSorted()).toEqual([full, incr].toSorted());
    expect(await labels()).toEqual([kept.label]);
    expect(manifests()).toEqual([`${kept.id}.json`]);
    const first = scene.manifest(kept.id).set?.log.from ?? '';
    const wal = await scene.physical.backrest(
      'repo-ls',
      '--recurse',
      '--filter=/[0-9A-F]{24}-',
      `archive/${scene.physical.stanza}`,
    );
    const segments = [...wal.matchAll(/\/([0-9A-F]{24})-/g)].map(([, name = '']) => name);
    expect(segments.length).toBeGreaterThan(0);
    expect(segments.filter((name) => name < first)).toEqual([]);
  });

  test('a backup itself removes what is too many, once it is there', async () => {
    const [before] = await labels();
    const made = await backup({ 'backup-type': 'full', keep: '1', 'keep-made-under': 'false' });
    expect(before).not.toBe(made.label);
    expect(made.report.deleted).toBe(1);
    expect(await labels()).toEqual([made.label]);
    expect(manifests()).toEqual([`${made.id}.json`]);
    expect(scene.leftovers()).toEqual([]);
  });

  test('pgbackrest.conf has no say in it: its own retention removes nothing', async () => {
    const conf = `/etc/pgbackrest/conf.d/${scene.physical.stanza}.conf`;
    const text = readFileSync(conf, 'utf8');
    writeFileSync(conf, `${text}repo1-retention-full=1\n`);
    try {
      await backup({ 'backup-type': 'full' });
      expect(await labels()).toHaveLength(2);
    } finally {
      writeFileSync(conf, text);
    }
  });

  test('the last verified one stays', async () => {
    const ids = manifests().map((file) => file.replace('.json', ''));
    fine(await scene.run({ command: 'delete', backup: ids[0] ?? '' }));
    expect(refused(await scene.run({ command: 'delete', backup: ids[1] ?? '' }), 'E_POLICY')).toContain(
      'the last verified backup',
    );
  });
});

test('what the repository has lost is told, and its manifest can be deleted', async () => {
  const lost = await backup({ 'backup-type': 'diff' });
  await scene.physical.backrest('expire', `--set=${lost.label}`, '--log-level-console=off', '--log-level-stderr=off');
  const list = await scene.run({ command: 'list' });
  expect(list.visible).toContain(
    `E_CHECKSUM: ${lost.id} is lost: the repository does not have the set ${lost.label} any more`,
  );
  expect(reportOf(list).backups.find(({ id }) => id === lost.id)?.state).toBe('damaged');
  fine(await scene.run({ command: 'delete', backup: lost.id }));
  expect(manifests()).toHaveLength(1);
});

describe('what is not whole is found', () => {
  /** The files of the newest set in the repository. */
  const filesOf = (label: string, name: RegExp): string[] => {
    const folder = join(scene.physical.repository, 'backup', scene.physical.stanza, label);
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => name.test(file))
      .map((file) => join(folder, file));
  };

  test('another list of files, a damaged file, a missing one', async () => {
    const made = await backup({ 'backup-type': 'full' });
    const verify = () => scene.run({ command: 'verify', backup: made.id, 'max-age': 'none' });
    fine(await verify());
    const list = join(scene.physical.repository, 'backup', scene.physical.stanza, made.label, 'backup.manifest');
    const text = readFileSync(list, 'utf8');
    writeFileSync(list, text.replace('backup-type="full"', 'backup-type="full" '));
    expect(refused(await verify(), 'E_CHECKSUM')).toContain(made.label);
    writeFileSync(list, text);

    const [file = ''] = filesOf(made.label, /pg_data\/base\/\d+\/1247\.zst$/);
    const bytes = readFileSync(file);
    writeFileSync(file, Buffer.concat([bytes.subarray(0, -4), Buffer.from('oops')]));
    expect(refused(await verify(), 'E_CHECKSUM')).toMatch(/did not find .* whole/);
    const listed = reportOf(await scene.run({ command: 'list' }));
    expect(listed.backups.find(({ id }) => id === made.id)?.state).toBe('unverified');
    writeFileSync(file, bytes);
    fine(await verify());
    rmSync(file);
    expect(refused(await verify(), 'E_CHECKSUM')).toMatch(/did not find .* whole/);
    writeFileSync(file, bytes);
  });
});

describe('what keeps a backup from being made', () => {
  test('no such stanza', async () => {
    const message = refused(await scene.run({ stanza: 'nobody', name: 'main' }), 'E_SOURCE_MISSING');
    expect(message).toContain('pgbackrest.conf does not describe the stanza nobody completely');
  });

  test('another user than the owner of the cluster', async () => {
    const message = refused(await scene.run({ 'run-as': '' }), 'E_PERM');
    expect(message).toMatch(/`run-as: postgres`/);
  });

  test('root, whose files in the repository would lock the server out', async () => {
    const sudoers = `/etc/sudoers.d/${scene.user.name}-root`;
    writeFileSync(sudoers, `${scene.user.name} ALL=(root) NOPASSWD: /bin/sh -s, /usr/bin/sh -s\n`, { mode: 0o440 });
    try {
      const message = refused(await scene.run({ 'run-as': 'root' }), 'E_PERM');
      expect(message).toContain('pgBackRest would run as root');
      expect(message).toContain('`run-as: postgres`');
    } finally {
      rmSync(sudoers);
    }
  });

  test('a repository that cannot be written: what there was stays, and the next one is made when it can', async () => {
    const { repository } = scene.physical;
    const before = await labels();
    execFileSync('mount', ['--bind', repository, repository]);
    execFileSync('mount', ['-o', 'remount,bind,ro', repository]);
    try {
      expect(refused(await scene.run({}), 'E_ARCHIVE')).toMatch(/Read-only file system/);
    } finally {
      execFileSync('umount', [repository]);
    }
    expect(await labels()).toEqual(before);
    await backup();
  });

  test('the server of another cluster', async () => {
    const { host, port } = { host: scene.physical.server.socketDirectory, port: scene.physical.server.port };
    const message = refused(
      await scene.run({ database: `postgresql://postgres@/postgres?host=${host}&port=${port + 1}` }),
      'E_CONNECT',
    );
    expect(message).toContain('could not be reached');
  });

  test('an archive that does not work: with what the server said of it', async () => {
    await scene.physical.sql(
      "ALTER SYSTEM SET archive_command = 'echo no room for %f >&2; false pgbackrest'; SELECT pg_reload_conf()",
    );
    try {
      const before = await labels();
      const message = refused(await scene.run({}), 'E_ARCHIVE');
      expect(message).toMatch(/no WAL reached the repository: no room for .*archive command failed with exit code 1/s);
      expect(await labels()).toEqual(before);
    } finally {
      await scene.physical.sql('ALTER SYSTEM RESET archive_command; SELECT pg_reload_conf()');
    }
  });

  test('another pgBackRest at work', async () => {
    const lock = scene.physical.backrest(
      'backup',
      '--type=full',
      '--no-expire-auto',
      '--log-level-console=off',
      '--log-level-stderr=off',
    );
    const result = await scene.run({ 'lock-wait': '1s' });
    await lock;
    const report = reportOf(result);
    // the other one may have been through already
    if (!report.ok) expect(report.errorCode).toBe('E_LOCKED');
    // what comes after needs a newest one that is verified, whichever of both ended later
    await backup();
  });
});

describe('doctor and health', () => {
  test('doctor changes nothing, and prints the settings for this host', async () => {
    const before = await scene.physical.sql('SELECT archived_count FROM pg_stat_archiver');
    const result = await scene.run({ command: 'doctor' });
    const report = reportOf(result);
    const row = (what: string) => report.checked.find((one) => one.what === what);
    expect(row('Database')).toMatchObject({
      level: 'ok',
      found: expect.stringMatching(/^the whole cluster of PostgreSQL/),
    });
    // archive_timeout is 0 there
    expect(row('WAL archive')).toMatchObject({
      level: 'warning',
      found: expect.stringContaining('archive_timeout is 0'),
    });
    expect(row('Restore')?.found).toMatch(/into .*: restored beside/);
    const texts = report.setUp.map(({ text }) => text).join('\n');
    expect(texts).toContain(`pg1-path=${scene.physical.dataDirectory}`);
    expect(texts).toContain(`archive_command = 'pgbackrest --stanza=${scene.physical.stanza} archive-push %p'`);
    expect(texts).toContain('repo1-cipher-type=aes-256-cbc');
    expect(await scene.physical.sql('SELECT archived_count FROM pg_stat_archiver')).toBe(before);
  });

  test('doctor prints them as well where there is no stanza yet', async () => {
    const result = await scene.run({ command: 'doctor', stanza: 'nobody' });
    const report = reportOf(result);
    expect(report.checked.find(({ what }) => what === 'Database')).toMatchObject({ code: 'E_SOURCE_MISSING' });
    expect(report.setUp.map(({ text }) => text).join('\n')).toContain('--stanza=nobody stanza-create');
  });

  test('health is well; and not when the archive is broken', async () => {
    fine(await scene.run({ command: 'health' }));
    await scene.physical.sql("ALTER SYSTEM SET archive_command = 'false pgbackrest'; SELECT pg_reload_conf()");
    try {
      await scene.physical.sql('CREATE TABLE IF NOT EXISTS h (); SELECT pg_switch_wal()');
      let report = reportOf(await scene.run({ command: 'health' }));
      for (let tries = 0; report.healthy && tries < 20; tries++)
        report = reportOf(await scene.run({ command: 'health' }));
      expect(report.problems.find(({ code }) => code === 'E_ARCHIVE')?.message).toBe(
        'the last attempt to archive WAL failed',
      );
      expect(report.health?.database).toMatchObject({ archiving: true, archiveFailing: true });
    } finally {
      await scene.physical.sql('ALTER SYSTEM RESET archive_command; SELECT pg_reload_conf()');
    }
  });
});
