import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { bech32 } from '@scure/base';
import { accepted, type Given, makeKey, problems, reading } from './given-inputs.js';
import { age, ageKey, sshKey, withGpg } from './made-keys.js';

const LOCAL: Given = { transport: 'local', database: '/srv/app.db' };
const AGE: Given = { ...LOCAL, encrypt: 'age' };
const GPG: Given = { ...LOCAL, encrypt: 'gpg' };
const VERIFY: Given = { ...LOCAL, command: 'verify' };
const PASSPHRASE = 'correct horse battery';

const native = ageKey();
const other = ageKey();
const ed25519 = sshKey('-t', 'ed25519');
const rsa = sshKey('-t', 'rsa', '-b', '2048');
const ecdsa = sshKey('-t', 'ecdsa');
const pqRecipient = ofBytes('age1pq', 1216);
const pqIdentity = ofBytes('AGE-SECRET-KEY-PQ-', 32).toUpperCase();

/** Keys of gpg as it exports them. */
const pgp = withGpg((gpg) => {
  const exported = (...options: string[]) => gpg.text('--armor', ...options);
  const curve = gpg.make('curve@example.com', 'ed25519', 'sign', 'never');
  const signOnly = exported('--export', curve);
  gpg.text('--pinentry-mode', 'loopback', '--passphrase', '', '--quick-add-key', curve, 'cv25519', 'encr');
  const large = gpg.make('rsa@example.com', 'rsa3072', 'sign', 'never');
  const rsaSignOnly = exported('--export', large);
  gpg.text('--pinentry-mode', 'loopback', '--passphrase', '', '--quick-add-key', large, 'rsa2048', 'encr');
  const secret = (...ids: string[]) => exported('--export-secret-keys', ...ids);
  return {
    fingerprints: { curve, large },
    signOnly,
    rsaSignOnly,
    curve: exported('--export', curve),
    large: exported('--export', large),
    both: exported('--export', curve, large),
    unnamed: exported('--export-filter', 'keep-uid=uid=~nobody', '--export', curve),
    signature: gpg.run(['--armor', '--detach-sign', '--local-user', curve], 'x').stdout.toString(),
    secret: secret(curve),
    secrets: secret(curve, large),
  };
});

const ANY_FILE = 'package.json';

/** A key of this kind whose bytes are all zero. */
function ofBytes(prefix: string, length: number): string {
  return bech32.encode(prefix, bech32.toWords(new Uint8Array(length)), false);
}

const pkcs8Key = () => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

/** An armored block without checksum. */
const armored = (label: string, bytes: Buffer) =>
  `-----BEGIN PGP ${label}-----\n\n${bytes.toString('base64')}\n-----END PGP ${label}-----\n`;

/** The bytes of a block. */
const bytesOf = (block: string) => Buffer.from(block.split('\n\n')[1]?.replace(/\n=[\s\S]*$/, '') ?? '', 'base64');

const inBase64 = (text: string) => Buffer.from(text).toString('base64');
const sshLine = (type: string, ...parts: Buffer[]) => {
  const strings = [Buffer.from(type), ...parts].flatMap((part) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    return [length, part];
  });
  return `${type} ${Buffer.concat(strings).toString('base64')}`;
};

describe('recipients of age', () => {
  test('as many as a manifest has room for', async () => {
    const keys = (count: number) =>
      Array.from({ length: count }, (_, i) =>
        bech32.encode('age', bech32.toWords(new Uint8Array(32).fill(i)), false),
      ).join('\n');
    expect((await accepted({ ...AGE, 'encryption-recipients': keys(20) })).settings.encryption?.names).toHaveLength(20);
    const refused = await problems({ ...AGE, 'encryption-recipients': keys(21) });
    expect(refused.join()).toContain('encryption-recipients: expected at most 20 keys, got 21');
  });

  test('each of several, without comments, once, in the order given', async () => {
    const given = `# mine\n${native.recipient}\r\n\n  ${ed25519.line}${rsa.line}${native.recipient}\n`;
    const { settings, warnings } = await accepted({ ...AGE, 'encryption-recipients': given });
    const lines = [native.recipient, ed25519.line, rsa.line].map((line) => line.split(' ').slice(0, 2).join(' '));
    expect(settings.encryption).toEqual({
      method: 'age',
      recipients: lines.join('\n'),
      names: [native.recipient.slice(0, 20), ed25519.print, rsa.print],
    });
    expect(warnings).toEqual([]);
  });

  test('age encrypts to what is made of them, and each key opens it', async () => {
    const given = [native.recipient, ed25519.line, rsa.line].join('\n');
    const { settings } = await accepted({ ...AGE, 'encryption-recipients': given });
    if (settings.encryption?.method !== 'age') throw new Error('not for age');
    const text = Buffer.from('every row');
    const encrypted = age([], [['-R', settings.encryption.recipients]], text);
    for (const key of [native.file, ed25519.key, rsa.key, rsa.key.replaceAll('\n', '\r\n'), inBase64(ed25519.key)]) {
      const { decryption } = (await accepted({ ...VERIFY, 'decryption-key': key })).settings;
      expect(age(['-d'], [['-i', decryption?.age ?? decryption?.ssh ?? '']], encrypted)).toEqual(text);
    }
    const { decryption } = (await accepted({ ...VERIFY, 'decryption-key': pkcs8Key() })).settings;
    expect(() => age(['-d'], [['-i', decryption?.ssh ?? '']], encrypted)).toThrow('no identity matched');
  });

  test('post-quantum keys', async () => {
    expect(pqRecipient).toHaveLength(1959);
    const { settings } = await accepted({ ...AGE, 'encryption-recipients': pqRecipient });
    expect(settings.encryption).toMatchObject({ recipients: pqRecipient, names: [pqRecipient.slice(0, 20)] });
  });

  const RULE =
    'expected the public key of age-keygen (`age1...`) or an SSH public key (`ssh-ed25519 ...`, `ssh-rsa ...`), one per line';
  const CHECKSUM = 'it is damaged (its checksum is wrong): copy all of it again';
  const PLUGIN = `it belongs to a plugin or a device, which a host does not have; ${RULE}`;
  const TYPE =
    'it is an SSH key of a type that age cannot encrypt to; give one that begins with `ssh-ed25519` or `ssh-rsa`, or one from age-keygen';
  const SSH_DAMAGED = 'it is damaged: copy the whole line of the .pub file again';
  const last = native.recipient.at(-1) === 'q' ? 'p' : 'q';
  const short = sshLine('ssh-rsa', Buffer.from([1, 0, 1]), Buffer.concat([Buffer.alloc(1), Buffer.alloc(255, 0xff)]));

  test.each<[string, string, string]>([
    ['a mistyped letter', native.recipient.slice(0, -1) + last, CHECKSUM],
    ['a part', native.recipient.slice(0, -1), CHECKSUM],
    ['too few bytes', ofBytes('age', 31), CHECKSUM],
    ['too many bytes', ofBytes('age', 33), CHECKSUM],
    ['mixed case', native.recipient.replace(/[a-z](?=\d*$)/, (letter) => letter.toUpperCase()), CHECKSUM],
    ['capitals', native.recipient.toUpperCase(), RULE],
    ['a letter that is none of bech32', native.recipient.replace(/.$/, 'b'), CHECKSUM],
    ['a post-quantum key that was cut', pqRecipient.slice(0, -1), CHECKSUM],
    ['the bytes of another kind', ofBytes('age1pq', 32), CHECKSUM],
    ['two in a line', `${native.recipient} ${other.recipient}`, 'expected one key per line, and nothing after it'],
    ['a list', `${native.recipient},${other.recipient}`, 'expected one key per line, and nothing after it'],
    ['a plugin', ofBytes('age1yubikey', 33), PLUGIN],
    ['a tag', ofBytes('age1tag', 33), PLUGIN],
    ['a post-quantum tag', ofBytes('age1tagpq', 1250), PLUGIN],
    ['an identity of a plugin', ofBytes('AGE-PLUGIN-X-', 9).toUpperCase(), PLUGIN],
    ['ecdsa', ecdsa.line, TYPE],
    ['a security key', sshLine('sk-ssh-ed25519@openssh.com', Buffer.alloc(32), Buffer.from('ssh:')), TYPE],
    ['dss', sshLine('ssh-dss', Buffer.alloc(128)), TYPE],
    ['a type with the key of another', ed25519.line.replace('ssh-ed25519', 'ssh-rsa'), SSH_DAMAGED],
    ['an ssh key that was cut', ed25519.line.slice(0, 60), SSH_DAMAGED],
    ['base64 that is none', ed25519.line.replace(' AAAA', ' AAAA!'), SSH_DAMAGED],
    ['too short for Ed25519', sshLine('ssh-ed25519', Buffer.alloc(31)), 'it is damaged: an Ed25519 key has 32 bytes'],
    [
      'more than Ed25519',
      sshLine('ssh-ed25519', Buffer.alloc(32), Buffer.alloc(1)),
      'it is damaged: an Ed25519 key has 32 bytes',
    ],
    ['half an RSA key', sshLine('ssh-rsa', Buffer.from([3])), 'it is damaged: the RSA key is not complete'],
    ['more than RSA', sshLine('ssh-rsa', ...[1, 2, 3].map(() => Buffer.alloc(300, 1))), SSH_DAMAGED],
    ['RSA of 2040 bits', short, 'age takes RSA keys of at least 2048 bits, but this one is shorter'],
    [
      'RSA that is too long',
      sshLine('ssh-rsa', Buffer.from([3]), Buffer.alloc(6200, 1)),
      'it is longer than the 8192 characters that age takes',
    ],
    [
      'github',
      'github:octocat',
      'age does not fetch the keys of GitHub users; give what https://github.com/USER.keys shows',
    ],
    ['OpenPGP', pgp.curve, 'it is an OpenPGP key; for these set `encrypt` to gpg'],
    ['options of authorized_keys', `restrict ${ed25519.line}`, RULE],
    ['words', 'hunter2 hunter2', RULE],
  ])('%s is refused', async (_, recipient, rule) => {
    const told = await problems({ ...AGE, 'encryption-recipients': `# first\n\n${recipient}\n${native.recipient}` });
    expect(told).toEqual([`encryption-recipients: line 3: ${rule}`]);
  });

  test('of an RSA key of 2048 bits each is long enough', async () => {
    const modulus = Buffer.concat([Buffer.alloc(1), Buffer.alloc(256, 0xff)]);
    const given = sshLine('ssh-rsa', Buffer.from([1, 0, 1]), modulus);
    expect((await accepted({ ...AGE, 'encryption-recipients': given })).settings.encryption).not.toBeNull();
  });

  test('comments alone are none', async () => {
    expect(await problems({ ...AGE, 'encryption-recipients': '# none yet' })).toEqual([
      `encryption-recipients: ${RULE}`,
    ]);
  });

  test('post-quantum keys are not mixed with others', async () => {
    for (const beside of [native.recipient, ed25519.line]) {
      const told = await problems({ ...AGE, 'encryption-recipients': `${pqRecipient}\n${beside}` });
      expect(told).toEqual([expect.stringContaining('encryption-recipients: expected either only post-quantum keys')]);
    }
  });
});

describe('recipients of gpg', () => {
  const { curve, large } = pgp.fingerprints;

  test.each<[string, string, string[]]>([
    ['a curve', pgp.curve, [curve]],
    ['RSA', pgp.large, [large]],
    ['two keys in one block', pgp.both, [curve, large]],
    [
      'two blocks, with comments',
      `# mine\n${pgp.curve}\n\n# ours\r\n${pgp.large.replaceAll('\n', '\r\n')}`,
      [curve, large],
    ],
    ['one key twice', `${pgp.curve}${pgp.both}`, [curve, large]],
    ['newlines written as \\n', pgp.curve.replaceAll('\n', '\\n'), [curve]],
    ['headers in the armor', pgp.curve.replace('\n', '\nVersion: GnuPG v2\nComment: of the shop\n'), [curve]],
    ['no checksum', pgp.curve.replace(/\n=.*/, ''), [curve]],
    ['packets in the new format', armored('PUBLIC KEY BLOCK', inNewFormat(bytesOf(pgp.both))), [curve, large]],
  ])('%s: fingerprints as gpg has them, and gpg encrypts to each', async (_, text, fingerprints) => {
    const { settings, warnings } = await accepted({ ...GPG, 'encryption-recipients': text });
    expect(warnings).toEqual([]);
    const { encryption } = settings;
    if (encryption?.method !== 'gpg' || 'passphrase' in encryption) throw new Error('not for gpg');
    expect([...encryption.fingerprints].sort()).toEqual([...fingerprints].sort());
    expect(encryption.names).toEqual(encryption.fingerprints.map((print) => print.slice(24)));
    withGpg((gpg) => {
      expect(gpg.run(['--import'], encryption.keys).status).toBe(0);
      const listed = gpg.text('--with-colons', '--list-keys');
      expect(listed.match(/^pub:/gm)).toHaveLength(fingerprints.length);
      const to = encryption.fingerprints.flatMap((print) => ['-r', print]);
      const { status, stdout } = gpg.run(['--trust-model', 'always', ...to, '--encrypt'], 'every row');
      expect({ status, bytes: stdout.length }).toEqual({ status: 0, bytes: expect.any(Number) });
      expect(stdout.length).toBeGreaterThan(100);
    });
  });

  const BLOCKS =
    'expected the OpenPGP public keys themselves, each from "-----BEGIN PGP PUBLIC KEY BLOCK-----" to its END line, not an id, an address or a fingerprint; `gpg --armor --export ID` prints one';
  const DAMAGED = 'it is damaged: the text between its BEGIN and END lines is not complete; copy it again';
  const SIGNS =
    'a key in it can only sign; give one with a subkey that encrypts (`gpg --quick-add-key FINGERPRINT cv25519 encr`)';
  const VERSION = 'expected OpenPGP keys of version 4, which every GnuPG takes, but one has version';
  const bytes = bytesOf(pgp.curve);
  /** The first packet begins with its tag and one byte of length. */
  const ofVersion = (version: number) =>
    Buffer.concat([bytes.subarray(0, 2), Buffer.from([version]), bytes.subarray(3)]);
  const block = (given: Buffer) => armored('PUBLIC KEY BLOCK', given);

  test.each<[string, string, string]>([
    ['an id', '0x1234567890ABCDEF', BLOCKS],
    ['a fingerprint', curve, BLOCKS],
    ['an address', 'Ann <ann@example.com>', BLOCKS],
    ['text before the block', `key of Ann\n${pgp.curve}`, BLOCKS],
    ['text behind the block', `${pgp.curve}\nbye`, BLOCKS],
    ['comments alone', '# none', BLOCKS],
    ['blanks in the place of newlines', pgp.curve.trim().replaceAll('\n', ' '), BLOCKS],
    ['a signature', pgp.signature, BLOCKS],
    ['a key of age', native.recipient, 'it is an age or SSH key; set `encrypt` to age for it'],
    ['a key of SSH', ed25519.line, 'it is an age or SSH key; set `encrypt` to age for it'],
    ['no END', pgp.curve.slice(0, 200), 'its END line is missing: the key was cut off'],
    ['a line less', pgp.curve.replace(/\n.*\n=/, '\n='), DAMAGED],
    [
      'another letter',
      pgp.curve.replace(/\n\n(.{20})(.)/, (_, start, one) => `\n\n${start}${one === 'A' ? 'B' : 'A'}`),
      DAMAGED,
    ],
    ['no base64', block(bytes).replace(/\n\n./, '\n\n!'), DAMAGED],
    ['nothing', block(Buffer.alloc(0)), DAMAGED],
    ['a packet that is longer than all', block(bytes.subarray(0, 40)), DAMAGED],
    ['a packet without its length', block(Buffer.from([0xc6, 0xff, 0])), DAMAGED],
    ['a packet of partial lengths', block(Buffer.from([0xc6, 0xe0, 0, 0, 0, 1, 4])), DAMAGED],
    ['a packet of no length', block(Buffer.concat([Buffer.from([0x9b]), bytes.subarray(2)])), DAMAGED],
    ['bytes that are no packet', block(Buffer.alloc(8)), DAMAGED],
    ['version 3', block(ofVersion(3)), `${VERSION} 3`],
    ['version 6', block(ofVersion(6)), `${VERSION} 6`],
    ['a message', block(Buffer.from([0xcb, 1, 0])), 'it is not a key'],
    ['a key that only signs', pgp.signOnly, SIGNS],
    ['an RSA key that only signs', pgp.rsaSignOnly, SIGNS],
    ['a key that only signs beside another', `${pgp.curve}${pgp.rsaSignOnly}`, SIGNS],
    [
      'a key without a name',
      pgp.unnamed,
      'a key in it has no name (user id), and gpg does not import it without one; export it with one',
    ],
  ])('%s is refused', async (_, text, rule) => {
    expect(await problems({ ...GPG, 'encryption-recipients': text })).toEqual([`encryption-recipients: ${rule}`]);
  });

  test('of a key whose signatures say nothing of its use, gpg has the last word', async () => {
    const unsigned = [...packetsOf(bytes)].filter(({ tag }) => tag !== 2).map(({ whole }) => whole);
    const { settings } = await accepted({ ...GPG, 'encryption-recipients': block(Buffer.concat(unsigned)) });
    expect(settings.encryption).toMatchObject({ fingerprints: [curve] });
  });

  test('gpg itself takes neither a key without a name, nor one that only signs', () => {
    withGpg((gpg) => {
      gpg.run(['--import'], pgp.unnamed);
      expect(gpg.text('--with-colons', '--list-keys')).not.toContain('pub:');
      expect(gpg.run(['--import'], `${pgp.signOnly}${pgp.rsaSignOnly}`).status).toBe(0);
      for (const to of [curve, large]) {
        expect(gpg.run(['--trust-model', 'always', '-r', to, '--encrypt'], 'x').stderr).toContain(
          'Unusable public key',
        );
      }
    });
  });
});

/** The packets of what gpg exports, which have the old headers. */
function* packetsOf(bytes: Buffer): Generator<{ tag: number; whole: Buffer; body: Buffer }> {
  for (let at = 0; at < bytes.length; ) {
    const head = bytes[at] ?? 0;
    const start = at + 1 + (1 << (head & 3));
    const end = start + bytes.readUIntBE(at + 1, start - at - 1);
    yield { tag: (head >> 2) & 0xf, whole: bytes.subarray(at, end), body: bytes.subarray(start, end) };
    at = end;
  }
}

/** The same packets with the headers of RFC 9580, the length of the first in five bytes, of the others in one or two. */
function inNewFormat(bytes: Buffer): Buffer {
  const made = [...packetsOf(bytes)].flatMap(({ tag, body }, index) => {
    const { length } = body;
    const short = length < 192 ? [length] : [((length - 192) >> 8) + 192, (length - 192) & 0xff];
    return [Buffer.from([0xc0 | tag, ...(index === 0 ? [255, 0, 0, length >> 8, length & 0xff] : short)]), body];
  });
  return Buffer.concat(made);
}

describe('a passphrase', () => {
  test.each(['x'.repeat(12), 'größer als 12', '𝒳'.repeat(12), 'x'.repeat(255), '# a b c d e f g h'])(
    '%j is taken',
    async (passphrase) => {
      const { settings, warnings } = await accepted({ ...GPG, 'encryption-passphrase': ` ${passphrase} ` });
      expect(settings.encryption).toEqual({ method: 'gpg', passphrase, names: [] });
      expect(warnings).toEqual([]);
    },
  );

  test.each<[string, string]>([
    ['elevenchars', 'expected at least 12 characters'],
    ['𝒳'.repeat(11), 'expected at least 12 characters'],
    ['x'.repeat(256), 'expected at most 255 bytes: nobody can type more where gpg asks'],
    ['ü'.repeat(128), 'expected at most 255 bytes: nobody can type more where gpg asks'],
    ['twelve\tcharacters', 'expected no control characters, such as tabs'],
    ['twelve\x1bcharacters', 'expected no control characters, such as tabs'],
    ['twelve characters\nand more', 'expected one line'],
    ['twelve characters\rand more', 'expected one line'],
  ])('%j is refused', async (passphrase, rule) => {
    const { error } = await reading({ ...GPG, 'encryption-passphrase': passphrase });
    expect(error?.message).toBe(`encryption-passphrase: ${rule}`);
  });

  test('of blanks is none', async () => {
    const { error } = await reading({ ...GPG, 'encryption-passphrase': ' \t\u00a0' });
    expect(error?.message).toMatch(
      /^encryption-recipients: required with encrypt gpg, or encryption-passphrase instead/,
    );
    expect(error?.hint).toContain('its secret or variable is not set');
  });

  test('of the most bytes can be typed where gpg asks, which one of 900 can not', () => {
    withGpg((gpg) => {
      const typing = join(gpg.folder, 'pinentry');
      writeFileSync(join(gpg.home, 'gpg-agent.conf'), `pinentry-program ${typing}\n`);
      const opened = (passphrase: string) => {
        const program = `#!/bin/sh\necho OK\nwhile read -r one rest; do\n  [ "$one" != GETPIN ] || echo 'D ${passphrase}'\n  echo OK\n  [ "$one" != BYE ] || exit 0\ndone\n`;
        writeFileSync(typing, program);
        chmodSync(typing, 0o700);
        const file = join(gpg.folder, `${passphrase.length}.gpg`);
        const cheap = [
          '--s2k-count',
          '2048',
          '--no-symkey-cache',
          '--pinentry-mode',
          'loopback',
          '--passphrase-fd',
          '0',
        ];
        expect(gpg.run([...cheap, '--symmetric', '-o', file, ANY_FILE], `${passphrase}\n`).status).toBe(0);
        return gpg.run(['--no-symkey-cache', '--decrypt', file]).status === 0;
      };
      expect([opened('x'.repeat(255)), opened('x'.repeat(900))]).toEqual([true, false]);
    });
  });
});

describe('what goes with what', () => {
  const ONE_OF =
    'encryption-passphrase: expected either it or encryption-recipients: with both, each of them would open the backup';

  test.each<[Given, string[]]>([
    [
      { ...LOCAL, 'encryption-recipients': native.recipient, 'encryption-passphrase': PASSPHRASE },
      [
        'encryption-recipients: expected nothing with encrypt none, which encrypts nothing; set `encrypt` to age or gpg',
        'encryption-passphrase: expected nothing with encrypt none, which encrypts nothing; set `encrypt` to gpg',
      ],
    ],
    [{ ...GPG, 'encryption-recipients': pgp.curve, 'encryption-passphrase': PASSPHRASE }, [ONE_OF]],
    [
      { ...AGE, 'encryption-recipients': native.recipient, 'encryption-passphrase': PASSPHRASE },
      [
        'encryption-passphrase: expected nothing with encrypt age, which only asks for a passphrase at a terminal; set `encrypt` to gpg',
      ],
    ],
    [
      AGE,
      [
        'encryption-recipients: required with encrypt age: the public keys; the variable that fills it is probably not set (for example vars.BACKUP_RECIPIENTS)',
      ],
    ],
    [
      GPG,
      [
        'encryption-recipients: required with encrypt gpg, or encryption-passphrase instead (12 characters or more): the public keys; the variable that fills it is probably not set (for example vars.BACKUP_RECIPIENTS)',
      ],
    ],
    [{ ...LOCAL, encrypt: 'pgp' }, ['encrypt: expected one of none, age, gpg, got "pgp"']],
  ])('%#', async (given, told) => {
    for (const command of ['backup', 'restore']) expect(await problems({ ...given, command })).toEqual(told);
  });

  test('for the safety backup of a restore as well, and for no other command', async () => {
    const given: Given = { ...GPG, 'encryption-passphrase': PASSPHRASE };
    expect((await accepted({ ...given, command: 'restore' })).settings.encryption).toMatchObject({ method: 'gpg' });
    const { settings, warnings } = await accepted({ ...given, command: 'list', 'decryption-passphrase': 'x' });
    expect(settings).toMatchObject({ encryption: null, decryption: null });
    expect(warnings).toEqual(
      ['encrypt', 'encryption-passphrase', 'decryption-passphrase'].map(
        (name) => `${name}: it has no effect with command list`,
      ),
    );
  });

  describe('a proof that restores what recipients alone can open', () => {
    const restored: Given = { verify: 'restore' };
    const toAge: Given = { ...AGE, ...restored, 'encryption-recipients': native.recipient };
    const toGpg: Given = { ...GPG, ...restored, 'encryption-recipients': pgp.curve };

    test.each<[string, Given, string]>([
      ['no key', toAge, 'required with encrypt age and verify restore'],
      [
        'a passphrase alone',
        { ...toGpg, 'decryption-passphrase': 'x' },
        'required with encrypt gpg and verify restore',
      ],
      ['a key of gpg', { ...toAge, 'decryption-key': pgp.secret }, 'expected another kind of key with encrypt age'],
      ['a key of age', { ...toGpg, 'decryption-key': native.file }, 'expected another kind of key with encrypt gpg'],
    ])('is refused with %s', async (_, given, rule) => {
      const told = await problems(given);
      expect(told).toEqual([expect.stringContaining(`decryption-key: ${rule}`)]);
      expect(told[0]).toMatch(
        /nothing else can open the new backup: .* of one of encryption-recipients. Or set `verify` to content$/,
      );
    });

    test.each<Given>([
      { ...toAge, 'decryption-key': native.file },
      { ...toAge, 'decryption-key': ed25519.key },
      { ...toGpg, 'decryption-key': pgp.secret },
      { ...toAge, verify: 'content' },
      { ...toAge, command: 'restore', verify: 'content' },
      { ...GPG, ...restored, 'encryption-passphrase': PASSPHRASE },
    ])('is made otherwise (%#)', async (given) => {
      expect((await accepted(given)).settings.encryption).not.toBeNull();
    });

    test.each<[string, Given, string[]]>([
      ['a key of gpg', { ...toAge, 'decryption-key': pgp.secret }, ['decryption-key']],
      ['a key of age', { ...toGpg, 'decryption-key': native.file }, ['decryption-key']],
      ['a passphrase alone', { ...toAge, 'decryption-passphrase': 'x' }, ['decryption-passphrase']],
      ['a key that fits', { ...toAge, 'decryption-key': native.file }, []],
    ])('proven to less than that, is told of what can not open it: %s', async (_, given, inputs) => {
      const { warnings } = await accepted({ ...given, verify: 'content' });
      expect(warnings).toEqual(
        inputs.map((input) => expect.stringMatching(`^${input}: it has no effect .* nothing opens the new backup`)),
      );
    });

    test('is not judged by a key that is wrong itself', async () => {
      expect(await problems({ ...toAge, 'decryption-key': 'rubbish' })).toEqual([
        expect.stringMatching(/^decryption-key: expected lines of an age-keygen file/),
      ]);
    });
  });

  test('what opens backups has no effect where a new one is not encrypted', async () => {
    const given = { ...LOCAL, 'decryption-key': 'rubbish', 'decryption-passphrase': 'x' };
    const { settings, warnings } = await accepted(given);
    expect(settings.decryption).toBeNull();
    expect(warnings).toEqual([
      'decryption-key: it has no effect with encrypt none',
      'decryption-passphrase: it has no effect with encrypt none',
    ]);
  });
});

describe('what opens backups', () => {
  const nothing = { age: null, ssh: null, gpg: null, passphrase: null };
  const opened = async (key: string) => (await accepted({ ...VERIFY, 'decryption-key': key })).settings.decryption;

  test('identities of age', async () => {
    const given = `\uFEFF${native.file.replaceAll('\n', '\r\n')}\n  ${other.identity}\n${native.identity}`;
    expect(await opened(given)).toEqual({ ...nothing, age: `${native.identity}\n${other.identity}` });
    expect(await opened(native.file.trim().replaceAll('\n', '\\n'))).toEqual({ ...nothing, age: native.identity });
    expect(await opened(pqIdentity)).toEqual({ ...nothing, age: pqIdentity });
  });

  test('a private key of SSH, mended', async () => {
    for (const { key } of [ed25519, rsa]) {
      for (const given of [key, key.trim().replaceAll('\n', '\r\n'), key.replaceAll('\n', '\\n'), inBase64(key)]) {
        expect(await opened(given)).toEqual({ ...nothing, ssh: key });
      }
    }
  });

  test.each<[string, string, number]>([
    ['a secret key', pgp.secret, 1],
    ['two in one block', pgp.secrets, 2],
    ['two blocks', `# old\n${pgp.secret}\r\n\n${pgp.secrets.replaceAll('\n', '\r\n')}`, 2],
    ['newlines written as \\n', pgp.secret.replaceAll('\n', '\\n'), 1],
  ])('%s of gpg, which opens with it', async (_, text, count) => {
    const decryption = await opened(text);
    expect(decryption).toEqual({ ...nothing, gpg: expect.stringMatching(/^-----BEGIN PGP PRIVATE KEY BLOCK-----\n/) });
    const { encryption } = (await accepted({ ...GPG, 'encryption-recipients': pgp.curve })).settings;
    if (encryption?.method !== 'gpg' || 'passphrase' in encryption) throw new Error('not for gpg');
    const encrypted = withGpg((gpg) => {
      gpg.run(['--import'], encryption.keys);
      return gpg.run(['--trust-model', 'always', '-r', pgp.fingerprints.curve, '--encrypt'], 'every row').stdout;
    });
    withGpg((gpg) => {
      gpg.run(['--import'], decryption?.gpg ?? '');
      expect(gpg.text('--with-colons', '--list-secret-keys').match(/^sec:/gm)).toHaveLength(count);
      expect(gpg.run(['--decrypt'], encrypted).stdout.toString()).toBe('every row');
    });
  });

  test('a passphrase, also a short one, beside a key or alone', async () => {
    const beside: Given = { ...VERIFY, 'decryption-key': pgp.secret, 'decryption-passphrase': 'x' };
    expect((await accepted(beside)).settings.decryption).toMatchObject({ age: null, passphrase: 'x' });
    expect((await accepted({ ...VERIFY, 'decryption-passphrase': ' a\tb ' })).settings.decryption).toEqual({
      ...nothing,
      passphrase: 'a\tb',
    });
    expect((await accepted(VERIFY)).settings.decryption).toBeNull();
    expect((await accepted({ ...VERIFY, 'decryption-passphrase': ' ' })).settings.decryption).toBeNull();
  });

  test.each<[string, string]>([
    ['a\nb', 'expected one line'],
    ['ü'.repeat(2049), 'expected at most 4096 bytes'],
  ])('a passphrase that is none is refused (%#)', async (passphrase, rule) => {
    expect(await problems({ ...VERIFY, 'decryption-passphrase': passphrase })).toEqual([
      `decryption-passphrase: ${rule}`,
    ]);
  });

  const KINDS =
    'lines of an age-keygen file (`AGE-SECRET-KEY-1...`), one SSH private key, or armored OpenPGP secret keys';
  const LINES = 'expected the lines of an age-keygen file (`AGE-SECRET-KEY-1...`)';
  const CHECKSUM = 'it is damaged (its checksum is wrong): copy all of it again';
  const ENCRYPTED =
    "it is encrypted, and age cannot ask for its passphrase: `ssh-keygen -p -N '' -f COPY` takes it off a copy";
  const last = native.identity.at(-1) === 'Q' ? 'P' : 'Q';
  const rsaPem = (cipher?: string) =>
    generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem', ...(cipher && { cipher, passphrase: 'a' }) },
    }).privateKey;

  const cases: [string, string, string][] = [
    ['words', 'hunter2 hunter2', `expected ${KINDS}`],
    ['a path', '/root/key.txt', `expected ${KINDS}`],
    ['comments alone', '# none', `expected ${KINDS}`],
    ['a mistyped letter', `# a\n${native.identity.slice(0, -1)}${last}`, `line 2: ${CHECKSUM}`],
    ['a part', native.identity.slice(0, -1), `line 1: ${CHECKSUM}`],
    ['the bytes of another kind', ofBytes('AGE-SECRET-KEY-', 33).toUpperCase(), `line 1: ${CHECKSUM}`],
    ['another kind of key', ofBytes('AGE-SECRET-KEY-X-', 32).toUpperCase(), `line 1: ${LINES}`],
    ['small letters', `${native.identity}\n${other.identity.toLowerCase()}`, `line 2: ${LINES}`],
    ['a line of words', `${native.identity}\nhunter2`, `line 2: ${LINES}`],
    [
      'a plugin',
      ofBytes('AGE-PLUGIN-YUBIKEY-', 9).toUpperCase(),
      `line 1: it is the key of a plugin, which would start a program; ${LINES}`,
    ],
    [
      'a recipient',
      native.recipient,
      'line 1: it is a public key; the secret one is the line that begins with `AGE-SECRET-KEY-`',
    ],
    [
      'a file that is encrypted',
      '-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----',
      'it is encrypted, and age cannot ask for its passphrase; give what `age -d FILE` prints',
    ],
    ['age and SSH', `${native.identity}\n${ed25519.key}`, `expected keys of one kind: ${KINDS}`],
    ['age and gpg', `${native.identity}\n${pgp.secret}`, `expected keys of one kind: ${KINDS}`],
    ['SSH and gpg', `${ed25519.key}\n${pgp.secret}`, `expected keys of one kind: ${KINDS}`],
    ['an encrypted key of SSH', makeKey('a'), ENCRYPTED],
    ['an encrypted key of SSH with \\n', makeKey('a').replaceAll('\n', '\\n'), ENCRYPTED],
    ['an encrypted key in PKCS#8', rsaPem('aes-256-cbc'), ENCRYPTED],
    ['an encrypted key in PEM', sshKey('-t', 'rsa', '-b', '2048', '-m', 'PEM', '-N', 'abcde').key, ENCRYPTED],
    ['ecdsa', ecdsa.key, 'age cannot decrypt with an SSH key of this type; it takes Ed25519 and RSA'],
    ['half a key of SSH', ed25519.key.slice(0, 150), 'its END line is missing: copy the whole file'],
    ['a public key of SSH', ed25519.line, 'it is a public key; the private one is in the file without .pub'],
    [
      'a public key of gpg',
      pgp.curve,
      'it is a public key; `gpg --armor --export-secret-keys ID` prints the secret one',
    ],
    [
      'a public key in the wrong frame',
      armored('PRIVATE KEY BLOCK', bytesOf(pgp.curve)),
      'it is a public key, not a secret one',
    ],
    ['half a key of gpg', pgp.secret.slice(0, 200), 'its END line is missing: the key was cut off'],
    [
      'a damaged key of gpg',
      pgp.secret.replace(/\n.*\n=/, '\n='),
      'it is damaged: the text between its BEGIN and END lines is not complete; copy it again',
    ],
    [
      'a message of gpg',
      armored('MESSAGE', Buffer.from([0xcb, 1, 0])),
      'expected OpenPGP secret keys, each from "-----BEGIN PGP PRIVATE KEY BLOCK-----" to its END line; `gpg --armor --export-secret-keys ID` prints one',
    ],
  ];

  test.each(cases)('%s is refused', async (_, key, rule) => {
    const { error } = await reading({ ...VERIFY, 'decryption-key': key });
    expect(error?.message).toBe(`decryption-key: ${rule}`);
  });

  test.each(cases)('%s is in no message', async (_, key) => {
    const { error } = await reading({ ...VERIFY, 'decryption-key': key });
    const told = `${error?.message} ${error?.hint} ${String(error?.cause)}`;
    for (const line of key.split('\n').filter((one) => one.length > 6 && !one.startsWith('-----'))) {
      expect(told).not.toContain(line);
    }
  });
});

describe('secrets', () => {
  const masked = (masks: string[]) => masks.flatMap((mask) => mask.split(/\r?\n/));
  const bodyOf = (key: string) => key.split('\n').filter((line) => line !== '' && !/^(-----|#)/.test(line));

  test.each<[string, Given]>([
    ['of age', { 'decryption-key': native.file }],
    ['of age with \\n', { 'decryption-key': native.file.trim().replaceAll('\n', '\\n') }],
    ['of SSH', { 'decryption-key': rsa.key }],
    ['of SSH with \\n', { 'decryption-key': rsa.key.replaceAll('\n', '\\n') }],
    ['of SSH in PKCS#8', { 'decryption-key': pkcs8Key() }],
    ['of gpg', { 'decryption-key': pgp.secret }],
    ['of gpg with \\n', { 'decryption-key': pgp.secret.replaceAll('\n', '\\n') }],
  ])('every line of a key %s is masked', async (_, given) => {
    const { masks, result } = await reading({ ...VERIFY, ...given });
    expect(result).not.toBeNull();
    const { age: identity, ssh, gpg } = result?.settings.decryption ?? {};
    expect(masked(masks)).toEqual(expect.arrayContaining(bodyOf(identity ?? ssh ?? gpg ?? 'none')));
    // what was given comes before anything that was made of it
    const lines = (given['decryption-key'] ?? '').replaceAll('\\n', '\n');
    expect(masks[0]).toContain(bodyOf(lines)[0]);
  });

  test('a comment in a file of keys is not masked by itself, unless there is a key in it', async () => {
    const key = `#\n${native.file}# ${other.identity}\n`;
    const { masks } = await reading({ ...VERIFY, 'decryption-key': key });
    expect(masked(masks)).toEqual(expect.arrayContaining([native.identity, `# ${other.identity}`]));
    expect(masked(masks)).not.toContain('#');
    expect(masks.join('\n')).not.toContain('public key');
  });

  test('passphrases are masked, recipients are not', async () => {
    const { masks } = await reading({ ...GPG, 'encryption-passphrase': PASSPHRASE, 'decryption-passphrase': 'old' });
    expect(masks).toEqual([PASSPHRASE, 'old']);
    for (const given of [
      { ...AGE, 'encryption-recipients': native.recipient },
      { ...GPG, 'encryption-recipients': pgp.curve },
    ]) {
      expect((await reading(given)).masks).toEqual([]);
    }
  });

  const GIVEN =
    'encryption-recipients: it contains a secret key, but public keys belong here; whoever can read the workflow or its log may have the secret key by now: make a new pair';

  test.each<[string, string]>([
    ['a file of age-keygen', native.file],
    ['an identity beside recipients', `${native.recipient}\n${other.identity}`],
    ['an identity in small letters', native.identity.toLowerCase()],
    ['a post-quantum identity', pqIdentity],
    ['an identity in a comment', `${native.recipient}\n# ${native.identity}`],
    ['a private key of SSH', ed25519.key],
    ['half of one', ed25519.key.slice(0, 150)],
    ['a private key of SSH in base64', inBase64(ed25519.key)],
    ['a secret key of gpg', pgp.secret],
    ['a secret key of gpg beside a public one', `${pgp.curve}${pgp.secret}`],
  ])('%s in the place of recipients is masked and refused', async (_, text) => {
    for (const encrypt of ['none', 'age', 'gpg']) {
      const { error, masks } = await reading({ ...LOCAL, encrypt, 'encryption-recipients': text });
      expect(error?.message).toBe(GIVEN);
      const secret = text.split('\n').filter((line) => /AGE-SECRET|^[A-Za-z0-9+/=]{12,}$/i.test(line));
      expect(masked(masks)).toEqual(expect.arrayContaining(secret));
    }
  });

  test('so is a secret key of gpg in the frame of a public one', async () => {
    const text = armored('PUBLIC KEY BLOCK', bytesOf(pgp.secret));
    const { error, masks } = await reading({ ...GPG, 'encryption-recipients': text });
    expect(error?.message).toBe(GIVEN);
    expect(masks).toEqual([text.trim()]);
  });

  test('what is refused is in no message', async () => {
    for (const [encrypt, text] of [
      ['age', 'hunter2-hunter2'],
      ['gpg', 'hunter2-hunter2'],
      ['age', `ssh-ed25519 hunter2-hunter2`],
      ['none', 'hunter2-hunter2'],
    ] as const) {
      const { error } = await reading({ ...LOCAL, encrypt, 'encryption-recipients': text });
      expect(error?.message).toMatch(/^encryption-recipients: /);
      expect(error?.message).not.toContain('hunter2');
    }
  });

  test('a key of age in another input is not shown', async () => {
    const { error } = await reading({ ...LOCAL, name: native.identity, 'run-as': native.identity });
    expect(error?.message).not.toContain(native.identity.slice(20));
    expect(error?.message).toContain('name: it is malformed; it is not shown here because it contains a secret');
  });
});
