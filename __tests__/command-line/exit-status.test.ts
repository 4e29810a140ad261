import { expect, test } from '@jest/globals';
import { exitStatusOf, worstOf } from '../../src/command-line/exit-status.js';
import { ERRORS } from '../../src/error-codes.js';
import type { ErrorCode } from '../../src/errors.js';

test.each<[boolean, ErrorCode | '', number]>([
  [true, '', 0],
  [false, '', 1],
  [false, 'E_CONNECT', 1],
  [false, 'E_INPUT', 2],
  [false, 'E_CONFIRM', 2],
  [false, 'E_SHRUNK', 3],
  [false, 'E_STALE', 3],
  [false, 'E_UNHEALTHY', 3],
  [false, 'E_CANCELLED', 130],
])('ok %j and %j is %i', (ok, errorCode, expected) => {
  expect(exitStatusOf({ ok, errorCode })).toBe(expected);
});

test('no code is success', () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[])
    expect(exitStatusOf({ ok: true, errorCode: code })).not.toBe(0);
});

test('of several the worst', () => {
  const order = [0, 3, 2, 1, 130];
  for (const [i, one] of order.entries())
    for (const [k, other] of order.entries()) expect(worstOf(one, other)).toBe(order[Math.max(i, k)]);
});
