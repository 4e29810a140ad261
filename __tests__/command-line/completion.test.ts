import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Command } from 'commander';
import { program } from '../../src/command-line/arguments.js';
import { OTHERS } from '../../src/command-line/command-line.js';
import { completionOf, firstSentence, type Shell } from '../../src/command-line/completion.js';
import { readInputHelp } from '../../src/command-line/input-help.js';
import { manPage } from '../../src/command-line/man-page.js';

const root = program(
  await readInputHelp(),
  async () => 0,
  OTHERS,
  () => {},
);
// a command with commands of its own, and words that shells read
const odd = new Command('odd').description("it's $(x) `y` \\ 100 %: more");
odd.command('inner').option('--depth <n>', 'how deep');
root.addCommand(odd);

let folder: string;
const fileOf = (shell: Shell) => join(folder, `completion.${shell}`);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-completion-'));
  for (const shell of ['bash', 'zsh', 'fish'] as const) writeFileSync(fileOf(shell), completionOf(shell, root));
});
afterAll(() => rmSync(folder, { recursive: true }));

const CASES: [words: string[], found: string[]][] = [
  [['lis'], ['list']],
  [['list', '--targ'], ['--target']],
  [['pin', 'app-1', '--targ'], ['--target']],
  [['odd', 'inn'], ['inner']],
  [['odd', 'inner', '--dep'], ['--depth']],
];

test.each(CASES)('bash completes %j', (words, found) => {
  const script = `source "$1"; shift; COMP_WORDS=(db-backup "$@"); COMP_CWORD=$#; _db_backup; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const said = execFileSync('bash', ['-c', script, 'bash', fileOf('bash'), ...words], { encoding: 'utf8' });
  expect(said.trim().split('\n')).toEqual(found);
});

test.each(CASES)('fish completes %j', (words, found) => {
  const said = execFileSync('fish', ['-c', `source ${fileOf('fish')}; complete -C 'db-backup ${words.join(' ')}'`], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: folder },
  });
  expect(
    said
      .trim()
      .split('\n')
      .map((line) => line.split('\t')[0]),
  ).toEqual(found);
});

// Its completion runs within its line editor alone, so that is what is asked, by keys.
const KEYS = `
import os, pty, select, sys, time
pid, fd = pty.fork()
if pid == 0: os.execvpe('zsh', ['zsh', '-f'], {'PATH': os.environ['PATH'], 'HOME': sys.argv[1], 'TERM': 'dumb', 'PS1': ''})
seen = b''
def until(what):
    global seen
    end = time.time() + 20
    while what not in seen:
        if time.time() > end: sys.exit('no %r in %r' % (what, seen))
        if select.select([fd], [], [], 0.1)[0]: seen += os.read(fd, 65536)
    seen = b''
os.write(fd, b'autoload -Uz compinit; compinit -u -D; source ' + sys.argv[2].encode() + b'; echo rea""dy\\n')
until(b'ready')
for typed, found in zip(sys.argv[3::2], sys.argv[4::2]):
    os.write(fd, b'db-backup ' + typed.encode() + b'\\t')
    until(found.encode())
    os.write(fd, b'\\x15')
os.write(fd, b'\\x15exit\\n')
os.waitpid(pid, 0)
`;

test('zsh completes the same', () => {
  execFileSync('python3', [
    '-c',
    KEYS,
    folder,
    fileOf('zsh'),
    ...CASES.flatMap(([words, found]) => [words.join(' '), `${found[0]} `]),
  ]);
});

test('the manual page has no fault that mandoc knows, and says all that there is', () => {
  const page = manPage(root, '1.2.3', [".PP is no request here, nor is 'this: \\fBx"]);
  const lint = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning'], { input: page, encoding: 'utf8' });
  expect(lint.stdout.trim().split('\n')).toEqual([expect.stringContaining('missing date')]);
  const shown = execFileSync('mandoc', ['-T', 'utf8', '-O', 'width=200'], { input: page, encoding: 'utf8' }).replace(
    /.[\b]/g,
    '',
  );
  expect(shown).toContain(".PP is no request here, nor is 'this: \\fBx");
  for (const text of ['odd inner', '--depth <n>', 'restore [backup]', '--database <value>'])
    expect(shown).toContain(text);
  expect(shown).not.toContain('--s3-secret-access-key');
});

test.each([
  ['How long. Then more.', 'How long'],
  ['one: two', 'one'],
  ['db.example.com is one', 'db.example.com is one'],
  ['', ''],
])('of %j a list shows %j', (text, expected) => {
  expect(firstSentence(text)).toBe(expected);
});
