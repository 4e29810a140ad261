import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parseFingerprints } from '../../src/settings/fingerprints.js';

// What ssh-keygen itself prints, pasted as it is.

let folder: string;
const keygen = (words: readonly string[], input = ''): string =>
  execFileSync('ssh-keygen', words, { cwd: folder, input, encoding: 'utf8' });
const COMMENTS = { ed25519: 'root@db', ecdsa: 'the (old) key, 256 bits', rsa: '' };
const types = Object.keys(COMMENTS) as (keyof typeof COMMENTS)[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'prints-'));
  for (const type of types) keygen(['-q', '-t', type, '-N', '', '-C', COMMENTS[type], '-f', type]);
});
afterAll(() => rmSync(folder, { recursive: true }));

const publicLine = (type: string): string => readFileSync(join(folder, `${type}.pub`), 'utf8');
const bare = (line: string): string => /SHA256:\S+/.exec(line)?.[0] ?? '';

test.each(types)('the whole line of ssh-keygen -lf, of the type %s', (type) => {
  const line = keygen(['-lf', `${type}.pub`]);
  expect(line).toMatch(/^\d+ SHA256:\S+ .+ \([A-Z0-9]+\)\n$/);
  expect(parseFingerprints(line)).toEqual([{ host: null, print: bare(line) }]);
  expect(parseFingerprints(line)).toEqual(parseFingerprints(bare(line)));
  expect(parseFingerprints(`[db.example.com]:2222 ${line}`)).toEqual([
    { host: '[db.example.com]:2222', print: bare(line) },
  ]);
});

test('all lines of ssh-keyscan, through ssh-keygen, among bare ones', () => {
  const scanned = types.map((type) => `[db.example.com]:2222 ${publicLine(type).split(' ').slice(0, 2).join(' ')}\n`);
  const lines = keygen(['-lf', '-'], scanned.join(''));
  const prints = lines.trimEnd().split('\n').map(bare);
  expect(prints).toHaveLength(3);
  expect(parseFingerprints(lines).map(({ print }) => print)).toEqual(prints);
  expect(parseFingerprints(`${prints[0]}\r\n${lines}`).map(({ print }) => print)).toEqual(prints);
});

test('MD5 is refused, with the way to the other', () => {
  const line = keygen(['-E', 'md5', '-lf', 'rsa.pub']);
  expect(() => parseFingerprints(line)).toThrow(
    'not an MD5 fingerprint, which can be forged; `ssh-keygen -E sha256 -lf',
  );
  expect(() => parseFingerprints(line.replace('MD5:', ''))).toThrow('not an MD5 fingerprint');
});
