import { describe, expect, test } from '@jest/globals';
import { BackupError } from '../../src/errors.js';
import { Facts } from '../../src/host/session.js';
import { checkAsserts } from '../../src/proving/asserts.js';

function facts(said: Record<string, string>): Facts {
  const made = new Facts();
  for (const [key, text] of Object.entries(said)) made.add(key, text);
  return made;
}

/** The message, or null when each holds. */
function objection(statements: string[], said: Record<string, string>): string | null {
  try {
    checkAsserts(statements, facts(said));
    return null;
  } catch (error) {
    if (!(error instanceof BackupError) || error.code !== 'E_ASSERT') throw error;
    return error.message;
  }
}

describe('a statement', () => {
  test.each(['1', 't', 'true', 'TRUE', '42', '-1', '0.5', '.5', '1e3', '+7', ' 1 '])(
    'that returns %j holds',
    (value) => {
      expect(objection(['SELECT 1'], { assert_1: value })).toBeNull();
    },
  );

  test.each([
    ['0', '0'],
    ['0.0', '0.0'],
    ['-0', '-0'],
    ['0e5', '0e5'],
    ['f', 'f'],
    ['false', 'false'],
    ['', '(nothing)'],
    ['yes', 'yes'],
    ['.', '.'],
    ['1x', '1x'],
    ['NaN', 'NaN'],
  ])('that returns %j does not', (value, shown) => {
    expect(objection(['SELECT 1'], { assert_1: value })).toBe(
      `1 of 1 assertion does not hold in the scratch restore: SELECT 1 returned ${shown}`,
    );
  });

  test('that failed does not, whatever it had printed before', () => {
    const said = { assert_1: '1', assert_error_1: 'no such table: orders\n::error::x' };
    const message = objection(['SELECT 1 FROM orders'], said);
    expect(message).toContain('SELECT 1 FROM orders failed: no such table: orders');
    expect(message).not.toMatch(/^::/m);
  });
});

test('each that does not hold is told, those that do are not', () => {
  const said = { assert_1: '0', assert_2: '1', assert_3: '', assert_error_3: 'syntax error' };
  expect(objection(['SELECT a', 'SELECT b', 'SELECT c'], said)).toBe(
    '2 of 3 assertions do not hold in the scratch restore: SELECT a returned 0; SELECT c failed: syntax error',
  );
});

test('one that the host does not answer is no success', () => {
  expect(() => checkAsserts(['SELECT 1'], facts({}))).toThrow(BackupError);
});
