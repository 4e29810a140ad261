import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { neutralise, quoteOutside } from '../../src/reporting/neutralise.js';
import { HOSTILE } from './sample-report.js';

/**
 * What the runner would obey. It compares as ICU does, where zero-width and soft characters do not count, so both the text as it
 * is and the text without them are looked at.
 */
function obeyed(text: string): boolean {
  return [text, text.replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, '')].some(
    (seen) => seen.includes('##[') || seen.split('\n').some((line) => line.trim().startsWith('::')),
  );
}

const hostileText = fc
  .array(
    fc.oneof(
      fc.constantFrom('#', '##', '[', '##[', ':', '::', ' ', '\n', '\r', '\t', '\u00a0', '\u3000', '\u0085', '\u2028'),
      fc.constantFrom(
        '\u200b',
        '\ufeff',
        '\u00ad',
        '\u202e',
        '\ufe0f',
        '\u001b[0m',
        '\u001b]0;t\u0007',
        '\u001b',
        '\u009b1m',
      ),
      fc.string({ unit: 'binary', maxLength: 4 }),
      fc.constantFrom(...HOSTILE),
    ),
    { maxLength: 20 },
  )
  .map((parts) => parts.join(''));

describe('neutralise', () => {
  test('the texts that it is for would be obeyed as they are', () => {
    expect(HOSTILE.filter(obeyed).length).toBeGreaterThan(7);
  });

  test('leaves nothing that the runner obeys, for any text', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        expect(obeyed(neutralise(text))).toBe(false);
      }),
      { numRuns: 3000 },
    );
  });

  test('leaves no control, bidi or invisible character but the newline', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        expect(neutralise(text).replaceAll('\n', '')).not.toMatch(
          /[\p{Cc}\p{Cf}\p{Surrogate}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/u,
        );
      }),
      { numRuns: 3000 },
    );
  });

  test('changes nothing the second time', () => {
    fc.assert(fc.property(hostileText, (text) => neutralise(neutralise(text)) === neutralise(text)));
  });

  test.each([
    ['##[error]x', '## [error]x'],
    ['####[error]x', '#### [error]x'],
    ['in the middle ##[set-output name=x]y', 'in the middle ## [set-output name=x]y'],
    ['::error::x', ': :error::x'],
    ['\u00a0 ::error::x', '\u00a0 : :error::x'],
    ['one\n::error::x', 'one\n: :error::x'],
    ['std::vector at ::1', 'std::vector at ::1'],
    ['a\rb\tc', 'a b c'],
    ['\u001b[1;31mred\u001b[0m', 'red'],
    ['\u001b]0;title\u0007text', 'text'],
    ['\u001b]0;never closed, then our own words', ']0;never closed, then our own words'],
    ['usual: Grüße, 日本, 100 %', 'usual: Grüße, 日本, 100 %'],
  ])('%j becomes %j', (text, expected) => {
    expect(neutralise(text)).toBe(expected);
  });

  test('takes time in proportion to the text', () => {
    const started = performance.now();
    neutralise('\u001b]'.repeat(1_000_000));
    neutralise('\u001b['.repeat(1_000_000));
    neutralise(' '.repeat(2_000_000));
    neutralise(`${' '.repeat(2_000_000)}\n`.repeat(2));
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});

describe('quoteOutside', () => {
  test('quotes a short text whole, without blank lines', () => {
    expect(quoteOutside('\n  sh: sqlite3: not found \n\n')).toBe('sh: sqlite3: not found');
    expect(quoteOutside(Buffer.from('a\r\nb\n'))).toBe('a\nb');
  });

  test('what PostgreSQL says has one blank after its first word', () => {
    expect(quoteOutside('psql: error: FATAL:  no role "a  b"\nDETAIL:  none')).toBe(
      'psql: error: FATAL: no role "a  b"\nDETAIL: none',
    );
    expect(quoteOutside('FEHLER:  x\nfatal:  y')).toBe('FEHLER: x\nfatal:  y');
  });

  test('says when there is nothing', () => {
    expect(quoteOutside('')).toBe('(nothing)');
    expect(quoteOutside(Buffer.from('\u001b[0m\n'))).toBe('(nothing)');
  });

  test.each([
    ['string', (text: string) => text],
    ['buffer', (text: string) => Buffer.from(text)],
  ])('keeps both ends of a long %s and says how much is missing', (_, as) => {
    expect(quoteOutside(as(`banner${'x'.repeat(10_000)}reason`), 100)).toBe(
      `banner${'x'.repeat(44)}\n[... 9911 bytes cut ...]\n${'x'.repeat(44)}reason`,
    );
  });

  test('shows at most eight lines', () => {
    const text = Array.from({ length: 100 }, (_, i) => `line ${i}`).join('\n');
    const quoted = quoteOutside(text).split('\n');
    expect(quoted).toHaveLength(9);
    expect(quoted.slice(0, 4)).toEqual(['line 0', 'line 1', 'line 2', 'line 3']);
    expect(quoted[4]).toMatch(/^\[\.\.\. \d+ bytes? cut \.\.\.\]$/);
    expect(quoted.at(-1)).toBe('line 99');
  });

  test('cuts between characters', () => {
    for (let maxBytes = 20; maxBytes < 32; maxBytes++) {
      expect(quoteOutside('日本語'.repeat(50), maxBytes)).not.toContain('\uFFFD');
      expect(quoteOutside(Buffer.from('😀'.repeat(50)), maxBytes)).not.toContain('\uFFFD');
    }
  });

  test('is bounded and safe, for any text and bound', () => {
    fc.assert(
      fc.property(hostileText, fc.integer({ min: 0, max: 80 }), fc.boolean(), (text, maxBytes, binary) => {
        const quoted = quoteOutside(binary ? Buffer.from(text) : text, maxBytes);
        expect(obeyed(quoted)).toBe(false);
        const words = quoted.replace(/\[\.\.\. \d+ bytes? cut \.\.\.\]/, '').replace('(nothing)', '');
        // A broken command grows by a blank; a stray byte becomes U+FFFD, which is three.
        expect(Buffer.byteLength(words)).toBeLessThanOrEqual(3 * maxBytes + 2);
      }),
      { numRuns: 1000 },
    );
  });

  test('does not go through 200 MB to quote 2 kB', () => {
    const text = 'x'.repeat(200_000_000);
    const before = process.cpuUsage();
    expect(quoteOutside(text).length).toBeLessThan(2100);
    // of the processor, which a busy machine does not stretch
    expect(process.cpuUsage(before).user).toBeLessThan(1_000_000);
  });
});
