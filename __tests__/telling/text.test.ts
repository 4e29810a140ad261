import { expect, test } from '@jest/globals';
import { bytes, discordEscape, entity, jsonBytes, within } from '../../src/telling/text.js';

test.each([
  ['abc', 3, 'abc'],
  ['abcd', 3, 'ab…'],
  ['', 3, ''],
  ['🐘🐘', 4, '🐘🐘'],
  ['🐘🐘🐘', 4, '🐘…'],
])('%j within %d characters is %j', (text, most, expected) => {
  expect(within(text, most)).toBe(expected);
});

test('no escape is cut in two, and each counts', () => {
  expect(within('a<b>c', 11, entity)).toBe('a&lt;b&gt;c');
  expect(within('a<b>c', 10, entity)).toBe('a&lt;b…');
  expect(within('a<b>c', 6, entity)).toBe('a&lt;…');
  expect(within('a<b>c', 5, entity)).toBe('a…');
  expect(within('**', 3, discordEscape)).toBe('\\*…');
});

test('bytes, also as they stand in JSON', () => {
  expect(within('äöü', 6, undefined, bytes)).toBe('äöü');
  expect(within('äöü!', 6, undefined, bytes)).toBe('ä…');
  expect(within('"""', 6, undefined, jsonBytes)).toBe('"""');
  expect(within('""""', 6, undefined, jsonBytes)).toBe('"…');
});
