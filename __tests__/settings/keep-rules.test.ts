import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatKeep, parseKeep } from '../../src/settings/keep-rules.js';

const COUNT = 'expected a whole number from 1 to 100000';
const RULES = 'last, within, hourly, daily, weekly, monthly, yearly';

describe('parseKeep', () => {
  test.each([
    ['5', { last: 5 }],
    [' 5\n', { last: 5 }],
    ['100000', { last: 100_000 }],
    ['daily=7 weekly=4 monthly=12', { daily: 7, weekly: 4, monthly: 12 }],
    ['daily=7,weekly=4', { daily: 7, weekly: 4 }],
    ['daily=7, weekly=4,\n\tyearly=1,', { daily: 7, weekly: 4, yearly: 1 }],
    ['last = 3\r\nhourly= 24', { last: 3, hourly: 24 }],
    ['within=30d', { within: 2_592_000_000 }],
    ['within=90s last=1', { within: 90_000, last: 1 }],
    ['last=007', { last: 7 }],
  ])('%j', (text, rules) => {
    expect(parseKeep(text)).toEqual(rules);
  });

  test.each([
    ['', 'expected rules such as "5" or "daily=7 weekly=4", got ""'],
    [' , ', 'expected rules such as "5" or "daily=7 weekly=4", got ""'],
    ['seven', 'expected rules such as "5" or "daily=7 weekly=4", got "seven"'],
    ['daily=7 seven', 'expected rules such as "5" or "daily=7 weekly=4", got "seven"'],
    ['daily=7 5', 'expected rules such as "5" or "daily=7 weekly=4", got "5"'],
    ['5 6', 'expected rules such as "5" or "daily=7 weekly=4", got "5"'],
    ['-1', 'expected rules such as "5" or "daily=7 weekly=4", got "-1"'],
    ['daily', 'expected rules such as "5" or "daily=7 weekly=4", got "daily"'],
    ['daily==7', 'expected rules such as "5" or "daily=7 weekly=4", got "daily==7"'],
    ['daily:7', 'expected rules such as "5" or "daily=7 weekly=4", got "daily:7"'],
    ['0', `${COUNT}, got "0"`],
    ['100001', `${COUNT}, got "100001"`],
    ['99999999999999999999', `${COUNT}, got "99999999999999999999"`],
    ['daily=0', `${COUNT}, got "daily=0"`],
    ['daily=-1', `${COUNT}, got "daily=-1"`],
    ['daily=7.5', `${COUNT}, got "daily=7.5"`],
    ['daily=1e2', `${COUNT}, got "daily=1e2"`],
    ['daily=', `${COUNT}, got "daily="`],
    ['daily=7d', `${COUNT}, got "daily=7d"`],
    ['fortnightly=2', `unknown rule, expected one of ${RULES}, got "fortnightly=2"`],
    ['Daily=2', `unknown rule, expected one of ${RULES}, got "Daily=2"`],
    ['constructor=2', `unknown rule, expected one of ${RULES}, got "constructor=2"`],
    ['=2', `unknown rule, expected one of ${RULES}, got "=2"`],
    ['daily=7 daily=7', 'the rule daily is given twice, got "daily=7 daily=7"'],
    ['within=30', 'expected a duration such as 90s, 30m, 26h or 7d, got "within=30"'],
    ['within=0d', 'expected a duration from 1s to 100000d, got "within=0d"'],
    ['within=100001d', 'expected a duration from 1s to 100000d, got "within=100001d"'],
  ])('refuses %j', (text, message) => {
    expect(() => parseKeep(text)).toThrow(new Error(message));
  });
});

describe('formatKeep', () => {
  test('writes the rules in their order', () => {
    expect(formatKeep({ yearly: 1, within: 2_592_000_000, last: 5 })).toBe('last=5 within=30d yearly=1');
  });

  test('is read back by parseKeep', () => {
    const count = fc.integer({ min: 1, max: 100_000 });
    const rules = fc.record(
      {
        last: count,
        within: fc.integer({ min: 1, max: 100_000 * 86_400 }).map((seconds) => seconds * 1_000),
        hourly: count,
        daily: count,
        weekly: count,
        monthly: count,
        yearly: count,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(
        rules.filter((some) => Object.keys(some).length > 0),
        (some) => {
          expect(parseKeep(formatKeep(some))).toEqual(some);
        },
      ),
    );
  });
});
