import { expect, test } from '@jest/globals';
import { tokensOf, tracesOf } from '../../src/settings/url-parts.js';

test.each([
  ['/pa%C3%BCth/sec%2Fret9', ['/pa%C3%BCth/sec%2Fret9', '/paüth/sec/ret9', 'sec%2Fret9', 'sec/ret9']],
  ['/ops?key=abcdefg%2F8', ['/ops?key=abcdefg%2F8', '/ops?key=abcdefg/8', '/ops', 'abcdefg%2F8', 'abcdefg/8']],
  ['/ops?opensesaMe', ['/ops?opensesaMe', '/ops', 'opensesaMe']],
  ['/a+b%zzcdefg1', ['/a+b%zzcdefg1', 'a+b%zzcdefg1']],
])('tokens, and the path that they are in: %s', (path, tokens) => {
  expect(tokensOf(new URL(path, 'https://example.org')).sort()).toEqual([...tokens].sort());
});

test.each(['/', '/db-backups', '/srv/production-database?name=caf%C3%A9-database', '/v1?api=2'])(
  'words are none, which a path or a name on the host may be made of: %s',
  (path) => {
    expect(tokensOf(new URL(path, 'https://example.org'))).toEqual([]);
  },
);

test('shorter than asked for is none', () => {
  expect(tokensOf(new URL('https://example.org/production-2'), 16)).toEqual([]);
});

test('traces are words as well, the longest first; a path of a letter is none', () => {
  const traces = tracesOf(new URL('https://example.org/ops/opensesame?a=b'));
  expect(traces).toEqual(['/ops/opensesame?a=b', '/ops/opensesame', 'opensesame']);
  expect(tracesOf(new URL('https://example.org/a'))).toEqual([]);
});
