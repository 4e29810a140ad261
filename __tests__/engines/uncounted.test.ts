import { expect, test } from '@jest/globals';
import { postgresDatabase } from '../../src/engines/postgres/database.js';
import { parsePostgresUrl } from '../../src/engines/postgres/url.js';
import { Facts } from '../../src/host/facts.js';

const database = postgresDatabase(parsePostgresUrl('postgresql://app@db/shop').source, { format: 'custom' });

/** Of a backup whose first tables were counted. */
function factsOf(tables: number, counted: number, more: Record<string, string> = {}): Facts {
  const facts = new Facts();
  facts.add('checked', '1');
  for (let oid = 0; oid < tables; oid++) {
    facts.add('table', `${oid} ${Buffer.from(`t${oid}`).toString('hex')}`);
    if (oid < counted) facts.add('rows', `${oid} 7`);
  }
  for (const [key, text] of Object.entries(more)) facts.add(key, text);
  return facts;
}

test('rows that were not counted for want of time are a note, and no problem', () => {
  const one = factsOf(3, 2);
  expect(database.remarks(one)).toEqual([]);
  expect(database.notes?.(one)).toEqual([
    'the rows of 1 table were not counted, because counting them would have taken more than a tenth of the time of the dump: t2',
  ]);
  expect(database.notes?.(factsOf(900, 0))).toEqual([
    'the rows of 900 tables were not counted, because counting them would have taken more than a tenth of the time of the dump: t0, t1, t2, t3, t4, ...',
  ]);
  expect(database.notes?.(factsOf(3, 3))).toEqual([]);
});

test('those that are not counted for what their indexes call are told apart', () => {
  const guarded = factsOf(3, 1, { guarded: '2', role: Buffer.from('admin').toString('hex') });
  expect(database.notes?.(guarded)).toEqual([
    expect.stringMatching(
      /^the rows of 1 table were not counted, because their indexes .* to the role admin nor to a superuser.*: t2$/,
    ),
    expect.stringMatching(/^the rows of 1 table were not counted, because counting them would have taken .*: t1$/),
  ]);
});

test('a session that ended early is a problem', () => {
  const ended = factsOf(3, 1, { counting_ended: 'terminated by the administrator' });
  expect(database.notes?.(ended)).toEqual([]);
  expect(database.remarks(ended)).toEqual([
    'the rows of 2 tables were not counted, because the session that counts them ended early (terminated by the administrator): t1, t2',
  ]);
});
