import { describe, expect, test } from '@jest/globals';
import { Secrets } from '../../src/platform/secrets.js';

function hidden(text: string, ...secrets: string[]): string {
  const all = new Secrets();
  for (const secret of secrets) all.add(secret);
  return all.hidden(text);
}

describe('a secret is not shown', () => {
  test.each<[string, string, string, string]>([
    ['wherever it stands', 'a hunter2 b hunter2', 'hunter2', 'a *** b ***'],
    ['short as it may be', 'an x', 'x', 'an ***'],
    ['with characters that mean something in patterns', 'is $&.*(a|b)', '$&.*(a|b)', 'is ***'],
    ['as it stands in JSON', String.raw`{"p":"a\"b\\c"}`, 'a"b\\c', '{"p":"***"}'],
    ['as it stands in a URL', 'postgres://u:p%40ss%2Fw@h', 'p@ss/w', 'postgres://u:***@h'],
    ['half of a surrogate pair in it', 'a \ud800b c', '\ud800b', 'a *** c'],
  ])('%s', (_, text, secret, shown) => {
    expect(hidden(text, secret)).toBe(shown);
  });

  test('each line of a key, but for its frame and what is too short to be one', () => {
    const key =
      '-----BEGIN OPENSSH PRIVATE KEY-----\r\nfirstline\r\n  second+/line\r\nA==\r\n-----END OPENSSH PRIVATE KEY-----';
    expect(hidden(key, key)).toBe('***');
    expect(hidden('firstline, second+/line', key)).toBe('***, ***');
    expect(hidden('A== of -----BEGIN OPENSSH PRIVATE KEY-----', key)).toBe(
      'A== of -----BEGIN OPENSSH PRIVATE KEY-----',
    );
  });

  test('one that is in another, whichever was told first', () => {
    expect(hidden('pass, password', 'pass', 'password')).toBe('***, ***');
    expect(hidden('pass, password', 'password', 'pass')).toBe('***, ***');
  });

  test('none: the text is as it was', () => {
    expect(hidden('a\nb', '')).toBe('a\nb');
  });
});
