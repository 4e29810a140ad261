import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parseManifest, serializeManifest } from '../../src/backups/manifest.js';
import { manifestFile } from '../../src/backups/names.js';
import { canonicalText, SigningKeys } from '../../src/backups/signature.js';
import { idAt, manifestOf } from './sample-backups.js';

const KEY = 'a key of sixteen';
const keys = new SigningKeys([KEY]);
const ID = idAt('2026-11-20T10:15:00Z');
const signed = keys.sign(manifestOf(ID));
const text = serializeManifest(signed);
/** As it is read from the host. */
const verdictOf = (manifest: string) => keys.verdict(parseManifest(manifest, ID));

/** What the tools of a host make of a canonical text. */
function opensslMac(key: string, canonical: string): string {
  const told = execFileSync('openssl', ['dgst', '-sha256', '-mac', 'HMAC', '-macopt', `key:${key}`], {
    input: canonical,
    encoding: 'utf8',
  });
  return told.trim().slice(-64);
}

const page = readFileSync(new URL('../../docs/signatures.md', import.meta.url), 'utf8');

describe('the vectors of docs/signatures.md', () => {
  const vectors = [
    ...page.matchAll(
      /```json vector\n([\s\S]*?)```\n\n```text\n([\s\S]*?)\n```\n\nKey `([^`]+)`, HMAC `([0-9a-f]{64})`/g,
    ),
  ];
  test('are there', () => expect(vectors.length).toBeGreaterThanOrEqual(3));

  test.each(
    vectors.map(
      ([, document = '', canonical = '', key = '', mac = '']) => [key, { document, canonical, mac }] as const,
    ),
  )('by the key %j', (key, { document, canonical, mac }) => {
    const parsed = JSON.parse(document) as object;
    expect(canonicalText(parsed)).toBe(canonical);
    expect(opensslMac(key, canonical)).toBe(mac);
    expect(new SigningKeys([key]).sign(parsed)).toMatchObject({ mac: `hmac-sha256:${mac}` });
    expect(new SigningKeys([key]).verdict({ ...parsed, mac: `hmac-sha256:${mac}` })).toBe('signed');
  });
});

test('the stock tools in docs/signatures.md come to the same, exactly as printed', () => {
  const [, printed = ''] = /```sh\n(python3[\s\S]*?)\n```/.exec(page) ?? [];
  const folder = mkdtempSync(join(tmpdir(), 'signature-'));
  try {
    const MANIFEST = join(folder, manifestFile(ID));
    const named = keys.sign(
      manifestOf(ID, { pinned: { reason: 'für später 😀 "x" \\ \n\t\u001f', at: '2026-11-20T10:15:00Z' } }),
    );
    writeFileSync(MANIFEST, serializeManifest(named));
    const told = execFileSync('sh', ['-c', printed], { encoding: 'utf8', env: { ...process.env, MANIFEST, KEY } });
    expect(`hmac-sha256:${told.trim().slice(-64)}`).toBe(named.mac);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe('what was signed', () => {
  test('is signed as it is read again, by whichever key', () => {
    expect(verdictOf(text)).toBe('signed');
    const [, hex = ''] = signed.mac.split(':');
    expect(opensslMac(KEY, canonicalText(signed) ?? '')).toBe(hex);
    expect(new SigningKeys(['another key of sixteen', KEY]).verdict(signed)).toBe('signed');
    expect(new SigningKeys(['another key of sixteen']).verdict(signed)).toBe('forged');
  });

  test('may be written in another order and with other blanks', () => {
    const entries = Object.entries(JSON.parse(text) as object).reverse();
    expect(verdictOf(JSON.stringify(Object.fromEntries(entries)))).toBe('signed');
  });

  test('is what was there, with the fields that this version does not know', () => {
    const later = serializeManifest(keys.sign({ ...manifestOf(ID), later: { deep: ['ä', 1.5, null] } }));
    expect(verdictOf(later)).toBe('signed');
    expect(verdictOf(later.replace('1.5', '1.6'))).toBe('forged');
  });

  test('can be a text that was cut in the middle of a character', () => {
    const cut = keys.sign(
      manifestOf(ID, { pinned: { reason: `before ${'😀'.slice(0, 1)}`, at: '2026-11-20T10:15:00Z' } }),
    );
    expect(verdictOf(serializeManifest(cut))).toBe('signed');
  });

  test('without mac is unsigned', () => {
    expect(verdictOf(serializeManifest(manifestOf(ID)))).toBe('unsigned');
    expect(keys.verdict({ ...signed, mac: null })).toBe('unsigned');
    const { mac: _, ...none } = signed;
    expect(keys.verdict(none)).toBe('unsigned');
  });

  test.each([
    ['upper case', signed.mac.toUpperCase()],
    ['a digit less', signed.mac.slice(0, -1)],
    ['a line break', `${signed.mac}\n`],
    ['a number', 1],
    ['a list of it', [signed.mac]],
    ['nothing in it', ''],
  ])('with a mac of another form is forged, and no manifest: %s', (_, mac) => {
    expect(keys.verdict({ ...signed, mac })).toBe('forged');
    expect(() => parseManifest(JSON.stringify({ ...signed, mac }), ID)).toThrow(/mac: expected /);
  });

  test('with any digit of its mac changed is forged', () => {
    const start = 'hmac-sha256:'.length;
    for (let at = start; at < signed.mac.length; at++) {
      const digit = signed.mac[at] === '0' ? '1' : '0';
      expect(keys.verdict({ ...signed, mac: signed.mac.slice(0, at) + digit + signed.mac.slice(at + 1) })).toBe(
        'forged',
      );
    }
  });
});

describe('every value of a signed manifest is signed', () => {
  /** The paths of all leaves. */
  const leaves = (value: unknown, path: string[] = []): string[][] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([name, inner]) => leaves(inner, [...path, name]))
      : [path];

  test.each(
    leaves(signed)
      .filter(([first]) => first !== 'mac')
      .map((path) => [path.join('.'), path] as const),
  )('%s', (_, path) => {
    const changed = structuredClone(signed) as unknown as Record<string, never>;
    const last = path.at(-1) ?? '';
    const inner = path.slice(0, -1).reduce((object, name) => object[name] ?? object, changed) as Record<
      string,
      unknown
    >;
    const { [last]: before } = inner;
    for (const other of [typeof before === 'number' ? before + 1 : 'other', null, [before], { [last]: before }]) {
      if (other === before) continue;
      inner[last] = other;
      expect(keys.verdict(changed)).toBe('forged');
    }
    delete inner[last];
    expect(keys.verdict(changed)).toBe('forged');
    inner[last] = before;
    expect(keys.verdict(changed)).toBe('signed');
  });

  test('and nothing can be added, also not where a prototype would be', () => {
    for (const added of [
      '"later": 1',
      '"__proto__": {"sha256": "x"}',
      '"__proto__": null',
      '"constructor": 1',
      '"toJSON": 1',
      '"shortened": true',
    ]) {
      expect(verdictOf(text.replace('{', `{${added},`))).toBe('forged');
    }
  });

  test('what is there twice is what is read: the last', () => {
    const sha256 = `"sha256": "${'0b'.repeat(32)}"`;
    const before = parseManifest(text.replace('{', `{${sha256},`), ID);
    expect([keys.verdict(before), before.sha256]).toEqual(['signed', signed.sha256]);
    expect(verdictOf(text.replace(/\}\s*$/, `,${sha256}}`))).toBe('forged');
    expect(verdictOf(text.replace(/\}\s*$/, ',"mac": null}'))).toBe('unsigned');
  });
});

describe('numbers and texts that JSON has, and a canonical form has not', () => {
  const later = serializeManifest(keys.sign({ ...manifestOf(ID), later: [0, '', 1] }));
  const withLater = (items: string) => later.replace(/"later": \[[^\]]*\]/, `"later": [${items}]`);

  test.each([
    ['the same', '0, "", 1', 'signed'],
    ['written otherwise, and no other number', '0.0, "", 1e0', 'signed'],
    // for every rule of ours the two are one number
    ['minus nothing', '-0, "", 1', 'signed'],
    ['a number that is too large', '1e400, "", 1', 'forged'],
    ['half a surrogate pair', '0, "\\ud83d", 1', 'forged'],
    ['what would replace it', '0, "\\ufffd", 1', 'forged'],
    ['a number that is rounded', '0, "", 1.00000000000000001', 'signed'],
    ['another type', '"0", "", 1', 'forged'],
    ['another depth', '[0], "", 1', 'forged'],
  ])('%s', (_, items, verdict) => {
    expect(verdictOf(withLater(items))).toBe(verdict);
  });

  test('a depth that no recursion comes back from is forged', () => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    expect(keys.verdict({ ...(JSON.parse(`{"later": ${deep}}`) as object), mac: signed.mac })).toBe('forged');
  });
});

test('is bound to its id: another name of its file is refused before', () => {
  const other = idAt('2026-11-21T10:15:00Z');
  expect(() => parseManifest(text, other)).toThrow(`${manifestFile(other)}: id`);
});

test('the object shows no key', () => {
  expect(JSON.stringify(keys)).toBe('{}');
});
