import { expect, test } from '@jest/globals';
import '../../src/engines/lookup.js';
import { SigningKeys } from '../../src/backups/signature.js';
import { parseJournal } from '../../src/restoring/journal.js';

const ID = 'app-20261120T101500Z-0001';
const JOURNAL = {
  ...{ schema: 1, id: ID, way: 'replace', target: '/srv/app.db', identity: { path: '/srv/app.db' }, container: null },
  ...{ backup: ID, phase: 'swapped', safety: null, checkCommand: 'true', afterBegun: false, checkBegun: false },
  ...{ commandTimeoutMs: 600_000, by: 'octocat' },
};
const read = (change: object) => parseJournal(`restore-${ID}`, JSON.stringify({ ...JOURNAL, ...change }), null);

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
  expect(parseJournal(`restore-${ID}`, text, null)).toBeNull();
});

test('with a key it is believed when it is signed, and read without one', () => {
  const keys = new SigningKeys(['a key of sixteen']);
  const signed = keys.sign(JOURNAL);
  const by = (document: object, those: SigningKeys | null = keys) =>
    parseJournal(`restore-${ID}`, JSON.stringify(document), those);
  expect(by(signed)).toEqual(JOURNAL);
  expect(by(signed, null)).toEqual(JOURNAL);
  expect(by(signed, new SigningKeys(['another key of sixteen', 'a key of sixteen']))).toEqual(JOURNAL);
  for (const forged of [
    JOURNAL,
    { ...signed, mac: null },
    { ...signed, checkCommand: 'false' },
    { ...signed, checkCommand: null },
    { ...signed, phase: 'begun' },
    { ...signed, more: 1 },
    new SigningKeys(['another key of sixteen']).sign(JOURNAL),
  ]) {
    expect(by(forged)).toBeNull();
  }
});
