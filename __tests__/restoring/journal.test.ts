import { expect, test } from '@jest/globals';
import '../../src/engines/lookup.js';
import { parseJournal } from '../../src/restoring/journal.js';

const ID = 'app-20261120T101500Z-0001';
const JOURNAL = {
  ...{ schema: 1, id: ID, way: 'replace', target: '/srv/app.db', identity: { path: '/srv/app.db' }, container: null },
  ...{ backup: ID, phase: 'swapped', safety: null, checkCommand: 'true', afterBegun: false, checkBegun: false },
  ...{ commandTimeoutMs: 600_000, by: 'octocat' },
};
const read = (change: object) => parseJournal(`restore-${ID}`, JSON.stringify({ ...JOURNAL, ...change }));

test('a journal as it is written', () => {
  expect(read({})).toEqual(JOURNAL);
});

test.each([
  { schema: 2 },
  { id: 'app-20261120T101500Z-0002' },
  { way: null },
  { identity: null },
  { identity: [] },
  { identity: { path: 'app.db' } },
  { identity: { path: '/srv/app.db', database: 'app' } },
  { container: 1 },
  { phase: 'done' },
  { safety: undefined },
  { checkCommand: ['true'] },
  { afterBegun: 'false' },
  { commandTimeoutMs: '600000' },
  { commandTimeoutMs: 999 },
  { commandTimeoutMs: 1e12 },
  { commandTimeoutMs: null },
])('is not believed with %j', (change) => {
  expect(read(change)).toBeNull();
});

test.each(['', 'null', '[]', '{', '"text"', '[[[['])('no journal: %j', (text) => {
  expect(parseJournal(`restore-${ID}`, text)).toBeNull();
});
