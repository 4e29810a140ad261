import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import ts from 'typescript';

const source = fileURLToPath(new URL('../../src', import.meta.url));

interface Import {
  /** A path below src for our own modules (`host/ssh.ts`), otherwise the package as written. */
  from: string;
  /** Gone after compilation. */
  typeOnly: boolean;
}

/** Our own modules: what each folder or file may import from. One way down; the folder itself is always allowed. */
const LAYERS: Record<string, { values: string[]; types?: string[] }> = {
  'index.ts': {
    values: [
      'esm-globals.ts',
      'cancel.ts',
      'main.ts',
      'post.ts',
      'platform/platform.ts',
      'command-line/command-line.ts',
    ],
  },
  'post-entry.ts': { values: ['index.ts'] },
  'command-line-entry.ts': { values: ['index.ts'] },
  // gathers inputs, and runs what GitHub's runner would
  'command-line': {
    values: [
      ...[
        'cancel.ts',
        'main.ts',
        'post.ts',
        'errors.ts',
        'platform',
        'reporting',
        'settings',
        'schedule',
        'server',
        'host/quoting.ts',
      ],
      'engines/lookup.ts', // of which servers have more databases than one, and which have files
    ],
    types: ['error-codes.ts'],
  },
  // when the command line is run by itself, by what the machine has for that
  schedule: { values: ['errors.ts', 'settings/value-rules.ts', 'host/quoting.ts'] },
  // starts this program, and knows its reports
  server: { values: ['errors.ts', 'left.ts', 'platform/platform.ts', 'reporting', 'backups/names.ts'] },
  'main.ts': {
    values: [
      'errors.ts',
      'platform/platform.ts',
      'commands',
      'ledger',
      'restoring',
      'engines',
      'reporting',
      'settings',
      'telling',
    ],
    types: ['run'],
  },
  'post.ts': {
    values: ['main.ts', 'errors.ts', 'platform/platform.ts', 'run', 'places', 'reporting', 'settings', 'telling'],
  },
  // knows the report of a run, and nothing of how it went
  telling: {
    values: ['errors.ts', 'platform/platform.ts', 'reporting', 'settings/url-parts.ts'],
    types: ['run', 'settings'],
  },
  commands: {
    values: [
      'doctor',
      'making',
      'proving',
      'restoring',
      'places',
      'ledger',
      'run',
      'engines',
      'backups',
      'reporting',
      'errors.ts',
    ],
    types: ['settings', 'host'],
  },
  doctor: {
    values: ['restoring', 'places', 'run', 'engines', 'stores/object-store.ts', 'reporting', 'host', 'errors.ts'],
    types: ['settings'],
  },
  ledger: { values: ['run', 'backups', 'reporting', 'errors.ts'], types: ['settings'] },
  restoring: {
    values: [
      'schemas.ts',
      'making',
      'places',
      'run',
      'engines',
      'backups',
      'reporting',
      'errors.ts',
      'settings/value-rules.ts',
    ],
    types: ['settings', 'host'],
  },
  proving: { values: ['making', 'places', 'run', 'engines/restoring.ts', 'backups', 'reporting', 'host', 'errors.ts'] },
  making: { values: ['places', 'run', 'backups', 'reporting', 'errors.ts'], types: ['settings', 'host'] },
  places: {
    // nothing else knows that there are stores, and of these no place knows which kinds there are
    values: ['schemas.ts', 'run', 'stores/object-store.ts', 'backups', 'reporting', 'host', 'errors.ts'],
    types: ['settings'],
  },
  run: {
    values: ['engines', 'backups', 'reporting', 'host', 'errors.ts'],
    types: ['settings', 'stores/object-store.ts'],
  },
  stores: {
    values: ['errors.ts', 'backups', 'reporting/format.ts', 'reporting/neutralise.ts'],
    types: ['settings', 'host'],
  },
  engines: {
    values: [
      'schemas.ts',
      'errors.ts',
      'backups',
      'host',
      'reporting/neutralise.ts',
      'reporting/format.ts',
      'settings/host-path.ts',
    ],
    types: ['settings', 'reporting/report.ts'],
  },
  reporting: { values: ['schemas.ts', 'errors.ts', 'backups', 'platform/platform.ts'], types: ['settings'] },
  settings: {
    values: [
      'errors.ts',
      'backups/names.ts',
      'backups/packing.ts',
      'backups/signature.ts',
      'engines',
      'host/container.ts',
      'host/private-key.ts',
      'host/known-hosts.ts',
      'platform/platform.ts',
      'platform/secrets.ts',
    ],
    types: ['backups/retention.ts', 'backups/packing.ts'],
  },
  host: { values: ['errors.ts'], types: ['settings'] },
  platform: { values: ['reporting/neutralise.ts'] },
  'schemas.ts': { values: [] },
  // numbers as people read them, which computes as well
  backups: { values: ['schemas.ts', 'errors.ts', 'reporting/format.ts'] },
  'errors.ts': { values: ['error-codes.ts'], types: ['left.ts'] },
  'left.ts': { values: [], types: ['settings'] },
  'counting.ts': { values: [] },
  'error-codes.ts': { values: [] },
  'cancel.ts': { values: ['errors.ts'] },
  'esm-globals.ts': { values: [] },
};

/** Packages: the only places that import each. `types` may import its types besides. */
const PACKAGES: Record<string, { values: RegExp; types?: RegExp }> = {
  '@actions/cache': { values: /^ledger\/cache\.ts$/ },
  '@actions/core': { values: /^platform\/actions\.ts$/ },
  '@actions/exec': { values: /^host\/local\.ts$/ },
  '@aws-sdk/client-s3': { values: /^stores\/s3\/bucket\.ts$/ },
  '@aws-sdk/s3-request-presigner': { values: /^stores\/s3\/bucket\.ts$/ },
  '@scure/base': { values: /^settings\/age-keys\.ts$/ },
  '../package.json': { values: /^command-line\/arguments\.ts$/ },
  commander: { values: /^command-line\// },
  'log-update': { values: /^command-line\/live-line\.ts$/ },
  yaml: { values: /^command-line\/(config|input-help)\.ts$/ },
  canonicalize: { values: /^backups\/signature\.ts$/ },
  nodemailer: { values: /^telling\/mail\.ts$/ },
  'node-ssh': { values: /^host\/(ssh|private-key)\.ts$/, types: /^host\// },
  valibot: {
    values:
      /^(schemas|backups\/(coverage|format|ledger|manifest)|engines\/[a-z]+\/format|engines\/physical\/sets|(reporting\/run-history|places\/unfinished-upload|restoring\/journal))\.ts$/,
  },
  ssh2: { values: /^host\/(ssh|private-key)\.ts$/, types: /^host\// },
};

/** Why this file may not have this import, or null. */
function objection(file: string, { from, typeOnly }: Import): string | null {
  const folder = file.includes('/') ? file.slice(0, file.indexOf('/')) : file;
  const layer = LAYERS[folder];
  if (layer === undefined) return `${file}: no layer; add it to this test`;
  // which computes, and reads nothing
  const isPure = ['backups/signature.ts', 'backups/ledger.ts'].includes(file) && from === 'node:crypto';
  if (from.startsWith('node:'))
    return folder === 'backups' && !isPure ? `${file}: backups are pure, but import ${from}` : null;
  if (builtinModules.includes(from)) return `${file}: write node:${from}`;
  if (!from.endsWith('.ts')) {
    const rule = PACKAGES[from];
    if (rule === undefined) return `${file}: ${from} has no place yet; add it to this test`;
    return rule.values.test(file) || (typeOnly && rule.types?.test(file))
      ? null
      : `${file}: ${from} is not imported here`;
  }
  const engine = folderOfEngine(from);
  if (engine !== null && engine !== folderOfEngine(file) && file !== 'engines/registry.ts') {
    return `${file}: must not import ${from}: only the registry does`;
  }
  const allowed = [folder, 'counting.ts', 'left.ts', ...layer.values, ...(typeOnly ? (layer.types ?? []) : [])];
  return allowed.some((place) => from === place || from.startsWith(`${place}/`))
    ? null
    : `${file}: must not import ${from}`;
}

/** `engines/NAME`, of a file in it. */
const folderOfEngine = (file: string): string | null => /^engines\/[^/]+(?=\/)/.exec(file)?.[0] ?? null;

/** All imports of a module: static, re-exports and `import()`. */
function importsOf(file: string, text: string): Import[] {
  const found: Import[] = [];
  const add = (specifier: ts.Expression | undefined, typeOnly: boolean) => {
    if (specifier === undefined || !ts.isStringLiteral(specifier)) return;
    const own = specifier.text.startsWith('.');
    const from = own ? posix.join(posix.dirname(file), specifier.text).replace(/\.js$/, '.ts') : specifier.text;
    found.push({ from, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const clause = node.importClause;
      const named = clause?.namedBindings;
      const onlyTypes =
        clause?.phaseModifier === ts.SyntaxKind.TypeKeyword ||
        (clause?.name === undefined &&
          named !== undefined &&
          ts.isNamedImports(named) &&
          named.elements.length > 0 &&
          named.elements.every((element) => element.isTypeOnly));
      add(node.moduleSpecifier, onlyTypes);
    } else if (ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier, node.isTypeOnly);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest));
  return found;
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .sort();

test.each(files)('src/%s imports only what its layer may', (file) => {
  const imports = importsOf(file, readFileSync(join(source, file), 'utf8'));
  expect(imports.map((one) => objection(file, one)).filter((text) => text !== null)).toEqual([]);
});

describe('the rules themselves', () => {
  test('reads every form of import', () => {
    const text = `
      import './a.js';
      import { type B, c } from '../host/b.js';
      import { type D, type E } from 'ssh2';
      import type F from 'node:fs';
      export { g } from './g.js';
      export type { H } from './h.js';
      const i = await import('@actions/core');
      // import 'nothing';
    `;
    expect(importsOf('commands/x.ts', text)).toEqual([
      { from: 'commands/a.ts', typeOnly: false },
      { from: 'host/b.ts', typeOnly: false },
      { from: 'ssh2', typeOnly: true },
      { from: 'node:fs', typeOnly: true },
      { from: 'commands/g.ts', typeOnly: false },
      { from: 'commands/h.ts', typeOnly: true },
      { from: '@actions/core', typeOnly: false },
    ]);
  });

  test.each([
    ['backups/names.ts', 'node:crypto', true],
    ['backups/signature.ts', 'node:fs', true],
    ['backups/names.ts', 'host/quoting.ts', true],
    ['backups/names.ts', '@actions/core', false],
    ['host/session.ts', 'reporting/log.ts', true],
    ['host/session.ts', 'settings/inputs.ts', false],
    ['host/session.ts', 'ssh2', false],
    ['reporting/log.ts', 'run/run.ts', true],
    ['engines/sqlite/index.ts', 'run/run.ts', true],
    ['settings/inputs.ts', 'engines/sqlite/url.ts', true],
    ['commands/restore.ts', 'engines/postgres/client-holes.ts', false],
    ['engines/common.ts', 'engines/sqlite/index.ts', false],
    ['engines/sqlite/index.ts', 'engines/postgres/url.ts', true],
    ['settings/inputs.ts', 'host/ssh.ts', false],
    ['settings/inputs.ts', 'backups/retention.ts', false],
    ['commands/backup.ts', 'main.ts', false],
    ['commands/backup.ts', '@actions/core', false],
    ['errors.ts', 'backups/names.ts', true],
    ['host/ssh.ts', '@actions/exec', false],
    ['host/ssh.ts', 'fs', false],
    ['host/ssh.ts', 'left-pad', false],
    ['commands/backup.ts', '@aws-sdk/client-s3', false],
    ['stores/s3/parts.ts', '@aws-sdk/client-s3', false],
    ['stores/s3/bucket.ts', 'host/session.ts', false],
    ['stores/s3/bucket.ts', 'reporting/log.ts', false],
    ['places/copy.ts', 'stores/s3/store.ts', false],
    ['commands/verify.ts', 'stores/object-store.ts', true],
    ['making/alarm.ts', 'stores/object-store.ts', false],
    ['places/find.ts', 'making/alarm.ts', false],
    ['run/directory.ts', 'restoring/unfinished.ts', false],
    ['commands/backup.ts', 'command-line/arguments.ts', true],
    ['command-line/arguments.ts', 'commands/backup.ts', false],
    ['new-folder/x.ts', 'errors.ts', false],
  ])('%s may not import %s', (file, from, typeOnly) => {
    expect(objection(file, { from, typeOnly })).toContain(file);
  });

  test.each([
    ['host/session.ts', 'settings/settings.ts', true],
    ['host/session.ts', 'ssh2', true],
    ['host/local.ts', '@actions/exec', false],
    ['commands/backup.ts', 'places/host.ts', false],
    ['index.ts', 'main.ts', false],
    ['engines/registry.ts', 'engines/sqlite/index.ts', false],
    ['engines/sqlite/index.ts', 'engines/engine.ts', true],
  ])('%s may import %s', (file, from, typeOnly) => {
    expect(objection(file, { from, typeOnly })).toBeNull();
  });
});
