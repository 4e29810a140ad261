import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { code, escapeCell, fenced, longCode, prose, table } from '../../src/reporting/markdown.js';
import { HOSTILE } from './sample-report.js';

/** Structure: whatever Markdown or HTML reads as more than text, and what GitHub makes a link of afterwards. */
const STRUCTURE = /[<>"'`|\\*_~[\](){}!$^\n]|&(?!#\d+;)|^\s*(?:[-+=]|\d+[.)]|#)|:\/\/|www\./i;

function decoded(html: string): string {
  return html.replace(/&#(\d+);/g, (_, digits) => String.fromCodePoint(Number(digits)));
}

const anyText = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc
    .array(fc.constantFrom(...HOSTILE, ...'<>&"\'`|\\*_~[](){}!$^#@:/-+=.1 \n'), { maxLength: 12 })
    .map((parts) => parts.join('')),
  fc.string({ unit: 'binary' }),
);

describe('escapeCell', () => {
  test('leaves no structure, for any text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const escaped = escapeCell(text);
        expect(escaped).not.toMatch(STRUCTURE);
        expect(decoded(escaped)).not.toMatch(/[@#][\w]|\bGH-\d|:\/\/|www\./i);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['a | b', 'a &#124; b'],
    ['<b>&amp;', '&#60;b&#62;&#38;amp;'],
    ['- item', '&#45; item'],
    [' = x', ' &#61; x'],
    ['1. item', '1&#46; item'],
    ['v1.2 of a-b', 'v1.2 of a-b'],
    ['@me #12', '&#64;\u200bme &#35;\u200b12'],
    ['https://x.example', 'https:\u200b//x.example'],
    ['www.x.example GH-7', 'www\u200b.x.example GH-\u200b7'],
    ['one\ntwo', 'one two'],
  ])('%j becomes %j', (text, expected) => {
    expect(escapeCell(text)).toBe(expected);
  });

  test('says the same to a reader', () => {
    const text = 'a<b> & "c" | `d` \\ *e* _f_ [g](h) {i} !j $k ^l ~m \'n\'';
    expect(decoded(escapeCell(text))).toBe(text);
  });
});

describe('code', () => {
  test.each([
    ['/srv/app/app.db', '`/srv/app/app.db`'],
    ['  padded  ', '`padded`'],
    ['', ''],
    ['a|b', '<code>a&#124;b</code>'],
    ['a`b', '<code>a&#96;b</code>'],
    ['</code>', '<code>&#60;&#47;code&#62;</code>'],
    ['*x*', '<code>&#42;x&#42;</code>'],
  ])('%j becomes %j', (text, expected) => {
    expect(code(text)).toBe(expected);
  });

  test('can not be closed from within, for any text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(code(text)).toMatch(/^(?:`[^`|\n<>&\\]+`|<code>(?:[\p{L}\p{N} …]|&#\d+;)+<\/code>|)$/u);
        expect(longCode(text)).toMatch(/^(?:<code>(?:[\p{L}\p{N} …]|&#\d+;|<wbr>)+<\/code>|)$/u);
      }),
      { numRuns: 2000 },
    );
  });

  test('a long one may break behind slashes and after 16 characters, and reads the same', () => {
    expect(longCode('/a/b')).toBe('<code>&#47;<wbr>a&#47;<wbr>b</code>');
    const sha = '0123456789abcdef'.repeat(4);
    expect(longCode(sha).split('<wbr>')).toHaveLength(4);
    expect(longCode(sha).replace(/<[^>]*>/g, '')).toBe(sha);
  });
});

describe('prose', () => {
  test('keeps lines, and code between backticks', () => {
    expect(prose('set `keep`\n\nor <x>')).toBe('set `keep`<br>or &#60;x&#62;');
    expect(prose('odd `tick')).toBe('odd &#96;tick');
    expect(prose('`a|b`')).toBe('<code>a&#124;b</code>');
  });

  test('leaves no tag but ours, for any text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(prose(text).replace(/<br>|<\/?code>|`[^`|\n<>&\\]+`/g, '')).not.toMatch(/[<>`|\n]/);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('fenced', () => {
  test.each([
    ['plain', '```sh\nplain\n```'],
    ['a ```` b', '`````sh\na ```` b\n`````'],
    ['```\nend', '````sh\n```\nend\n````'],
  ])('%j', (text, expected) => {
    expect(fenced('sh', text)).toBe(expected);
  });

  test('is never closed from within, for any text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const block = fenced('sh', text);
        const fence = /^`+/.exec(block)?.[0] ?? '';
        expect(fence.length).toBeGreaterThanOrEqual(3);
        expect(block.split(fence)).toHaveLength(3);
      }),
    );
  });
});

describe('table', () => {
  const columns = [
    { title: 'A', cell: (i: number) => `a${i}` },
    { title: 'B', cell: (i: number) => `${i}`, right: true },
  ];
  const rows = (count: number) => Array.from({ length: count }, (_, i) => i);

  test('few rows are all shown', () => {
    expect(table(columns, rows(2), { visible: 2, maxBytes: 1000, noun: 'row' })).toBe(
      '| A | B |\n| :--- | ---: |\n| a0 | 0 |\n| a1 | 1 |',
    );
  });

  test('the rest is folded away, and what weighs too much is counted', () => {
    const shown = table(columns, rows(1000), { visible: 3, maxBytes: 200, noun: 'row' });
    const before = shown.slice(0, shown.indexOf('<details>'));
    expect(before.match(/^\| a/gm)).toHaveLength(3);
    const all = shown.match(/^\| a/gm)?.length ?? 0;
    expect(shown).toContain(`<summary>${all - 3} more rows</summary>`);
    expect(shown).toMatch(new RegExp(`\n\n${1000 - all} more rows, not shown here\\.$`));
    expect(Buffer.byteLength(shown)).toBeLessThan(450);
  });
});
