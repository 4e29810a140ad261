import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { UNKNOWN_COVERAGE } from '../../src/backups/coverage.js';
import { parseManifest, serializeManifest } from '../../src/backups/manifest.js';
import { BackupError } from '../../src/errors.js';
import { idAt, manifestOf } from './sample-backups.js';

const ID = idAt('2026-11-20T10:15:00Z');
const FILE = `${ID}.json`;

/** The text of a sound manifest with one field set, or removed where `value` is undefined. `path` as in `verified.level`. */
function withField(path: string, value: unknown): string {
  const document: Record<string, unknown> = JSON.parse(serializeManifest(manifestOf(ID)));
  const steps = path.split('.');
  const last = steps.pop() ?? '';
  let at = document;
  for (const step of steps) at = at[step] as Record<string, unknown>;
  if (value === undefined) delete at[last];
  else at[last] = value;
  return JSON.stringify(document);
}

function refusalOf(text: string, id = ID): BackupError {
  try {
    parseManifest(text, id);
  } catch (error) {
    if (error instanceof BackupError) return error;
    throw error;
  }
  throw new Error('the manifest was accepted');
}

describe('a sound manifest', () => {
  test('is read back as it was written', () => {
    const text = serializeManifest(manifestOf(ID));
    expect(text.endsWith('}\n')).toBe(true);
    expect(text.startsWith('{\n  "schema": 1,\n')).toBe(true);
    expect(parseManifest(text, ID)).toEqual(manifestOf(ID));
  });

  test.each([
    { content: null, github: null, tools: {}, recovery: [] },
    { pinned: { reason: 'before the migration', at: '2026-11-20T11:00:00.123Z' } },
    { reason: 'safety', verified: { level: 'none', at: '2026-11-20T10:15:01Z' } },
    { createdAt: '2026-11-20T10:15:00.000Z' },
    { host: '', bytes: 0, databaseBytes: Number.MAX_SAFE_INTEGER },
    { compression: 'none', file: `${ID}.sqlite` },
    { state: 'ok', suspicion: null, accepted: null, accepts: [], historySince: null, coverage: null },
    { keep: { last: 14 }, s3Keep: { daily: 7, within: 1000, ofLater: 'x' } },
    { adopted: { at: '2026-11-20T10:15:00Z' }, coverage: { ...UNKNOWN_COVERAGE } },
    { coverage: { excludeTable: ['a', 'b'], excludeTableData: [], schema: ['public'] } },
    { state: 'suspect', suspicion: { limit: 'shrink-limit', why: 'it is small' } },
    { accepted: { by: 'command: accept', at: '2026-11-20T10:15:00Z' }, accepts: [ID] },
  ] as const)('may have %j', (change) => {
    const manifest = { ...manifestOf(ID), ...change } as ReturnType<typeof manifestOf>;
    expect(parseManifest(serializeManifest(manifest), ID)).toEqual(manifest);
  });

  test('keeps what this version does not know, at any depth, through a pin', () => {
    const text = withField('later', { list: [1, null], deep: { deeper: 'x' } });
    const document = JSON.parse(text);
    document.verified.drill = 'monthly';
    const read = parseManifest(JSON.stringify(document), ID);
    const pinned = { ...read, pinned: { reason: 'audit', at: '2026-11-21T00:00:00Z' } };
    expect(JSON.parse(serializeManifest(pinned))).toEqual({ ...document, pinned: pinned.pinned });
  });
});

describe('a hostile manifest', () => {
  test.each([
    ['schema', 2],
    ['schema', '1'],
    ['id', idAt('2026-11-20T10:15:00Z', 'app', '0002')],
    ['name', 'app-staging'],
    ['engine', 'mysql'],
    ['engine', 'toString'],
    ['kind', 'exe'],
    ['kind', 'dump'],
    ['file', '../../etc/passwd'],
    ['file', `${idAt('2026-11-20T10:15:00Z', 'app', '0002')}.sqlite.zst`],
    ['file', `${ID}.sqlite`],
    ['compression', 'xz'],
    ['compression', 'toString'],
    ['encryption', 'age'],
    ['encryption', null],
    ['encryption', { method: 'rot13', recipients: [] }],
    ['encryption', { method: 'age' }],
    ['encryption', { method: 'age', recipients: ['age1', 7] }],
    ['encryption', { method: 'age', recipients: ['a\u001b[31m'] }],
    ['encryption', { method: 'age', recipients: ['x'.repeat(61)] }],
    ['encryption', { method: 'age', recipients: Array(21).fill('age1') }],
    ['encryption', { method: 'age', recipients: [] }], // its payload would have another name
    ['mac', 'abc'],
    ['mac', undefined],
    ['createdAt', '2026-11-20T10:15:01Z'],
    ['createdAt', '2026-11-20T10:15:00.001Z'],
    ['createdAt', '2026-11-20T11:15:00+01:00'],
    ['createdAt', '2026-11-20'],
    ['createdAt', 1],
    ['host', null],
    ['host', 'x'.repeat(20_000)],
    ['database', ''],
    ['identity', null],
    ['identity', []],
    ['identity.path', 'relative.db'],
    ['identity.path', '/srv/a\0b'],
    ['identity.path', undefined],
    ['bytes', -1],
    ['bytes', 1.5],
    ['bytes', '4000'],
    ['bytes', 2 ** 53],
    ['bytes', null],
    ['databaseBytes', undefined],
    ['durationMs', true],
    ['sha256', '0A'.repeat(32)],
    ['sha256', '0a'.repeat(31)],
    ['sha256', `${'0a'.repeat(32)}\n`],
    ['tools', ['sqlite3']],
    ['tools.sqlite3', 3],
    ['content', 'none'],
    ['content.tables', {}],
    ['content.tables.0', null],
    ['content.tables.1.rows', -1],
    ['content.tables.1.name', 7],
    ['content.pageSize', undefined],
    ['content.pageCount', 0.5],
    ['content.objects', '3'],
    ['content.foreignKeyViolations', -1],
    ['verified', null],
    ['verified.level', 'drilled'],
    ['verified.level', ['content']],
    ['verified.at', 'yesterday'],
    ['verified.at', '2026-02-30T00:00:00Z'],
    ['github', 'org/app'],
    ['github.runUrl', 42],
    ['github.actor', undefined],
    ['pinned', true],
    ['pinned', undefined],
    ['pinned', { reason: 'x' }],
    ['pinned', { reason: '', at: '2026-11-20T10:15:00Z' }],
    ['state', 'good'],
    ['state', null],
    ['suspicion', 'small'],
    ['suspicion', { limit: 'toString', why: 'x' }],
    ['suspicion', { limit: 'shrink-limit', why: '' }],
    ['accepted', true],
    ['accepted', { by: 'me' }],
    ['keep', 5],
    ['keep', {}],
    ['keep', { last: 0 }],
    ['s3Keep', { daily: 1.5 }],
    ['keep', { last: '5' }],
    ['coverage', 'everything'],
    ['coverage', { excludeTable: [], excludeTableData: [], schema: [] }],
    ['coverage', { excludeTable: ['b', 'a'], excludeTableData: [], schema: [] }],
    ['coverage', { excludeTable: ['a'], excludeTableData: [] }],
    ['coverage', { excludeTable: [''], excludeTableData: [], schema: [] }],
    ['coverage', { ...UNKNOWN_COVERAGE, unknown: false }],
    ['adopted', true],
    ['historySince', 'always'],
    ['historySince', 7],
    ['accepts', {}],
    ['accepts', ['../../x']],
    ['reason', 'other'],
    ['recovery', 'rm -rf /'],
    ['recovery.0', {}],
  ])('%s may not be %j', (path, value) => {
    const { code, message } = refusalOf(withField(path, value));
    expect(code).toBe('E_MANIFEST');
    expect(message.startsWith(`${FILE}: ${namedField(path, value)}: expected `)).toBe(true);
    expect(message.length).toBeLessThan(500);
  });

  test.each(['', '{', 'null', '[]', '"x"', '42', '{}', '[['.repeat(100_000)])('the text %.20j is refused', (text) => {
    expect(refusalOf(text)).toMatchObject({ code: 'E_MANIFEST', message: expect.stringContaining(FILE) });
  });

  test('of any size is refused before it costs anything', () => {
    const text = serializeManifest(manifestOf(ID));
    expect(refusalOf(text + ' '.repeat(12 << 20)).message).toContain('expected at most 12582912 bytes');
    expect(refusalOf(withField('recovery', Array(100_001).fill(''))).message).toBe(
      `${FILE}: recovery: expected a list of at most 100000, got a list of 100001`,
    );
  });

  test('is not rescued by fields on the prototype', () => {
    const own = JSON.parse(withField('sha256', undefined));
    const text = JSON.stringify(own).replace('{', `{"__proto__":{"sha256":"${'0a'.repeat(32)}"},`);
    expect(refusalOf(text).message).toBe(`${FILE}: sha256: expected a text of 0 to 16384 characters, got nothing`);
  });

  test('can not put a control character into the message', () => {
    const message = refusalOf(withField('reason', '\n::set-output name=x::y\u001b[2J')).message;
    expect(message).toContain('\\n::set-output');
    expect([...message].every((character) => character >= ' ')).toBe(true);
  });

  test('under another file name is refused', () => {
    const text = serializeManifest(manifestOf(ID));
    const other = idAt('2026-11-20T10:15:00Z', 'app', '0002');
    expect(refusalOf(text, other).message).toBe(`${other}.json: id: expected "${other}", got "${ID}"`);
    expect(refusalOf(text, 'no id').code).toBe('E_MANIFEST');
  });

  test('nothing that JSON can say makes the reader fail in another way', () => {
    const paths = [
      '',
      'identity',
      'content',
      'verified',
      'github',
      'pinned',
      'tools',
      'recovery',
      'createdAt',
      'bytes',
    ];
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
        const text = path === '' ? JSON.stringify(value) : withField(path, value);
        try {
          parseManifest(text, ID);
        } catch (error) {
          expect(error).toMatchObject({ code: 'E_MANIFEST' });
        }
      }),
    );
  });
});

test('a manifest that would be refused later is not written', () => {
  expect(() => serializeManifest(manifestOf(ID, { createdAt: '2026-11-20T10:15:00.500Z' }))).toThrow(
    `${FILE}: createdAt: expected the time of the id, 2026-11-20T10:15:00.000Z, got "2026-11-20T10:15:00.500Z"`,
  );
});

/** Which field the message names: a compression that is valid in itself shows as a wrong file name, and so on. */
const INNER: Record<string, string> = {
  '{"limit":"toString","why":"x"}': 'suspicion.limit',
  '{"limit":"shrink-limit","why":""}': 'suspicion.why',
  '{"by":"me"}': 'accepted.at',
  '{"method":"rot13","recipients":[]}': 'encryption.method',
  '{"method":"age"}': 'encryption.recipients',
  '{"method":"age","recipients":["age1",7]}': 'encryption.recipients.1',
  '{"method":"age","recipients":["a\\u001b[31m"]}': 'encryption.recipients.0',
  [`{"method":"age","recipients":["${'x'.repeat(61)}"]}`]: 'encryption.recipients.0',
  [`{"method":"age","recipients":["${Array(21).fill('age1').join('","')}"]}`]: 'encryption.recipients',
  '{"method":"age","recipients":[]}': 'file',
  '["../../x"]': 'accepts.0',
  '{"excludeTable":[],"excludeTableData":[],"schema":[],"unknown":false}': 'coverage.unknown',
  '{"last":0}': 'keep.last',
  '{"daily":1.5}': 's3Keep.daily',
  '{"last":"5"}': 'keep.last',
  '{"excludeTable":["a"],"excludeTableData":[]}': 'coverage.schema',
  '{"excludeTable":[""],"excludeTableData":[],"schema":[]}': 'coverage.excludeTable.0',
};

function namedField(path: string, value: unknown): string {
  const inner = INNER[JSON.stringify(value) ?? ''];
  if (inner !== undefined) return inner;
  if (path === 'pinned' && typeof value === 'object') {
    return (value as { reason: string }).reason === '' ? 'pinned.reason' : 'pinned.at';
  }
  return path;
}

test('an identity has the fields of its own engine, and no others', () => {
  const made = manifestOf(ID);
  const text = JSON.stringify({ ...made, identity: { ...made.identity, database: 'app', systemIdentifier: '123' } });
  expect(() => parseManifest(text, ID)).toThrow(/identity.*database.*no field of another engine/s);
});
