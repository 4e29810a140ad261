import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseHostPath } from '../../src/settings/host-path.js';

const BELOW = 'expected a path below "/" or below the home of the login user';
const DOTS = 'expected a path without ".." segments';
const CONTROL = 'expected a path without control characters';

describe('parseHostPath', () => {
  test.each([
    ['/srv/app/app.db', '/srv/app/app.db'],
    ['db-backups', 'db-backups'],
    ['./db-backups', 'db-backups'],
    ['~/db-backups', 'db-backups'],
    ['~/./a//b/./c/', 'a/b/c'],
    ['//srv//app.db', '/srv/app.db'],
    ["/srv/it's $HOME/`x`", "/srv/it's $HOME/`x`"],
    ['/srv/~/x', '/srv/~/x'],
    ['a~b', 'a~b'],
    ['...', '...'],
    ['/a/..b/c..', '/a/..b/c..'],
    ['-x', '-x'],
    ['/srv/größe', '/srv/größe'],
    [`/${'a'.repeat(4095)}`, `/${'a'.repeat(4095)}`],
  ])('%j', (text, path) => {
    expect(parseHostPath(text)).toBe(path);
  });

  test.each([
    ['', BELOW],
    ['/', BELOW],
    ['//', BELOW],
    ['/./', BELOW],
    ['.', BELOW],
    ['./', BELOW],
    ['~', BELOW],
    ['~/', BELOW],
    ['..', DOTS],
    ['../x', DOTS],
    ['/srv/../etc', DOTS],
    ['~/..', DOTS],
    ['a/..', DOTS],
    ['~root/x', 'expected a path without "~user": write an absolute path, or "~/" for your own home'],
    ['a\nb', CONTROL],
    ['a\rb', CONTROL],
    ['a\0b', CONTROL],
    ['a\u0085b', CONTROL],
    [`/${'é'.repeat(2048)}`, 'expected a path of at most 4096 bytes'],
  ])('refuses %j', (text, message) => {
    expect(() => parseHostPath(text)).toThrow(new Error(message));
  });

  test('keeps every accepted path as it is when read again, and never leaves the home', () => {
    const segment = fc.constantFrom('a', '.', '..', '~', '', 'b c', '-');
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 6 }), (segments) => {
        let path: string;
        try {
          path = parseHostPath(segments.join('/'));
        } catch {
          return;
        }
        expect(path.split('/')).not.toContain('..');
        // A name that starts with "~" in the middle may come to stand first; nothing else changes.
        if (!path.startsWith('~')) expect(parseHostPath(path)).toBe(path);
      }),
    );
  });
});
