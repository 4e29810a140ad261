import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup } from '../helpers/failure.js';
import { withSh } from '../helpers/posix-sh.js';
import { sample } from '../helpers/sample.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { restorePayload } from '../helpers/sqlite.js';
import { type Sshd, shOverSsh, startSshd } from '../helpers/sshd.js';

let scene: Scene;
let hosts: Record<'dash' | 'bash' | 'busybox', Sshd>;
beforeAll(async () => {
  const extraConfig = 'PermitUserEnvironment yes';
  const host = (sh: 'dash' | 'bash' | 'busybox') => startSshd({ wrapper: withSh(sh), extraConfig });
  const [made, dash, bash, busybox] = await Promise.all([
    startScene({ shell: '/bin/bash', mb: 0.2 }),
    host('dash'),
    host('bash'),
    host('busybox'),
  ]);
  scene = made;
  hosts = { dash, bash, busybox };
});
afterAll(async () => {
  await Promise.all([scene.stop(), ...Object.values(hosts).map((host) => host.stop())]);
});

/** What the programs on the host run; here each is replaced by a function that a bash login shell hands down. */
const TOOLS =
  'awk cat cd chmod cmp command cp cut date dd df echo env false flock grep gzip head id kill ls mkdir mkfifo mktemp mv pigz printf ps pwd python3 read readlink rm sed sha256sum sleep sort sqlite3 stat sudo sync tail tee test touch tr true umask uname wait wc zstd';
const ENVIRONMENT = (home: string) => ({
  LANG: 'de_DE.UTF-8',
  LC_ALL: 'C.UTF-8',
  LANGUAGE: 'de',
  TZ: 'Asia/Kathmandu',
  CDPATH: '/tmp:/',
  ENV: `${home}/trap.sh`,
  BASH_ENV: `${home}/trap.sh`,
  POSIXLY_CORRECT: '1',
  GREP_OPTIONS: '--color=always',
  GZIP: '-1 -S .gzip',
  ZSTD_CLEVEL: '19',
  ZSTD_NBTHREADS: '1',
  QUOTING_STYLE: 'c',
  TIME_STYLE: 'full-iso',
  BLOCK_SIZE: 'human-readable',
  LS_COLORS: 'di=01;34',
  CLICOLOR_FORCE: '1',
  PYTHONPATH: '/nonexistent',
  PYTHONINSPECT: '1',
  TERM: 'xterm-256color',
});

function writeTraps(): void {
  const { home, uid, gid } = scene.user;
  const write = (path: string, text: string) => {
    writeFileSync(join(home, path), text);
    chownSync(join(home, path), uid, gid);
  };
  const hijack = TOOLS.split(' ').map((name) => `${name}() { builtin printf 'hijacked ${name}\\n'; return 42; }`);
  const aliases = TOOLS.split(' ').map((name) => `alias ${name}='builtin echo hijacked'`);
  const body = ['builtin umask 000', 'shopt -s expand_aliases nullglob nocasematch', ...hijack, ...aliases];
  write('trap.sh', `${body.join('\n')}\nexport -f ${TOOLS}\n`);
  write('.bashrc', `. ~/trap.sh\nexport GZIP='-1' CDPATH=/tmp\nset -o noclobber\n`);
  write('.profile', '. ~/trap.sh\n');
  write(
    '.sqliterc',
    ".mode box\n.headers on\n.timer on\nSELECT 'hijacked';\n.nosuchcommand\nCREATE TABLE hijacked (x);\n",
  );
  mkdirSync(join(home, '.ssh'), { recursive: true });
  const lines = Object.entries(ENVIRONMENT(home)).map(([name, value]) => `${name}=${value}\n`);
  const functions = TOOLS.split(' ').map((name) => `BASH_FUNC_${name}%%=() {  builtin echo hijacked; }\n`);
  write('.ssh/environment', [...lines, ...functions].join(''));
}

function removeTraps(): void {
  for (const name of ['trap.sh', '.bashrc', '.profile', '.sqliterc', '.ssh']) {
    rmSync(join(scene.user.home, name), { recursive: true, force: true });
  }
}

async function backupThrough(host: Sshd) {
  rmSync(scene.directory, { recursive: true, force: true });
  const inputs = { port: String(host.port), key: host.clientKey, 'known-hosts': host.knownHosts };
  // Two, so that there is a catalogue to read and a backup to delete.
  expectBackup(await scene.run(inputs));
  // In the same second neither would be the newer one.
  await new Promise((resolve) => setTimeout(resolve, 1000 - (Date.now() % 1000)));
  const result = await scene.run({ ...inputs, keep: '1', 'keep-made-under': 'false' });
  const id = expectBackup(result);
  const manifest = scene.manifest(id);
  const restored = join(scene.user.home, 'restored.db');
  rmSync(restored, { force: true });
  await restorePayload(join(scene.directory, manifest.file), restored);
  const dump = execFileSync('sqlite3', ['-batch', '-init', '/dev/null', restored, '.dump'], { encoding: 'utf8' });
  rmSync(restored);
  const report = reportOf(result);
  const modes = ['.', ...readdirSync(scene.directory, { recursive: true, encoding: 'utf8' })].sort().map((name) => {
    return `${(statSync(join(scene.directory, name)).mode & 0o7777).toString(8)} ${name.replaceAll(id, 'ID')}`;
  });
  expect(scene.processes()).toEqual([]);
  return {
    id,
    modes,
    dump,
    same: {
      ...manifest,
      id: '',
      file: manifest.file.replace(id, 'ID'),
      createdAt: '',
      verified: manifest.verified.level,
      durationMs: 0,
      recovery: manifest.recovery.map((line) => line.replaceAll(id, 'ID')),
    },
    report: { kept: report.kept, deleted: report.deleted, problems: report.problems, backups: report.backups.length },
    annotations: result.annotations,
    age: Math.abs(Date.parse(manifest.createdAt) - Date.now()),
  };
}

test.each(sample(['bash', 'dash', 'busybox'] as const, 2))(
  'nothing in the account changes a backup, where sh is %s',
  async (sh) => {
    removeTraps();
    const { age: _, id: __, ...plain } = await backupThrough(hosts[sh]);
    expect(plain.modes).toEqual([
      '700 .',
      '700 .work',
      expect.stringMatching(/^600 \.work\/holder$/),
      '600 .work/lock',
      '600 ID.json',
      '600 ID.sqlite.zst',
      '600 ID.sqlite.zst.sha256',
      '600 history.jsonl',
      '600 status.json',
    ]);
    expect(plain.report).toEqual({ kept: 1, deleted: 1, problems: [], backups: 1 });

    writeTraps();
    const { age, id, ...trapped } = await backupThrough(hosts[sh]);
    removeTraps();
    expect(trapped).toEqual(plain);
    expect(age).toBeLessThan(120_000);
    expect(id).toMatch(/^app-\d{8}T\d{6}Z-[0-9a-f]{4}$/);
  },
);

test('the traps of this test do work: another program in such an account is hijacked', () => {
  writeTraps();
  const host = hosts.bash;
  const said = shOverSsh(host, scene.user.name, 'ls /; command true; "builtin" echo $TZ $QUOTING_STYLE\n');
  removeTraps();
  expect(said).toBe('hijacked ls\nhijacked command\nAsia/Kathmandu c\n');
});
