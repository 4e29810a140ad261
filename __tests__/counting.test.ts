import { expect, test } from '@jest/globals';
import { plural } from '../src/counting.js';

test('a noun fits its number', () => {
  expect([0, 1, 2].map((count) => plural(count, 'table'))).toEqual(['0 tables', '1 table', '2 tables']);
  expect([1, 2].map((count) => plural(count, 'process', 'processes'))).toEqual(['1 process', '2 processes']);
});
