import { expect, test } from '@jest/globals';
import { BackupError, sentences } from '../src/errors.js';

test('sentences leave no blanks for what is not said', () => {
  expect(sentences('One.', '', ' ', ' Two. ', 'Three.')).toBe('One. Two. Three.');
  expect(sentences('', '')).toBe('');
});

test('a hint that was added to an empty one does not begin with a blank', () => {
  const { message, hint } = new BackupError('E_HOOK', 'it failed ', `${''} Do that.`);
  expect({ message, hint }).toEqual({ message: 'it failed', hint: 'Do that.' });
});
