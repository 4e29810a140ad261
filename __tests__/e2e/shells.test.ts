import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { ownLoginShells, withSh } from '../helpers/posix-sh.js';
import { leftAfter, processesOfUser } from '../helpers/processes.js';
import type { ActionResult } from '../helpers/run-action.js';
import { inTurn } from '../helpers/sample.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { checkInvariant, createDatabase, restorePayload } from '../helpers/sqlite.js';
import { type Sshd, shOverSsh, startSshd } from '../helpers/sshd.js';
import { createUser, type TestUser } from '../helpers/users.js';

const CANARY = 'canary-of-the-shell-test';
/** Every character that some shell takes for its own; the last one ends the quotes of fish. */
const HOSTILE = `-rf 'q' "d" $(touch ${CANARY}) \`touch ${CANARY}\` !! \\n ;touch ${CANARY}; & | > < * ? [a] {b,c} ~ # % %41 ünï-日本 $HOME \\'; touch ${CANARY}; '\\`;

const own = ownLoginShells();
const LOGIN_SHELLS = {
  bash: '/bin/bash',
  dash: own.dash,
  fish: '/usr/bin/fish',
  tcsh: '/bin/tcsh',
  rbash: '/bin/rbash',
  'busybox ash': own.ash,
};
type LoginShell = keyof typeof LOGIN_SHELLS;

let scene: Scene;
let users: Map<string, TestUser>;
/** Two logins that never answer: they last as long as we wait for that, so they start first. */
let silentRuns: Promise<ActionResult[]>;
/** One sshd for each program that `sh` can be. */
let hosts: Record<'dash' | 'bash' | 'busybox', Sshd>;
beforeAll(async () => {
  scene = await startScene();
  const [dash, bash, busybox] = await Promise.all([
    startSshd({ wrapper: withSh('dash') }),
    startSshd({ wrapper: withSh('bash') }),
    startSshd({ wrapper: withSh('busybox') }),
  ]);
  hosts = { dash, bash, busybox };
  users = new Map();
  for (const [name, shell] of Object.entries(LOGIN_SHELLS)) users.set(name, await createUser({ shell }));
  const silent = [forced('swallows', 'cat >/dev/null'), forced('repeats', 'cat')];
  silentRuns = Promise.all(
    silent.map((key) => scene.run({ ...inputsFor(dash, scene.user), key, 'connect-timeout': '8s' })),
  );
});
afterAll(async () => {
  await Promise.all([scene.stop(), ...Object.values(hosts).map((host) => host.stop())]);
  for (const user of users.values()) await user.remove();
  own.remove();
});

const userOf = (shell: LoginShell): TestUser => users.get(shell) as TestUser;

const aliveOf = (user: TestUser) => processesOfUser(user.uid).filter(({ command }) => !command.startsWith('sshd'));

function inputsFor(host: Sshd, user: TestUser): Record<string, string> {
  return { port: String(host.port), username: user.name, key: host.clientKey, 'known-hosts': host.knownHosts };
}

/** Writes a file of the user's, with the folders on the way. */
function writeAs(user: TestUser, path: string, text: string): void {
  const file = join(user.home, path);
  for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) {
    mkdirSync(join(user.home, folder), { recursive: true });
    chownSync(join(user.home, folder), user.uid, user.gid);
  }
  writeFileSync(file, text);
  chownSync(file, user.uid, user.gid);
}

/** A live database of the user's own, in the home. */
async function databaseOf(user: TestUser, name = 'app.db'): Promise<string> {
  const path = join(user.home, name);
  rmSync(path, { force: true });
  await createDatabase(path, { mb: 0.1, owner: user.name });
  return path;
}

const everyFile = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => name.split('/').at(-1) ?? '');

const dump = (file: string): string =>
  execFileSync('sqlite3', ['-batch', '-init', '/dev/null', '-readonly', file, '.dump'], { encoding: 'utf8' });

/** Lets one more key in, which runs this command instead of ours. */
function forced(name: string, command: string): string {
  const file = join(hosts.dash.dir, name);
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', file]);
  const line = execFileSync('cat', [`${file}.pub`], { encoding: 'utf8' });
  hosts.dash.authorize(`restrict,command="${command.replaceAll('"', '\\"')}" ${line}`);
  return execFileSync('cat', [file], { encoding: 'utf8' });
}
const SHELLS = ['dash', 'bash', 'busybox'] as const;

describe.each(SHELLS)('where sh is %s', (sh) => {
  test('it is', () => {
    const host = hosts[sh];
    const ask = '[ -z "$BASH_VERSION" ] || echo bash; sh --help 2>&1 | grep -o -m 1 BusyBox; :';
    const said = shOverSsh(host, userOf('tcsh').name, ask);
    expect(said.trim()).toBe({ dash: '', bash: 'bash', busybox: 'BusyBox' }[sh]);
  });

  inTurn(SHELLS, sh).each(Object.keys(LOGIN_SHELLS) as LoginShell[])(
    'a backup through the login shell %s, byte for byte',
    async (shell) => {
      const user = userOf(shell);
      const database = await databaseOf(user, `${HOSTILE}.db`);
      // SQLite takes a path of some 500 bytes
      const directory = `${HOSTILE} ${sh}/-d 'q' $HOME`;
      const result = await scene.run({
        ...inputsFor(hosts[sh], user),
        database: `./${HOSTILE}.db`,
        directory: `./${directory}`,
        name: 'App.v-2_x',
      });
      const id = expectBackup(result);
      expect(result.annotations).toEqual([]);

      const folder = join(user.home, directory);
      const payload = join(folder, readdirSync(folder).find((name) => /\.sqlite\.(zst|gz)$/.test(name)) ?? '');
      expect(result.outputs['backup-path']).toBe(payload);
      const report = reportOf(result);
      expect(report.directory).toBe(folder);
      expect(JSON.stringify(report.recovery)).toContain(JSON.stringify(database.replaceAll("'", "'\\''")).slice(1, -1));

      const restored = join(user.home, 'restored.db');
      rmSync(restored, { force: true });
      await restorePayload(payload, restored);
      await checkInvariant(restored);
      expect(dump(restored)).toBe(dump(database));
      execFileSync('sha256sum', ['-c', `${id}.sqlite.zst.sha256`], { cwd: folder });
      // Nothing of all that was executed, anywhere that a shell was.
      expect(everyFile(user.home).filter((name) => name.startsWith(CANARY))).toEqual([]);
      expect(readdirSync('/').filter((name) => name.startsWith(CANARY))).toEqual([]);
      expect(await leftAfter(() => aliveOf(user))).toEqual([]);
    },
  );
});

describe('a login that does not get to our program is E_SHELL, with what it said', () => {
  const say = '##[set-output name=backup-ok]true';

  test.each([
    [
      '/usr/sbin/nologin',
      'ended with status 1 and did not start our program; the output was: "This account is currently not available."',
    ],
    ['/bin/false', 'ended with status 1 and did not start our program; there was no output'],
  ])('%s', async (shell, says) => {
    const user = await createUser({ shell });
    const result = await scene.run(inputsFor(hosts.dash, user));
    expectFailure(result, 'E_SHELL', `the login shell of ${user.name}@127.0.0.1`, says, 'Give the user a shell');
    await user.remove();
  });

  test.each([
    [
      'git-shell',
      'git-shell -c "$SSH_ORIGINAL_COMMAND"',
      "status 128 and did not start our program; the output was: \"fatal: unrecognized command 'sh -s'",
    ],
    ['sftp alone', 'internal-sftp', 'did not start our program'],
    [
      'a refusal that would speak for us',
      `echo '${say}' >&2; printf '::error::no\\n${say}'; exit 3`,
      'ended with status 3',
    ],
  ])('a forced command: %s', async (name, command, says) => {
    const key = forced(name.replaceAll(' ', '-'), command);
    const result = await scene.run({ ...inputsFor(hosts.dash, userOf('dash')), key });
    expectFailure(result, 'E_SHELL', says, 'remove the forced command');
    expect(result.visible).not.toContain('##[set-output');
    expect(result.summary).not.toContain('##[set-output');
  });

  test.each<[LoginShell, string, string, string]>([
    ['bash', '.bashrc', `echo 'closed for maintenance ${say}'; exit 7\n`, 'status 7'],
    ['tcsh', '.tcshrc', `exec sh -c "echo 'closed for maintenance ${say}'; exit 7"\n`, 'status 7'],
    ['fish', '.config/fish/config.fish', `exec sh -c "echo 'closed for maintenance ${say}'; exit 7"\n`, 'status 7'],
  ])('a login script of %s that ends the session', async (shell, file, text, how) => {
    const user = userOf(shell);
    writeAs(user, file, text);
    const result = await scene.run(inputsFor(hosts.dash, user));
    rmSync(join(user.home, file));
    expectFailure(
      result,
      'E_SHELL',
      how,
      'the output was: "closed for maintenance ## [set-output name=backup-ok]true"',
    );
  });
});

describe('what login scripts print is ignored, with one warning', () => {
  test.each<[LoginShell, string, string]>([
    ['bash', '.bashrc', "printf 'hello\\n##[set-output name=backup-ok]false\\nno newline'\n"],
    ['tcsh', '.tcshrc', "echo hello\necho '##[set-output name=backup-ok]false'\necho -n 'no newline'\n"],
    ['fish', '.config/fish/config.fish', "printf 'hello\\n##[set-output name=backup-ok]false\\nno newline'\n"],
  ])('%s', async (shell, file, text) => {
    const user = userOf(shell);
    writeAs(user, file, text);
    const result = await scene.run({ ...inputsFor(hosts.dash, user), database: await databaseOf(user) });
    rmSync(join(user.home, file));
    expectBackup(result);
    expect(result.annotations.map(({ level }) => level)).toEqual(['warning']);
    expect(result.annotations[0]?.message).toMatch(
      /^the login scripts of .* print text in sessions without a terminal; .*: hello\n## \[set-output name=backup-ok\]false\nno newline$/,
    );
  });

  test('nothing is said of text on stderr, which does no harm', async () => {
    const user = userOf('bash');
    writeAs(user, '.bashrc', 'echo hello >&2\n');
    const result = await scene.run({ ...inputsFor(hosts.dash, user), database: await databaseOf(user) });
    rmSync(join(user.home, '.bashrc'));
    expectBackup(result);
    expect(result.annotations).toEqual([]);
  });
});

test('a forced command that reads what we send and answers nothing, or all of it, is E_SHELL as well', async () => {
  for (const result of await silentRuns)
    expectFailure(
      result,
      'E_SHELL',
      'did not start our program within 8 s (connect-timeout)',
      'raise `connect-timeout`',
    );
  expect(await leftAfter(scene.processes, 15_000)).toEqual([]);
});
