import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** Runs a checker in the repository: empty when it is content, otherwise all it said. */
function complaints(program: string, args: string[], cwd = repository): string {
  const { status, error, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  if (error) return String(error);
  return status === 0 ? '' : `${stdout}${stderr}` || `${program} ended with ${status}`;
}

function filesIn(dir: string, ending: string): string[] {
  return readdirSync(join(repository, dir))
    .filter((name) => name.endsWith(ending))
    .map((name) => join(dir, name));
}

const ENGINES = readdirSync(join(repository, 'src/engines'), { withFileTypes: true }).filter((one) =>
  one.isDirectory(),
);
const PROGRAMS = ['src/host/programs', ...ENGINES.map(({ name }) => `src/engines/${name}/programs`)];
const programs = PROGRAMS.flatMap((folder) => filesIn(folder, '.sh'));
const scripts = [...filesIn('scripts', '.sh'), '.ci/run'];

test('biome: format and lint', () => {
  expect(complaints(process.execPath, ['node_modules/@biomejs/biome/bin/biome', 'check', '.'])).toBe('');
});

test('tsc: types of sources and tests', () => {
  // what it knows from the time before, of files that have not changed
  const known = ['--incremental', '--tsBuildInfoFile', 'node_modules/.cache/tsc.json'];
  expect(complaints(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.', ...known])).toBe('');
});

test('there are programs and scripts to check', () => {
  expect(programs).not.toEqual([]);
  expect(scripts).toEqual(expect.arrayContaining(['scripts/setup.sh', 'scripts/test.sh']));
});

test('shellcheck, as POSIX sh', () => {
  // which variables the programs share is looked at in all of them at once, by shell-contracts.test.ts
  expect(complaints('shellcheck', ['-s', 'sh', '-e', 'SC2154,SC2034', ...programs])).toBe('');
  expect(complaints('shellcheck', ['-s', 'sh', ...scripts])).toBe('');
});

test.each([['dash'], ['bash'], ['busybox', 'sh'], ['mksh']])('all parse under %s %s', (...parser) => {
  const each = 'wrong=0; for file; do $parser -n "$file" || { echo "$file" >&2; wrong=1; }; done; exit $wrong';
  expect(complaints('env', [`parser=${parser.join(' ')}`, 'sh', '-c', each, 'sh', ...programs, ...scripts])).toBe('');
});

test('no two programs have a function of the same name: a session is sent many of them, and the last one would count', () => {
  const names = programs.flatMap((file) =>
    [...readFileSync(join(repository, file), 'utf8').matchAll(/^([a-z_]+)\(\)/gm)].map(([, name]) => name),
  );
  expect(names.length).toBeGreaterThan(200);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});

test('the mark of the session is in no argument of a program, where every user of the host could read it', () => {
  const said = programs.flatMap((file) =>
    readFileSync(join(repository, file), 'utf8')
      .split('\n')
      .filter((line) => /\$mark\b/.test(line) && !/^ *#/.test(line)),
  );
  // what the shell does itself: raw, and the patterns of case
  const own = /^(emit\(\) \{ )?\s*(raw "|case .* in .*\*\) set -- |case \$line in |\*"\$newline"\*\) raw ")/;
  const odd = said.filter(
    (line) => !own.test(line) && !/(\| mark=\$mark awk |mark_word=\$\(raw "\$mark" \|)/.test(line),
  );
  expect(odd).toEqual([]);
});

test.each(PROGRAMS.flatMap((folder) => filesIn(folder, '.py')))('%s parses', (file) => {
  expect(
    complaints('python3', ['-W', 'error', '-c', `import ast; ast.parse(open(${JSON.stringify(file)}).read())`]),
  ).toBe('');
});

test('npm ci accepts package-lock.json', () => {
  // npm leaves platform packages out of the lock when its registry does not have them, and `npm ci` then refuses the lock everywhere.
  const dir = mkdtempSync(join(tmpdir(), 'dbb-lock-'));
  try {
    for (const name of ['package.json', 'package-lock.json']) cpSync(join(repository, name), join(dir, name));
    expect(
      complaints('npm', ['ci', '--dry-run', '--offline', '--ignore-scripts', '--no-audit'], dir).slice(0, 2000),
    ).toBe('');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('the packages of the AWS SDK are of one version, so that what they share is in the bundle once', () => {
  const { devDependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));
  const versions = Object.entries(devDependencies).filter(([name]) => name.startsWith('@aws-sdk/'));
  expect(versions.length).toBeGreaterThan(1);
  expect(new Set(versions.map(([, version]) => version)).size).toBe(1);
});
