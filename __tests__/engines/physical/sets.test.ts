import { describe, expect, test } from '@jest/globals';
import { parseLsn, readSets } from '../../../src/engines/physical/sets.js';
import { BackupError } from '../../../src/errors.js';

// biome-ignore lint/suspicious/noExplicitAny: a document is changed anywhere
type Json = any;

/** As pgBackRest 2.45 prints it, with the larger number of the system as it is written there. */
const SAID = `[{"archive":[{"database":{"id":1,"repo-key":1},"id":"15-1","max":"00000001000000000000005A","min":"000000010000000000000001"}],
"backup":[{"archive":{"start":"000000010000000000000028","stop":"000000010000000000000028"},
 "backrest":{"format":5,"version":"2.45"},"database":{"id":1,"repo-key":1},"error":false,
 "info":{"delta":941419379,"repository":{"delta":453700000,"size":453700000},"size":941419379},
 "label":"20261129-180954F","lsn":{"start":"0/28000028","stop":"0/28000138"},
 "prior":null,"reference":null,"timestamp":{"start":1795975794,"stop":1795975826},"type":"full"},
 {"annotation":{"bars":"abc123","note":"hello w"},
 "archive":{"start":"000000010000000000000051","stop":"000000010000000000000051"},
 "backrest":{"format":5,"version":"2.45"},"database":{"id":1,"repo-key":1},"error":false,
 "info":{"delta":99344652,"repository":{"delta":49018086,"size":453772461},"size":941419379},
 "label":"20261129-180954F_20261129-181444I","lsn":{"start":"0/51000028","stop":"0/51000100"},
 "prior":"20261129-180954F","reference":["20261129-180954F"],
 "timestamp":{"start":1795976084,"stop":1795976093},"type":"incr"}],
"cipher":"none","db":[{"id":1,"repo-key":1,"system-id":7713656104600181068,"version":"15"}],"name":"main",
"repo":[{"cipher":"none","key":1,"status":{"code":0,"message":"ok"}}],
"status":{"code":0,"lock":{"backup":{"held":false}},"message":"ok"}}]`;
const FULL = '20261129-180954F';
const INCR = `${FULL}_20261129-181444I`;

/** With its one stanza changed. The number of the system loses its last digits by that. */
function changed(change: (stanza: Json) => void): string {
  const [stanza] = JSON.parse(SAID);
  change(stanza);
  return JSON.stringify([stanza]);
}

/** With a field of its full backup set to another value, or its incremental one with `1`. */
const withField = (path: string, value: unknown, index = 0) =>
  changed(({ backup }) => {
    const keys = path.split('.');
    const last = keys.pop() ?? '';
    keys.reduce((at, key) => at[key], backup[index])[last] = value;
  });

function failure(said: string): BackupError {
  try {
    readSets(said, 'main');
  } catch (error) {
    if (error instanceof BackupError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

test('what 2.45 prints', () => {
  expect(readSets(SAID, 'main')).toEqual({
    ...{ key: 1, exists: true },
    clusters: [{ id: 1, systemId: '7713656104600181068', version: '15', archive: '15-1' }],
    sets: [
      {
        ...{ label: FULL, type: 'full', prior: null },
        startedAt: new Date('2026-11-29T18:09:54Z'),
        stoppedAt: new Date('2026-11-29T18:10:26Z'),
        ...{ startWal: '000000010000000000000028', stopWal: '000000010000000000000028', stopLsn: 0x28000138n },
        ...{ clusterBytes: 941_419_379, newBytes: 453_700_000, hasErrors: false, clusterId: 1, tool: '2.45' },
      },
      {
        ...{ label: INCR, type: 'incr', prior: FULL },
        startedAt: new Date('2026-11-29T18:14:44Z'),
        stoppedAt: new Date('2026-11-29T18:14:53Z'),
        ...{ startWal: '000000010000000000000051', stopWal: '000000010000000000000051', stopLsn: 0x51000100n },
        ...{ clusterBytes: 941_419_379, newBytes: 49_018_086, hasErrors: false, clusterId: 1, tool: '2.45' },
      },
    ],
  });
});

test.each([
  [
    'block incremental',
    ({ backup }: Json) => {
      for (const { info } of backup) {
        delete info.repository.size;
        Object.assign(info.repository, { 'delta-map': 250_000, 'size-map': 250_000 });
      }
    },
  ],
  [
    'locks of later versions',
    ({ status }: Json) => {
      Object.assign(status.lock, { restore: { held: true } });
      Object.assign(status.lock.backup, { held: true, size: 9, 'size-cplt': 3, repo: [{ key: 1 }] });
    },
  ],
  [
    'annotations with any names',
    ({ backup }: Json) => {
      backup[0].annotation = { label: 'x', type: 'y', 'system-id': 'z', '"system-id":7': '"system-id":8' };
    },
  ],
  [
    'keys that nobody knows yet',
    (stanza: Json) => {
      Object.assign(stanza, { future: [1] });
      Object.assign(stanza.backup[0], { future: { label: 'x' } });
    },
  ],
  [
    'no word on errors',
    ({ backup }: Json) => {
      delete backup[0].error;
      backup[1].error = null;
    },
  ],
])('%s changes nothing', (_, change) => {
  expect(readSets(changed(change), 'main').sets).toEqual(readSets(SAID, 'main').sets);
});

test.each(['9223372036854775808', '18446744073709551615', '9007199254740993', '1'])(
  'the number %s of a system is kept as it is',
  (number) => {
    for (const blank of ['', ' ', '\n  ']) {
      const said = SAID.replace('"system-id":7713656104600181068', `"system-id":${blank}${number}`);
      expect(readSets(said, 'main').clusters[0]?.systemId).toBe(number);
    }
  },
);

test.each(['-1', '1.5', '1e3', '123456789012345678901', '"::error::x"', 'null', '[1]', '{}', 'true'])(
  'a system cannot be %s',
  (value) => {
    expect(failure(SAID.replace('7713656104600181068', value))).toMatchObject({ code: 'E_MANIFEST' });
  },
);

test('error: true is told', () => {
  expect(readSets(withField('error', true), 'main').sets.map(({ hasErrors }) => hasErrors)).toEqual([true, false]);
});

test('a cluster that was upgraded has two archives, in order, and its sets are in the order in which they ended', () => {
  const said = changed((stanza) => {
    stanza.db.unshift({ id: 2, 'repo-key': 1, 'system-id': 1, version: '9.6' });
    stanza.backup.reverse();
  });
  const { clusters, sets } = readSets(said, 'main');
  expect(clusters.map(({ archive }) => archive)).toEqual(['15-1', '9.6-2']);
  expect(sets.map(({ label }) => label)).toEqual([FULL, INCR]);
});

describe('stanzas', () => {
  test.each([
    ['none', '[]'],
    ['another one', SAID.replace('"name":"main"', '"name":"other"')],
    ['one by the name of a prototype', SAID.replace('"name":"main"', '"name":"__proto__"')],
    ['one whose name is no text', SAID.replace('"name":"main"', '"name":["main"]')],
  ])('%s', (_, said) => {
    expect(readSets(said, 'main')).toEqual({ key: 1, exists: false, clusters: [], sets: [] });
  });

  test('what other ones hold is not read', () => {
    const said = SAID.replace('[{', '[{"name":"other","backup":"rubbish"},null,7,{');
    expect(readSets(said, 'main')).toEqual(readSets(SAID, 'main'));
  });
});

describe('the status of the repository', () => {
  const empty = (code: number, message: string) =>
    changed((stanza) => {
      Object.assign(stanza, { backup: [], db: [], archive: [], status: { code, message: 'other' } });
      stanza.repo[0].status = { code, message };
    });

  test.each([
    [1, 'missing stanza path'],
    [3, 'missing stanza data'],
  ])('%d: there is no stanza', (code, message) => {
    expect(readSets(empty(code, message), 'main')).toMatchObject({ exists: false, sets: [] });
  });

  test('2: there is no backup yet', () => {
    const said = changed((stanza) => {
      stanza.backup = [];
      stanza.status = { code: 2, message: 'no valid backups' };
      stanza.repo[0].status = stanza.status;
    });
    expect(readSets(said, 'main')).toMatchObject({ exists: true, sets: [], clusters: [{ archive: '15-1' }] });
  });

  test('99: it cannot be read, and says why', () => {
    const found = failure(
      empty(99, '[CryptoError] cipher \u0001\u001b[31m\ufffd\u0085##[error]x\n::set-output::\ud800 pass'),
    );
    expect(found.code).toBe('E_ARCHIVE');
    expect(found.message).toContain('the repository cannot be read: [CryptoError] cipher');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
    expect(found.message).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]|##\[|^::/m);
    expect(failure(empty(99, "unable to open '/r': [13] Permission denied"))).toMatchObject({ code: 'E_PERM' });
    expect(failure(empty(99, 'x'.repeat(16_000))).message.length).toBeLessThan(700);
    expect(failure(empty(77, ''))).toMatchObject({ code: 'E_ARCHIVE' });
  });

  test('99 without a word on repositories', () => {
    const said = changed((stanza) => {
      Object.assign(stanza, { repo: [], status: { code: 99, message: 'HTTP request failed with 403' } });
    });
    expect(failure(said).message).toContain('403');
  });
});

describe('of two repositories', () => {
  const two = (change: (stanza: Json) => void = () => {}) =>
    changed((stanza) => {
      stanza.repo.unshift({ cipher: 'none', key: 2, status: { code: 0, message: 'ok' } });
      stanza.db.push({ ...stanza.db[0], 'repo-key': 2, id: 4 });
      const [full] = stanza.backup;
      // the other one holds a backup by a label that this one has as well, and may say of it what it likes
      stanza.backup.push({ ...full, database: { id: 4, 'repo-key': 2 }, error: true });
      change(stanza);
    });

  test('the first counts, in whatever order they are listed', () => {
    const { key, clusters, sets } = readSets(two(), 'main');
    expect({ key, ids: clusters.map(({ id }) => id) }).toEqual({ key: 1, ids: [1] });
    expect(sets).toEqual(readSets(SAID, 'main').sets);
  });

  test('that the other one cannot be read does not matter', () => {
    const said = two((stanza) => {
      Object.assign(stanza.repo[0].status, { code: 99, message: 'gone' });
      Object.assign(stanza.status, { code: 4, message: 'different across repos' });
    });
    expect(readSets(said, 'main').sets).toHaveLength(2);
  });

  test('that the first one cannot be read does', () => {
    expect(failure(two((stanza) => Object.assign(stanza.repo[1].status, { code: 99, message: 'gone' })))).toMatchObject(
      {
        code: 'E_ARCHIVE',
      },
    );
  });

  test('the first one may be new, while the other one has backups', () => {
    const said = two((stanza) => {
      Object.assign(stanza.repo[1].status, { code: 1, message: 'missing stanza path' });
      for (const kind of ['db', 'backup']) {
        stanza[kind] = stanza[kind].filter((one: Json) => (one.database ?? one)['repo-key'] === 2);
      }
    });
    expect(readSets(said, 'main')).toEqual({ key: 1, exists: false, clusters: [], sets: [] });
  });

  test('a stanza that is missing where there are backups of it is not believed', () => {
    const said = two((stanza) => Object.assign(stanza.repo[1].status, { code: 1, message: 'missing stanza path' }));
    expect(failure(said)).toMatchObject({ code: 'E_ARCHIVE' });
  });
});

describe('a hostile repository', () => {
  test.each<[string, string, RegExp]>([
    ['a label with a path', withField('label', '../../etc/passwd'), /backup\.0\.label: expected the label of a backup/],
    ['a label with an option', withField('label', `${FULL} --x`), /backup\.0\.label/],
    ['a label with a line break', withField('label', `${FULL}\n`), /backup\.0\.label/],
    ['a label that is a number', withField('label', 20_261_129), /backup\.0\.label/],
    ['a full one by the label of a difference', withField('type', 'full', 1), /is called full/],
    ['an incremental one that is called diff', withField('type', 'diff', 1), /I is called diff/],
    ['a difference by the label of a full one', withField('type', 'incr'), /F is called incr/],
    ['another type', withField('type', 'toString'), /backup\.0\.type: expected "full" or "diff" or "incr"/],
    ['a full one that follows another', withField('prior', INCR), /is full, but follows/],
    ['a difference to nothing', withField('prior', null, 1), /is incr, but follows nothing/],
    ['a prior one that is not there', withField('prior', '20261129-180953F', 1), /which is not there/],
    ['a prior one that was left out', changed(({ backup }) => delete backup[1].prior), /backup\.1\.prior/],
    ['one that follows itself', withField('prior', INCR, 1), /of another chain/],
    ['the end before the beginning', withField('timestamp.stop', 1_795_975_793), /ended before it began/],
    [
      'a difference that ended before what it follows',
      withField('timestamp', { start: 1, stop: 2 }, 1),
      /another chain/,
    ],
    ['a time after the year 9999', withField('timestamp.stop', 253_402_300_800), /timestamp\.stop: expected a time/],
    ['a time before 1970', withField('timestamp.start', -1), /timestamp\.start: expected a whole number/],
    ['a fraction of a second', withField('timestamp.start', 1.5), /timestamp\.start/],
    ['a time in words', withField('timestamp.start', '1795975794'), /timestamp\.start/],
    ['a size that is no number of JavaScript', withField('info.size', 2 ** 53), /info\.size/],
    ['a negative size', withField('info.repository.delta', -1), /info\.repository\.delta/],
    ['no size', withField('info', null), /backup\.0\.info: expected an object/],
    ['an error in words', withField('error', 'false'), /backup\.0\.error/],
    [
      'WAL of another form',
      withField('archive.stop', '00000001000000000000002g'),
      /archive\.stop: expected the name of a WAL/,
    ],
    ['no WAL', withField('archive', { start: null, stop: null }), /made without online backup/],
    ['no LSN', withField('lsn.stop', null), /made without online backup/],
    ['an LSN of another form', withField('lsn.stop', '0/123456789'), /lsn\.stop: expected an LSN/],
    [
      'WAL that ends before it begins',
      withField('archive.stop', '000000010000000000000027'),
      /needs WAL from .*28 to .*27/,
    ],
    ['WAL of two timelines', withField('archive.stop', '000000020000000000000028'), /needs WAL from/],
    ['a version with a command', withField('backrest.version', '2.45\n::stop-commands::x'), /backrest\.version/],
    ['a cluster without a number', withField('database.id', 0), /database\.id/],
    [
      'an archive that would be a path',
      changed(({ db }) => Object.assign(db[0], { version: '../15' })),
      /db\.0\.version/,
    ],
    ['no list of backups', changed((stanza) => Object.assign(stanza, { backup: {} })), /backup: expected a list/],
    [
      'more than a list can hold',
      changed((stanza) => Object.assign(stanza, { db: Array(100_001).fill(0) })),
      /db: expected a list/,
    ],
    ['no status', changed((stanza) => delete stanza.status), /status: expected an object/],
  ])('%s', (_, said, message) => {
    const found = failure(said);
    expect(found.message).toMatch(message);
    expect(found.code).toBe('E_MANIFEST');
    expect(found.hint).toContain('pgbackrest info');
  });

  test('a backup that is listed twice', () => {
    expect(failure(changed(({ backup }) => backup.push(backup[0]))).message).toContain('it lists a backup twice');
  });

  test('two that follow each other', () => {
    const [a, b] = [`${FULL}_20261129-181444I`, `${FULL}_20261129-181445I`];
    const said = changed(({ backup }) => {
      backup.push({ ...backup[1], label: b, prior: a });
      backup[1].prior = b;
    });
    expect(failure(said).message).toMatch(/of another chain/);
  });

  test('a difference to the full one of another chain', () => {
    const other = '20261128-180954F';
    const said = changed(({ backup }) => {
      backup.push({ ...backup[0], label: other });
      backup[1].prior = other;
    });
    expect(failure(said).message).toMatch(/of another chain/);
  });

  test('what lies under __proto__ is not taken for a field', () => {
    const said = SAID.replace('"type":"full"', '"__proto__":{"type":"full"}');
    expect(failure(said).message).toMatch(/backup\.0\.type/);
    const more = SAID.replace('"type":"full"', '"__proto__":{"error":true,"label":"x"},"constructor":7,"type":"full"');
    expect(readSets(more, 'main')).toEqual(readSets(SAID, 'main'));
    expect(({} as Json).error).toBeUndefined();
  });

  test.each([
    ...['', 'null', '{}', '{"name":"main"}', '7', '"[]"', '[', 'ERROR: [055]: no such file', '[]]', '\u0000'],
    '::error::x\u001b[31m\n##[endgroup]',
  ])('%j is no list', (said) => {
    const { code, message } = failure(said);
    expect(code).toBe('E_MANIFEST');
    expect(message).toMatch(/it is no list in JSON, but begins with "/);
    expect(message).not.toMatch(/\n|##\[|^::/);
  });

  test('12 MB of it', () => {
    expect(failure('x'.repeat(12 << 20)).message.length).toBeLessThan(300);
    expect(failure('"system-id":'.repeat(1 << 20)).code).toBe('E_MANIFEST');
    expect(readSets(`${'['.repeat(6 << 20)}${']'.repeat(6 << 20)}`, 'main')).toMatchObject({ exists: false });
    const many = changed(({ backup }) => {
      for (let at = 0; at < 25_000; at++) {
        const time = new Date(Date.parse('2026-11-29T18:14:45Z') + at * 1000).toISOString();
        const label = `${FULL}_${time.slice(0, 19).replace(/[-:]/g, '').replace('T', '-')}I`;
        backup.push({ ...backup[1], label, prior: backup.at(-1).label });
      }
    });
    expect(many.length).toBeGreaterThan(8_000_000);
    expect(readSets(many, 'main').sets).toHaveLength(25_002);
  });
});

test.each<[string, bigint]>([
  ['0/0', 0n],
  ['16/B374D848', 0x16_b374_d848n],
  ['FFFFFFFF/FFFFFFFF', 2n ** 64n - 1n],
])('the LSN %s', (text, number) => expect(parseLsn(text)).toBe(number));
