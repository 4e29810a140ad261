import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import {
  findHostKeys,
  fingerprint,
  hostKeyPolicy,
  keyType,
  SERVER_HOST_KEY_ALGORITHMS,
  sharedLines,
} from '../../src/host/known-hosts.js';

const folder = mkdtempSync(join(tmpdir(), 'known-hosts-'));
afterAll(() => rmSync(folder, { recursive: true }));

function makeKey(type: string, ...options: string[]) {
  const file = join(folder, `${type}${options.join('')}`);
  execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', 'a comment', '-f', file, ...options]);
  return readKey(file);
}

/** A key of a type that can not be checked here; making one takes the hardware, reading its public half does not. */
function securityKey() {
  const field = (text: string) => Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)]);
  const blob = Buffer.concat(['sk-ssh-ed25519@openssh.com', 'k'.repeat(32), 'ssh:'].map(field));
  writeFileSync(join(folder, 'sk.pub'), `sk-ssh-ed25519@openssh.com ${blob.toString('base64')} a comment\n`);
  return readKey(join(folder, 'sk'));
}

function readKey(file: string) {
  const [name = '', base64 = ''] = readFileSync(`${file}.pub`, 'utf8').split(' ');
  const printed = execFileSync('ssh-keygen', ['-lf', `${file}.pub`], { encoding: 'utf8' }).split(' ')[1];
  return { text: `${name} ${base64}`, key: Buffer.from(base64, 'base64'), printed, name };
}
const ed25519 = makeKey('ed25519');
const ecdsa256 = makeKey('ecdsa');
const ecdsa521 = makeKey('ecdsa', '-b', '521');
const rsa = makeKey('rsa');
const sk = securityKey();
const other = makeKey('ed25519', '-a', '1');
const ALL = [ed25519, ecdsa256, ecdsa521, rsa, sk];
const RSA = ['rsa-sha2-512', 'rsa-sha2-256'];

function hashed(text: string): string {
  const file = join(folder, 'hash-me');
  writeFileSync(file, text);
  execFileSync('ssh-keygen', ['-H', '-f', file], { stdio: 'ignore' });
  return readFileSync(file, 'utf8');
}

test.each(ALL)('the fingerprint of $name is that of ssh-keygen', ({ key, printed }) => {
  expect(fingerprint(key)).toBe(printed);
});

test('keyType reads the type, whatever a host sends', () => {
  expect(ALL.map(({ key }) => keyType(key))).toEqual(ALL.map(({ name }) => name));
  expect(
    [Buffer.alloc(0), Buffer.alloc(3), Buffer.alloc(4), Buffer.from([255, 255, 255, 255, 97])].map(keyType),
  ).toEqual(['', '', '', 'a']);
});

describe('finds the lines that ssh-keygen -F finds', () => {
  const many = [
    `db.example.com ${ed25519.text}`,
    `db.example.com,10.0.0.7 ${rsa.text} a comment`,
    `DB.Example.COM ${ecdsa256.text}`,
    `*.example.com,!db.example.com ${ecdsa256.text}`,
    `!web.example.com,*.example.com ${rsa.text}`,
    `web?.example.com ${ed25519.text}`,
    `[db.example.com]:2222 ${ed25519.text}`,
    `[db.example.com]:22 ${other.text}`,
    `[*.example.com]:2222 ${rsa.text}`,
    `[10.0.0.*]:* ${rsa.text}`,
    `::1,2001:db8::7 ${ed25519.text}`,
    `[2001:db8::7]:2222 ${rsa.text}`,
    `* ${ecdsa521.text}`,
    `@revoked db.example.com ${other.text}`,
    `@revoked * ${sk.text}`,
    `@cert-authority *.example.com ${rsa.text}`,
    `   web1.example.com\t${ed25519.text}`,
    `# web1.example.com ${ed25519.text}`,
    '',
    `a+b.example.com ${rsa.text}`,
    `db.example.com. ${rsa.text}`,
    `,db.example.com, ${rsa.text}`,
  ];
  const files: [string, string][] = [
    ['plain lines', `${many.join('\n')}\n`],
    ['no last newline', many.join('\n')],
    ['CRLF', `${many.join('\r\n')}\r\n`],
    [
      'hashed lines',
      hashed(
        `${many
          .slice(0, 2)
          .concat(many[6] ?? '', many[10] ?? '', many[11] ?? '')
          .join('\n')}\n`,
      ),
    ],
    ['nothing but comments', '# nothing\n\n'],
  ];
  const hosts: [string, number][] = [
    ['db.example.com', 22],
    ['db.example.com', 2222],
    ['web.example.com', 22],
    ['web1.example.com', 22],
    ['web1.example.com', 2222],
    ['web12.example.com', 22],
    ['10.0.0.7', 22],
    ['10.0.0.7', 2222],
    ['10.0.0.70', 22],
    ['::1', 22],
    ['2001:db8::7', 22],
    ['2001:db8::7', 2222],
    ['a+b.example.com', 22],
    ['aab.example.com', 22],
    ['example.com', 22],
    ['dbXexample.com', 22],
    ['elsewhere', 22],
    ['elsewhere', 2222],
  ];

  test.each(files)('%s', (_, text) => {
    const file = join(folder, 'known_hosts');
    writeFileSync(file, text);
    let lines = 0;
    for (const [host, port] of hosts) {
      const name = port === 22 ? host : `[${host}]:${port}`;
      const { stdout } = spawnSync('ssh-keygen', ['-F', name, '-f', file], { encoding: 'utf8' });
      const expected = { keys: [] as number[], revoked: [] as number[], authorities: [] as number[] };
      for (const [, line, marker] of stdout.matchAll(/^# Host .* found: line (\d+) ?(CA|REVOKED)?/gm)) {
        const list = marker === 'CA' ? 'authorities' : marker === 'REVOKED' ? 'revoked' : 'keys';
        expected[list].push(Number(line));
        lines += 1;
      }
      const found = findHostKeys(text, host, port);
      const numbers = (entries: { line: number }[]) => entries.map(({ line }) => line);
      expect({
        host: name,
        keys: numbers(found.keys),
        revoked: numbers(found.revoked),
        authorities: numbers(found.authorities),
      }).toEqual({ host: name, ...expected });
      expect(found.unreadableLines).toEqual([]);
    }
    // Guards the comparison itself: an ssh-keygen that printed in another form would make both sides empty.
    if (text.includes('ssh-')) expect(lines).toBeGreaterThan(5);
  });
});

describe('sharedLines', () => {
  const places = (text: string) =>
    sharedLines(text, { host: 'db', port: 22 }, { host: 'bastion.example.com', port: 2222 });

  test.each([
    ['a pattern', `web ${rsa.text}\n* ${ed25519.text}`, 2],
    ['both names', `db,[bastion.example.com]:2222 ${ed25519.text}`, 1],
  ])('tells of a line that lists one key for both hosts: %s', (_, text, line) => {
    expect(places(text)).toBe(
      `known-hosts: the jump host [bastion.example.com]:2222 can present its own key as the key of db, because one line lists it for both (line ${line}); give each host its own line`,
    );
  });

  test('not of lines of their own, nor of one host that is both', () => {
    expect(places(`db ${rsa.text}\n[bastion.example.com]:2222 ${rsa.text}\n@revoked * ${ed25519.text}`)).toBeNull();
    expect(sharedLines(`* ${rsa.text}`, { host: 'db', port: 22 }, { host: 'DB', port: 22 })).toBeNull();
  });
});

describe('findHostKeys', () => {
  test('compares host names in lower case, hashed ones too, as ssh does before it looks', () => {
    const text = `db.example.com ${ed25519.text}\n`;
    expect(findHostKeys(text, 'DB.Example.com', 22).keys).toHaveLength(1);
    expect(findHostKeys(hashed(text), 'DB.Example.com', 22).keys).toHaveLength(1);
  });

  test('skips a byte order mark', () => {
    expect(findHostKeys(`\uFEFFdb ${ed25519.text}`, 'db', 22).keys).toEqual([
      { type: 'ssh-ed25519', key: ed25519.key, line: 1 },
    ]);
  });

  test.each([
    ['a cut key', `db ${ed25519.text.slice(0, 40)}`],
    ['a cut key that is not base64 any more', `db ${ed25519.text}!`],
    ['no key', 'db ssh-ed25519'],
    ['a key of another type', `db ssh-rsa ${ed25519.text.split(' ')[1]}`],
    ['only the type inside', `db ssh-rsa ${Buffer.from('\0\0\0\x07ssh-rsa').toString('base64')}`],
    ['an unknown marker', `@trusted db ${ed25519.text}`],
    ['a marker alone', '@revoked'],
    ['a public key without a host', ed25519.text],
    ['a fingerprint', String(ed25519.printed)],
    ['an HTML page', '<html><body>404</body></html>'],
  ])('reports a line with %s as unreadable', (_, line) => {
    expect(findHostKeys(`# first\n${line}\n`, 'db', 22)).toEqual({
      keys: [],
      revoked: [],
      authorities: [],
      unreadableLines: [2],
    });
  });

  test('a hash of another version matches nothing', () => {
    expect(findHostKeys(`|2|AAAA|BBBB ${ed25519.text}\n|1|AAAA ${ed25519.text}`, 'db', 22).keys).toEqual([]);
  });
});

describe('hostKeyPolicy', () => {
  const printOf = (key: Buffer, host: string | null = null) => ({ host, print: fingerprint(key) });

  test('accepts listed keys alone and asks the host for their types alone', () => {
    const policy = hostKeyPolicy(`db ${rsa.text}\ndb ${ecdsa256.text}\nweb ${ed25519.text}\n`, [], 'db', 22);
    expect(policy.algorithms).toEqual(['ecdsa-sha2-nistp256', ...RSA]);
    expect(policy.accepts(rsa.key)).toBe('accepted');
    expect(policy.accepts(ecdsa256.key)).toBe('accepted');
    expect(policy.accepts(ed25519.key)).toBe('unknown');
    expect(policy.accepts(Buffer.alloc(0))).toBe('unknown');
    expect(policy.warnings).toEqual([]);
    expect(policy.comparedWith).toBe(
      'the keys of db in known-hosts (ssh-rsa in line 1, ecdsa-sha2-nistp256 in line 2)',
    );
  });

  test('accepts by fingerprint alone, with any type', () => {
    const policy = hostKeyPolicy('', [printOf(ed25519.key), printOf(rsa.key)], 'db', 22);
    expect(policy.algorithms).toEqual(SERVER_HOST_KEY_ALGORITHMS);
    expect(policy.accepts(ed25519.key)).toBe('accepted');
    expect(policy.accepts(rsa.key)).toBe('accepted');
    expect(policy.accepts(other.key)).toBe('unknown');
    expect(policy.comparedWith).toBe(`fingerprint (${fingerprint(ed25519.key)}, ${fingerprint(rsa.key)})`);
  });

  test('takes both together, known types first', () => {
    const policy = hostKeyPolicy(`[db]:2222 ${rsa.text}`, [printOf(other.key)], 'db', 2222);
    expect(policy.algorithms).toEqual([
      ...RSA,
      'ssh-ed25519',
      'ecdsa-sha2-nistp256',
      'ecdsa-sha2-nistp384',
      'ecdsa-sha2-nistp521',
    ]);
    expect(policy.accepts(rsa.key)).toBe('accepted');
    expect(policy.accepts(other.key)).toBe('accepted');
    expect(policy.accepts(ed25519.key)).toBe('unknown');
  });

  test('a fingerprint serves when known-hosts has no line for the host', () => {
    const policy = hostKeyPolicy(`web ${rsa.text}`, [printOf(other.key)], 'db', 22);
    expect(policy.algorithms).toEqual(SERVER_HOST_KEY_ALGORITHMS);
    expect(policy.accepts(other.key)).toBe('accepted');
    expect(policy.accepts(rsa.key)).toBe('unknown');
    expect(policy.comparedWith).toBe(`fingerprint (${fingerprint(other.key)}); known-hosts: no line for db`);
  });

  test('a fingerprint with a name serves for that host alone', () => {
    const prints = [printOf(ed25519.key, 'bastion'), printOf(rsa.key, '[db]:2222'), printOf(other.key, 'db')];
    const policy = hostKeyPolicy('', prints, 'DB', 2222);
    expect(policy.accepts(rsa.key)).toBe('accepted');
    expect(policy.accepts(ed25519.key)).toBe('unknown');
    expect(policy.accepts(other.key)).toBe('unknown');
    expect(policy.comparedWith).toBe(`fingerprint (${fingerprint(rsa.key)})`);
    expect(hostKeyPolicy('', prints, 'web', 22)).toMatchObject({
      tryOtherTypes: true,
      comparedWith: 'nothing; fingerprint: no line for web',
    });
    expect(hostKeyPolicy(`db ${rsa.text}`, prints, 'db', 24).comparedWith).toBe(
      'nothing; known-hosts: no line for [db]:24; there is one for db without a port, which only means port 22; fingerprint: no line for [db]:24; there is one for db without a port, which only means port 22',
    );
  });

  test('never asks for a signature with SHA-1', () => {
    expect(SERVER_HOST_KEY_ALGORITHMS).not.toContain('ssh-rsa');
  });

  test('never accepts a revoked key, and does not ask for its type', () => {
    const text = `db ${ed25519.text}\ndb ${rsa.text}\n@revoked * ${ed25519.text}\n`;
    const policy = hostKeyPolicy(text, [printOf(ed25519.key)], 'db', 22);
    expect(policy.accepts(ed25519.key)).toBe('revoked');
    expect(policy.accepts(rsa.key)).toBe('accepted');
    expect(hostKeyPolicy(text, [], 'db', 22).algorithms).toEqual(RSA);
  });

  test('a revocation for another host does not count', () => {
    expect(hostKeyPolicy(`db ${rsa.text}\n@revoked web ${rsa.text}`, [], 'db', 22).accepts(rsa.key)).toBe('accepted');
  });

  test('does not accept the key of a certificate authority', () => {
    const policy = hostKeyPolicy(`db ${ed25519.text}\n@cert-authority * ${rsa.text}\n`, [], 'db', 22);
    expect(policy.accepts(rsa.key)).toBe('unknown');
    expect(policy.warnings).toEqual([
      'known-hosts: the @cert-authority lines for db have no effect, because host certificates cannot be checked here (line 2)',
    ]);
  });

  test('warns about lines that it can not read', () => {
    expect(hostKeyPolicy(`db ${ed25519.text}\nrubbish\n`, [], 'db', 22).warnings).toEqual([
      'known-hosts: lines that cannot be read have no effect (line 2)',
    ]);
  });

  test('a key of an unsupported type is not accepted by its line', () => {
    expect(hostKeyPolicy(`db ${rsa.text}\ndb ${sk.text}`, [], 'db', 22).accepts(sk.key)).toBe('unknown');
  });

  test.each([
    ['another host', `web ${rsa.text}`, 22, 'nothing; known-hosts: no line for db'],
    [
      'only the default port',
      `db ${rsa.text}`,
      2222,
      'nothing; known-hosts: no line for [db]:2222; there is one for db without a port, which only means port 22',
    ],
    [
      'unreadable lines',
      'db rubbish\n\nrubbish',
      22,
      'nothing; known-hosts: no line for db; these lines cannot be read: 1, 3',
    ],
    [
      'only an authority',
      `@cert-authority * ${rsa.text}`,
      22,
      "nothing; known-hosts: only @cert-authority lines match db, and host certificates cannot be checked here: add the host's own key",
    ],
    [
      'only an unsupported type',
      `db ${sk.text}`,
      22,
      'nothing; known-hosts: only unsupported key types match db (sk-ssh-ed25519@openssh.com in line 1), expected one of ssh-ed25519, ecdsa-sha2-nistp256, ecdsa-sha2-nistp384, ecdsa-sha2-nistp521, ssh-rsa',
    ],
    [
      'all revoked',
      `db ${rsa.text}\n@revoked db ${rsa.text}`,
      22,
      'nothing; known-hosts: every key of db is @revoked (ssh-rsa in line 1)',
    ],
  ])('accepts nothing, asks for every type, and says why nothing matched: %s', (_, text, port, why) => {
    const policy = hostKeyPolicy(text, [], 'db', port);
    expect(policy).toMatchObject({ algorithms: SERVER_HOST_KEY_ALGORITHMS, tryOtherTypes: true, comparedWith: why });
    expect(ALL.map(({ key }) => policy.accepts(key))).not.toContain('accepted');
  });
});
