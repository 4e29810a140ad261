import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { foreignDump } from '../../src/engines/foreign-dump.js';
import { ERRORS } from '../../src/error-codes.js';
import { Facts } from '../../src/host/facts.js';
import { accepted, makeKey } from '../settings/given-inputs.js';
import { argumentNames, engineRequests } from './host-requests.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const source = join(root, 'src');

const filesOf = (ending: string): string[] =>
  readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .sort();
const read = (name: string): string => readFileSync(join(source, name), 'utf8');

/** download.sh and receive.sh are programs of their own, each the only one of its shell. */
const programs = filesOf('.sh').filter((name) => !/(download|receive)\.sh$/.test(name));
const shell = programs.map(read).join('\n');

/** What the lines `# takes:` above a function say. */
const takes = new Map(
  [...shell.matchAll(/((?:^# takes: .*\n)+)^([a-z_]+)\(\) \{$/gm)].map(([, lines = '', name = '']) => [
    name,
    lines.replaceAll('# takes:', ' ').trim().split(/\s+/),
  ]),
);

test('the named arguments of a request are those of the lines `# takes:` above its function', async () => {
  const ssh = {
    host: 'db.example.org',
    username: 'deploy',
    key: makeKey(),
    'known-hosts': 'db ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl',
  };
  const sent = new Map<string, string[]>();
  const postgres = { database: 'postgresql://app@localhost/shop' };
  for (const given of [
    { database: '/srv/app/app.db' },
    postgres,
    { ...postgres, method: 'physical', stanza: 'main' },
  ]) {
    const { settings } = await accepted({ ...ssh, ...given });
    for (const request of engineRequests(settings)) {
      const names = argumentNames(request);
      sent.set(request[1], [...new Set([...(sent.get(request[1]) ?? []), ...names])].toSorted());
    }
  }
  expect(sent.size).toBeGreaterThan(15);
  expect(Object.fromEntries([...takes].sort())).toEqual(Object.fromEntries([...sent].sort()));
});

test('every request that is sent is a function there', () => {
  const functions = new Set([...shell.matchAll(/^([a-z_]+)\(\)/gm)].map(([, name]) => name));
  const sent = filesOf('.ts').flatMap((name) =>
    [...read(name).matchAll(/\[\s*'(?:job|request)',\s*'([a-z_]+)'/g)].map(([, request]) => request),
  );
  expect(sent.length).toBeGreaterThan(50);
  expect(sent.filter((name) => !functions.has(name))).toEqual([]);
});

test('every failure that is told has a known code', () => {
  const told = [...shell.matchAll(/\b(?:fail|failed) (E_\w*)/g)].map(([, code]) => code ?? '');
  expect(told.length).toBeGreaterThan(100);
  expect(told.filter((code) => !(code in ERRORS))).toEqual([]);
});

test('every word for which a dump is refused has its sentence', () => {
  const words = new Set([...shell.matchAll(/\brefuse_dump ([a-z]\w*)/g)].map(([, word]) => word ?? ''));
  expect(words.size).toBeGreaterThan(20);
  for (const word of words) {
    const facts = new Facts();
    facts.add('dump_refused', word);
    expect(() => foreignDump(facts)).toThrow(
      expect.objectContaining({ code: expect.not.stringContaining('E_INTERNAL') }),
    );
  }
});

test('no program reads a variable that nobody sets, or sets one that nobody reads', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dbb-shell-'));
  try {
    // what comes from outside of them: the first lines of a session (program.ts), and the arguments of the requests
    const given = new Set([
      'mark',
      'mark_elsewhere',
      'program',
      'sqlite_python',
      'sqlite_script',
      ...[...takes.values()].flat(),
    ]);
    const all = [
      '# shellcheck shell=sh',
      ...[...given].map((name) => `${name}=''`),
      ...programs.map((name) => `. ${join(source, name)}`),
    ];
    writeFileSync(join(folder, 'all.sh'), `${all.join('\n')}\n`);
    const args = ['-x', '-a', '--include=SC2154,SC2034', '-f', 'gcc', join(folder, 'all.sh')];
    expect(complaintsOf('shellcheck', args)).toBe('');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

function complaintsOf(program: string, args: string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8' });
  } catch (error) {
    return (error as { stdout: string }).stdout || String(error);
  }
}
