import { spawnSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BackupError } from '../../src/errors.js';
import { call, quote } from '../../src/host/quoting.js';

const SHELLS: [string, string[]][] = [
  ['dash', []],
  ['bash', []],
  ['bash', ['--posix']],
  ['busybox', ['sh']],
];

/** Runs the program on a shell's stdin, as a session does, and returns what it printed. */
function run(shell: string, args: string[], program: string): Buffer {
  const result = spawnSync(shell, [...args, '-s'], { input: program, maxBuffer: 1 << 26 });
  expect({ status: result.status, stderr: result.stderr?.toString() }).toEqual({ status: 0, stderr: '' });
  return result.stdout;
}

/** One `{ ...; }` group that prints each value followed by NUL, the one byte that no value holds. */
const echoing = (values: readonly string[]) =>
  `emit() { for value do printf '%s\\0' "$value"; done; }\n{ ${call('emit', values)}; }\n`;
const printed = (values: readonly string[]) => Buffer.from(values.map((value) => `${value}\0`).join(''));

const HOSTILE =
  `' '' ' " \\ $ \` ! ( ) { } ; & | < > * ? [ ] # ~ = % ^ - \n \r \t é € 🦆 \u00a0 \u2028 \x1b \x7f $(id) \`id\` EOF } a Z 0`
    .split(' ')
    .concat(' ');
const value = fc.oneof(
  fc.string({ unit: fc.constantFrom(...HOSTILE), maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.replaceAll('\0', '')),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.uint8Array({ min: 1, maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
);

describe.each(SHELLS)('%s %j', (shell, args) => {
  test('hands any value on byte for byte', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 60, maxLength: 200 }), (values) => {
        expect(run(shell, args, echoing(values)).equals(printed(values))).toBe(true);
      }),
      { numRuns: 15 },
    );
  });

  test('hands on every single character of one byte, alone, doubled and between others', () => {
    const characters = Array.from({ length: 255 }, (_, index) => String.fromCharCode(index + 1));
    const values = characters.flatMap((one) => [one, one + one, `a${one}b`, `${one}'`, `'${one}`, `\\${one}`]);
    expect(run(shell, args, echoing(values)).equals(printed(values))).toBe(true);
  });

  test('hands on long, empty and command-like values', () => {
    const values = ['', '-n', '--', "'; echo owned; '", '$(echo owned)', '}\n{ echo owned; }\n', "x'".repeat(100_000)];
    expect(run(shell, args, echoing(values)).equals(printed(values))).toBe(true);
  });
});

describe('quote', () => {
  test('writes the form that shells agree on', () => {
    expect(quote("it's")).toBe(`'it'\\''s'`);
    expect(quote('')).toBe("''");
  });

  test.each([
    ['NUL', 'secret\0tail', 'a value for the host holds a NUL character'],
    ['half a surrogate pair', 'secret\ud800', 'a value for the host is not valid Unicode'],
  ])('refuses %s without repeating the value', (_, text, message) => {
    let thrown: unknown;
    try {
      quote(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(BackupError);
    expect(thrown).toMatchObject({ code: 'E_INPUT', message });
  });
});

describe('call', () => {
  test('writes the name and the quoted arguments', () => {
    expect(call('dump_sqlite', ['/srv/app.db', "a'b"])).toBe(`dump_sqlite '/srv/app.db' 'a'\\''b'`);
    expect(call('probe', [])).toBe('probe');
  });

  test.each(['', 'rm -rf', 'a;b', 'Dump', 'dump1', 'dump\n', '$x'])('refuses %j as a name', (name) => {
    expect(() => call(name, [])).toThrow('not the name of a shell function');
  });
});
