import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import ts from 'typescript';
import { allKinds } from '../../src/backups/format.js';
import { ENGINES } from '../../src/engines/lookup.js';

// Only src/engines/ knows engines by their names: a third one is a folder and a line (__tests__/engines/third-engine.test.ts).

const source = fileURLToPath(new URL('../../src', import.meta.url));
const engines = Object.entries(ENGINES);
const pairs = engines.flatMap(([name, one]) =>
  engines.flatMap(([other, two]) => (name === other ? [] : ([[name, other, one, two]] as const))),
);

const fields = engines.flatMap(([, { identityFields }]) => identityFields);

/** Texts for people, which list what is supported. */
const MAY_NAME = ['error-codes.ts'];

/** Names of the engines and of their tools, what only one of them has in its identity, and asking an identity for its fields. */
const NAMES = new RegExp(
  [...Object.keys(ENGINES), '\\bpg_', '\\bpsql', 'systemIdentifier', `["'](${fields.join('|')})["'] in `].join('|'),
  'i',
);

const printer = ts.createPrinter({ removeComments: true });

/** Lines of code that name an engine, with what stands in texts, without comments. */
const naming = (text: string): string[] =>
  printer
    .printFile(ts.createSourceFile('x.ts', text, ts.ScriptTarget.Latest))
    .split('\n')
    .filter((line) => NAMES.test(line));

const filesIn = (folder: string, ending: string): string[] =>
  readdirSync(join(source, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .sort();

test.each(filesIn('', '.ts').filter((file) => !file.startsWith('engines/') && !MAY_NAME.includes(file)))(
  'src/%s names no engine',
  (file) => {
    expect(naming(readFileSync(join(source, file), 'utf8'))).toEqual([]);
  },
);

test.each(filesIn('host/programs', '.sh'))('src/host/programs/%s names no engine', (file) => {
  const code = readFileSync(join(source, 'host/programs', file), 'utf8').replace(/(^|\s)#.*$/gm, '');
  expect(code.split('\n').filter((line) => NAMES.test(line))).toEqual([]);
});

test('src/engines/foreign-dump.ts names no engine either', () => {
  expect(naming(readFileSync(join(source, 'engines/foreign-dump.ts'), 'utf8'))).toEqual([]);
});

test('those that may name one do, and are there', () => {
  for (const file of MAY_NAME) expect(naming(readFileSync(join(source, file), 'utf8'))).not.toEqual([]);
});

test.each([
  ["if (engine === 'sqlite') return", true],
  ['const { systemIdentifier } = identity', true],
  ["if ('path' in identity) return", true],
  ['report(`of this and PostgreSQL`)', true],
  ["const url = 'https://example.org' + postgres", true],
  ['/** As PostgreSQL has it. */ run(engine); // not SQLite', false],
  ['if (hasServer(identity)) return', false],
])('%s: %j', (code, names) => {
  expect(naming(code).length > 0).toBe(names);
});

describe('the engines', () => {
  test.each(engines)('%s is called as the registry has it', (name, engine) => {
    expect(engine.name).toBe(name);
    expect(name).toMatch(/^[a-z][a-z0-9-]*$/);
  });

  test.each(pairs)('%s has neither an identity nor a kind of dump of %s', (_, __, one, other) => {
    expect(one.identityFields.every((field) => other.identityFields.includes(field))).toBe(false);
    const kindsOf = ({ kinds, foreignKinds = [] }: typeof one) => [...kinds, ...foreignKinds];
    expect(kindsOf(one).filter((kind) => kindsOf(other).includes(kind))).toEqual([]);
  });

  test.each([
    '/srv/app.db',
    'app.db',
    './a:b',
    'file:app.db',
    'sqlite:app.db',
    'postgresql://h/app',
    'jdbc:postgresql:app',
  ])('%s is for one of them alone', (text) => {
    expect(engines.filter(([, engine]) => engine.parse(text) !== null)).toHaveLength(1);
  });

  test('a kind of payload is an ending that no packing, no encryption and no other file of a backup has', () => {
    const kinds = engines.flatMap(([, engine]) => allKinds(engine));
    for (const kind of kinds) expect(kind).toMatch(/^(?!(?:zst|gz|age|gpg|json|sha256)$)[a-z0-9]+$/);
  });

  test('no two programs have one name: in dist/ they lie side by side', () => {
    const own = engines.flatMap(([, { programs, texts = {}, recogniser = [] }]) =>
      [...programs, ...Object.values(texts), recogniser].flat(),
    );
    // one that is built on another engine has programs of that one
    const files = [...new Set(own.map(({ pathname }) => pathname))];
    const names = [...files.map((pathname) => basename(pathname)), ...filesIn('host/programs', '.sh')];
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });
});
