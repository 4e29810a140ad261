import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { programsOf } from '../../src/engines/lookup.js';
import { sqlite } from '../../src/engines/sqlite/index.js';
import { programFor } from '../../src/host/program.js';
import { type EncryptionKeys, makeKeys, PASSPHRASE } from '../helpers/encryption-keys.js';
import { SWEEP, step } from '../helpers/sample.js';

// Every single flipped byte and every cut of small encrypted files, and many wrong passphrases, through the functions that open payloads:
// all in one shell, since a session for each would take hours.

const CURVE = 'curve@example.com';
const WORD = 'plaintext-of-a-dump';
const plain = Buffer.from(`-- ${WORD} ${WORD} ${WORD}\n`);
/** With the first bytes of a database, for the look at what others have made. */
const archive = Buffer.concat([Buffer.from('SQLite format 3\0'), plain]);

let keys: EncryptionKeys;
let curveKey: string;
let folder: string;
beforeAll(() => {
  keys = makeKeys();
  curveKey = makeCurveKey();
  folder = mkdtempSync(join(tmpdir(), 'dbb-bytes-'));
});
afterAll(() => {
  keys?.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Of an elliptic curve: the file is half as long, and opened faster. */
function makeCurveKey(): string {
  const env = { PATH: process.env.PATH, GNUPGHOME: keys.home };
  const options = ['--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', ''];
  execFileSync('gpg', [...options, '--quick-gen-key', CURVE, 'future-default', 'default', 'never'], {
    env,
    stdio: 'pipe',
  });
  return execFileSync('gpg', [...options, '--armor', '--export-secret-keys', CURVE], { env, encoding: 'utf8' });
}

const METHODS = ['age', 'gpg with a passphrase', 'gpg with a key'] as const;
type Method = (typeof METHODS)[number];
const toolOf = (method: Method): string => method.slice(0, 3);

/** As the stage of a backup makes it, but for a passphrase that is derived quickly. */
function encrypted(method: Method, bytes = plain): Buffer {
  if (method === 'age') return execFileSync('age', ['-e', '-r', keys.age.recipient], { input: bytes });
  const symmetric = ['--cipher-algo', 'AES256', '--s2k-digest-algo', 'SHA256', '--s2k-count', '2048', '--symmetric'];
  const options = ['--batch', '--compress-algo', 'none', '--pinentry-mode', 'loopback', '--passphrase', PASSPHRASE];
  const how = method.endsWith('key') ? ['-r', CURVE, '--trust-model', 'always', '--encrypt'] : symmetric;
  const env = { PATH: process.env.PATH, GNUPGHOME: keys.home };
  return execFileSync('gpg', [...options, ...how], { input: bytes, env, stdio: ['pipe', 'pipe', 'pipe'] });
}

const opening = (method: Method): string[] => {
  if (method === 'age') return [keys.age.identity, '', ''];
  return method.endsWith('key') ? ['', curveKey, ''] : ['', '', PASSPHRASE];
};

// shell: what became of each file in $files, with what of the plaintext is left where a job writes
const EACH = `
told() {
  code='' why='' left=''
  while read -r sign what key value; do
    case $sign:$what:$key in mark:fail:*) code=$key ;; mark:set:not_opened) why=$value ;; esac
  done <"$tmp/said"
  left=$(grep -r -l -a -F "$word" "$tmp" \${keyring:+"$keyring"})
  echo "$1 $status \${code:-none} \${why:-none} \${left:-nothing}"
}
open_each() {
  packing=$method
  need_packing
  for file in "$files"/*; do
    (open_payload "$file" && (unpack) <"$file" 2>/dev/null | sha256sum >"$files.sum") >"$tmp/said" 2>&1
    status=$?
    [ $status != 0 ] || read -r status _ <"$files.sum"
    told "\${file##*/}"
  done
  [ -z "$keyring" ] || remove_keyring "$keyring"
}
# as a job, which ends with everything that it has made
look_each() {
  for file in "$files"/*; do
    (
      trap 'end_job $?' EXIT
      trap stop_here HUP INT TERM PIPE
      number=1 tmp='' work='' notes=''
      look_dump "$file"
      exit
    ) >"$tmp/said" 2>&1
    status=$?
    grep -q '^mark set dump_refused' "$tmp/said" || [ $status != 0 ] || status=accepted
    told "\${file##*/}"
  done
}
try_each() {
  packing=$method
  need_packing
  while IFS= read -r decrypt_passphrase; do
    (open_payload "$one") >"$tmp/said" 2>&1
    status=$?
    told passphrase
  done <"$files"
  [ -z "$keyring" ] || remove_keyring "$keyring"
}
`;

interface Told {
  name: string;
  /** The exit status; of what was accepted the hash of what came out. */
  status: string;
  code: string;
  why: string;
  left: string;
}

/** Runs one of these functions. `variables` are of the shell. */
function inShell(call: string, decrypt: string[], variables: Record<string, string>): Told[] {
  const tmp = mkdtempSync(join(folder, 'work-'));
  const set = Object.entries({ ...variables, tmp, word: WORD }).map(([name, value]) => `${name}='${value}'`);
  const words = decrypt.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  const script = join(folder, 'script');
  const program = programFor({ host: 'mark', elsewhere: 'elsewhere' }, programsOf(sqlite));
  const lines = ['trap - EXIT', EACH, ...set, 'work=$tmp notes=$tmp', `decrypt_with ${words}`, 'echo begin', call];
  writeFileSync(script, `${program}\n${lines.join('\n')}\n`);
  const { stdout, stderr } = spawnSync('dash', [script], {
    encoding: 'utf8',
    cwd: tmp,
    maxBuffer: 1 << 28,
    env: { PATH: process.env.PATH, HOME: tmp, TMPDIR: tmp },
  });
  expect(stderr).toBe('');
  const answers = (stdout.split('\nbegin\n')[1] ?? '').trim().split('\n');
  return answers.map((line) => {
    const [name = '', status = '', code = '', why = '', ...left] = line.split(' ');
    return { name, status, code, why, left: left.join(' ') };
  });
}

/** Files in a new folder, by their names. */
function filesOf(named: [string, Buffer][]): string {
  const files = mkdtempSync(join(folder, 'files-'));
  for (const [name, bytes] of named) writeFileSync(join(files, name), bytes);
  return files;
}

/** The same file with one bit of one byte changed, for each byte; in steps. */
function flipped(whole: Buffer, every = 1): [string, Buffer][] {
  return numbers(whole.length, every).map((at) => {
    const changed = Buffer.from(whole);
    changed.writeUInt8(whole.readUInt8(at) ^ (1 << (at % 8)), at);
    return [`flip-${at}`, changed];
  });
}

/** Cut at each length. */
function cut(whole: Buffer, every = 1): [string, Buffer][] {
  return numbers(whole.length, every).map((length) => [`cut-${length}`, whole.subarray(0, length)]);
}

const numbers = (below: number, every: number): number[] =>
  Array.from({ length: Math.ceil(below / every) }, (_, index) => index * every);

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

const REFUSED = { status: '99', code: 'E_DECRYPT', left: 'nothing' };
/** Those that were told otherwise than to be refused with nothing left. */
const otherwise = (answers: Told[]): Told[] =>
  answers.filter((one) => Object.entries(REFUSED).some(([name, value]) => one[name as keyof Told] !== value));

describe.each(METHODS)('%s', (method) => {
  const variables = { method: toolOf(method) };

  test('the file as it is opens', () => {
    const files = filesOf([['whole', encrypted(method)]]);
    const answer = { name: 'whole', status: sha256(plain), code: 'none', why: 'none', left: 'nothing' };
    expect(inShell('open_each', opening(method), { ...variables, files })).toEqual([answer]);
  });

  test('each byte, flipped once: none is accepted, and nothing of the plaintext is left', () => {
    const whole = encrypted(method);
    const answers = inShell('open_each', opening(method), { ...variables, files: filesOf(flipped(whole)) });
    expect(answers).toHaveLength(whole.length);
    const accepted = otherwise(answers);
    // in the packet of an OpenPGP session key are bits that mean nothing: whose they are comes out as it went in
    const harmless = { status: sha256(plain), code: 'none', left: 'nothing' };
    if (method === 'gpg with a key') {
      expect(accepted.filter((one) => !matches(one, harmless))).toEqual([]);
      expect(accepted.length).toBeLessThanOrEqual(4);
    } else expect(accepted).toEqual([]);
  });

  test('cut at each length: none is accepted, and nothing of the plaintext is left', () => {
    const whole = encrypted(method);
    const answers = inShell('open_each', opening(method), { ...variables, files: filesOf(cut(whole)) });
    expect(answers).toHaveLength(whole.length);
    expect(otherwise(answers)).toEqual([]);
  });
});

/** Passphrases that are not the one: what a slip of the fingers makes of it, what a shell or gpg may take for it, and others. */
function wrongPassphrases(count: number): string[] {
  const near = [
    ...Array.from(PASSPHRASE, (_, at) => PASSPHRASE.slice(0, at) + PASSPHRASE.slice(at + 1)),
    ...Array.from(PASSPHRASE, (letter, at) => PASSPHRASE.slice(0, at) + letter + PASSPHRASE.slice(at)),
    ...[PASSPHRASE.toUpperCase(), ` ${PASSPHRASE}`, `${PASSPHRASE} `, `${PASSPHRASE}\r`, `'${PASSPHRASE}'`],
    ...[PASSPHRASE.replace('$HOME', folder), PASSPHRASE.replaceAll('\\', ''), PASSPHRASE.replaceAll('"', ''), '', '\\'],
  ].filter((one) => one !== PASSPHRASE);
  return Array.from({ length: count }, (_, nth) => near[nth] ?? `wrong passphrase ${nth}`);
}

test(`${SWEEP ? '10000' : '100'} wrong passphrases: none opens it`, () => {
  const count = SWEEP ? 10_000 : 100;
  const one = join(folder, 'one');
  writeFileSync(one, encrypted('gpg with a passphrase'));
  const files = join(folder, 'passphrases');
  writeFileSync(files, `${[PASSPHRASE, ...wrongPassphrases(count)].join('\n')}\n`);
  const [right, ...wrong] = inShell('try_each', ['', '', ''], { method: 'gpg', files, one });
  expect(right).toMatchObject({ status: '0' });
  expect(wrong).toHaveLength(count);
  expect(otherwise(wrong)).toEqual([]);
}, 3_600_000);

test('damage is told as what it is, also where a run has another passphrase for its own backups', () => {
  const whole = encrypted('gpg with a passphrase');
  const files = filesOf([['cut-1', whole.subarray(0, -1)]]);
  const call = "encrypt_passphrase='another passphrase'; open_each";
  const [told] = inShell(call, opening('gpg with a passphrase'), { method: 'gpg', files });
  expect(told).toMatchObject({ ...REFUSED, why: 'damage' });
  // and that one is tried as well
  writeFileSync(join(files, 'whole'), whole);
  const other = inShell(`encrypt_passphrase=$own; open_each`, ['', '', 'another passphrase'], {
    method: 'gpg',
    files,
    own: PASSPHRASE,
  });
  expect(other).toMatchObject([{ ...REFUSED, why: 'damage' }, { status: sha256(plain) }]);
});

describe.each(METHODS)('a dump that others have encrypted: %s', (method) => {
  // in a sweep all of them
  const every = step(32);

  test('as it is, it is taken', () => {
    const files = filesOf([['whole', encrypted(method, archive)]]);
    expect(inShell('look_each', opening(method), { files })).toMatchObject([{ status: 'accepted', left: 'nothing' }]);
  });

  test('flipped or cut, it is not, and nothing of it is left', () => {
    const whole = encrypted(method, archive);
    const files = filesOf([...flipped(whole, every), ...cut(whole, every)]);
    const answers = inShell('look_each', opening(method), { files });
    expect(answers.length).toBeGreaterThan((2 * whole.length) / every - 2);
    const taken = answers.filter(({ status, left }) => status === 'accepted' || left !== 'nothing');
    const harmless = taken.filter(({ name, left }) => name.startsWith('flip-') && left === 'nothing');
    expect(taken).toHaveLength(harmless.length);
    expect(harmless.length).toBeLessThanOrEqual(method === 'gpg with a key' ? 4 : 0);
  });
});

const matches = (one: Told, wanted: Partial<Told>): boolean =>
  Object.entries(wanted).every(([name, value]) => one[name as keyof Told] === value);
