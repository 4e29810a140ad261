import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { COMMANDS } from '../../src/settings/settings.js';
import { accepted, type Given, problems, reading } from './given-inputs.js';

const LOCAL: Given = { transport: 'local', database: '/srv/app.db', pin: 'why', backup: 'app-20261120T101500Z-7f3a' };
const [FIRST, SECOND] = ['first key of sixteen', 'second key of sixteen'];
const keysOf = async (key: string) =>
  (await accepted({ ...LOCAL, command: 'pin', 'signing-key': key })).settings.signing;

test('the first line signs, each verifies; blanks around lines and blank lines mean nothing', async () => {
  const both = await keysOf(`\r\n  ${FIRST}\t\r\n\n ${SECOND} \n`);
  const [first, second] = [await keysOf(FIRST), await keysOf(SECOND)];
  const [ofBoth, ofFirst, ofSecond] = [both, first, second].map((keys) => keys?.sign({ a: 1, mac: null }));
  expect(ofBoth).toEqual(ofFirst);
  expect([ofFirst, ofSecond].map((signed) => both?.verdict(signed ?? {}))).toEqual(['signed', 'signed']);
  expect(second?.verdict(ofFirst ?? {})).toBe('forged');
});

test.each(COMMANDS)('command %s takes it', async (command) => {
  const given: Given = { ...LOCAL, command, 'signing-key': FIRST };
  const { warnings } = await accepted(given);
  expect(warnings.filter((warning) => warning.startsWith('signing-key'))).toEqual([]);
});

describe('is refused, and never shown', () => {
  test.each([
    ['of fifteen sign', 'expected at least 16 characters in each line, for example from `openssl rand -base64 32`'],
    [`${FIRST}\nshort`, 'expected at least 16 characters in each line, for example from `openssl rand -base64 32`'],
    [`${FIRST}\n${SECOND}\n ${FIRST}`, 'expected each line only once'],
  ])('%j', async (key, rule) => {
    expect(await problems({ ...LOCAL, command: 'pin', 'signing-key': key })).toEqual([`signing-key: ${rule}`]);
  });
});

test('each line is masked by itself', async () => {
  const { masks } = await reading({ ...LOCAL, 'signing-key': `  ${FIRST}  \n${SECOND}` });
  expect(masks).toEqual(expect.arrayContaining([FIRST, SECOND]));
});

test('no text that is made of the settings has it', async () => {
  const { settings } = await accepted({ ...LOCAL, command: 'list', 'signing-key': FIRST });
  for (const text of [
    JSON.stringify(settings),
    inspect(settings, { depth: 9, showHidden: true }),
    `${settings.signing}`,
  ]) {
    expect(text).not.toContain(FIRST);
    expect(text).not.toContain(Buffer.from(FIRST).toString('hex'));
  }
});
