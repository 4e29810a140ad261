import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { foreignDump, foreignRemarks } from '../../src/engines/foreign-dump.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { fillSample, SAMPLE_ROLES } from '../helpers/postgres-sample.js';
import { Sessions } from '../helpers/shell-host.js';
import { createDatabase } from '../helpers/sqlite.js';

const sessions = new Sessions();
afterEach(() => sessions.close());

let server: Postgres;
/** Files by name, as the tools of others leave them. */
let folder: string;
const at = (name: string) => join(folder, name);
const bytes = (name: string) => readFileSync(at(name));
const put = (name: string, content: string | Buffer) => {
  writeFileSync(at(name), content);
  return at(name);
};
const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex');

beforeAll(async () => {
  server = await startPostgres();
  await fillSample(server, 'shop');
  folder = mkdtempSync(join(tmpdir(), 'dbb-foreign-'));
  chmodSync(folder, 0o755);
  for (const [format, name] of Object.entries({ c: 'x.dump', p: 'x.sql', t: 'x.tar', d: 'dir' })) {
    execFileSync('pg_dump', ['-d', server.uri({ database: 'shop' }), `-F${format}`, '-f', at(name)]);
  }
  execFileSync('pg_dump', ['-d', server.uri({ database: 'shop' }), '-C', '-s', '-f', at('create.sql')]);
  execFileSync('pg_dumpall', ['-d', server.uri(), '--globals-only', '-f', at('cluster.sql')]);
  execFileSync('tar', ['-cf', at('dir.tar'), '-C', folder, 'dir']);
  execFileSync('tar', ['-cf', at('inside.tar'), '-C', at('dir'), '.']);
  await createDatabase(at('live.db'), { mb: 0.2, wal: true });
  execFileSync('sqlite3', [at('live.db'), `.backup '${at('copy.db')}'`]);
  put('dump.sql', execFileSync('sqlite3', [at('live.db'), '.dump']));
  mkdirSync(at('busybox'));
  for (const applet of APPLETS) symlinkSync('/bin/busybox', join(at('busybox'), applet));
});
afterAll(async () => {
  await server?.remove();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

async function look(path: string, command = ['dash']) {
  const { host, session } = await sessions.open(command);
  const place = join(host.folder, 'tmp');
  mkdirSync(place);
  const facts = await session.send(['request', 'eval', [`TMPDIR=${place}`]], ['job', 'look_dump', [path]]);
  expect(readdirSync(place)).toEqual([]);
  return { facts, host, dump: () => foreignDump(facts) };
}

async function refused(path: string, code: string, message: RegExp, hint?: RegExp) {
  const { dump } = await look(path);
  expect(dump).toThrow(
    expect.objectContaining({
      code,
      message: expect.stringMatching(message),
    }),
  );
  if (hint !== undefined) expect(dump).toThrow(expect.objectContaining({ hint: expect.stringMatching(hint) }));
}

const KINDS = [
  ['x.dump', 'dump'],
  ['x.sql', 'sql'],
  ['x.tar', 'dump'],
  ['dir.tar', 'tar'],
  ['inside.tar', 'tar'],
  ['copy.db', 'sqlite'],
] as const;
const PACKED = { none: (content: Buffer) => content, gzip: gzipSync, zstd: zstdCompressSync };

/** Of the shells the quickest and the oddest, which has tools of its own besides. */
const TWO: [name: string, command: () => string[]][] = [
  ['dash', () => ['dash']],
  ['busybox', () => ['env', `PATH=${at('busybox')}:${process.env.PATH}`, 'busybox', 'sh']],
];
const APPLETS =
  'sed grep tr head tail od dd tar gzip date stat sha256sum find cat ls wc readlink mktemp mkfifo sleep'.split(' ');

describe.each(TWO)('in %s', (_, shell) => {
  const command = () => shell();
  const version = execFileSync('pg_dump', ['--version'], { encoding: 'utf8' }).replace(/^.*?\) |\n/g, '');

  test.each(KINDS)('%s is told by its bytes, packed or not, whatever its name says', async (name, kind) => {
    for (const [compression, pack] of Object.entries(PACKED)) {
      const content = pack(bytes(name));
      const path = put('name.zip', content);
      const { facts, dump } = await look(path, command());
      expect(dump()).toEqual({
        file: path,
        kind,
        compression,
        encryption: 'none',
        sha256: sha256(content),
        bytes: content.length,
        databaseBytes: null,
        manifest: null,
        versions: kind === 'sqlite' ? { tool: null, server: null } : { tool: version, server: version },
      });
      expect(facts.number('dump_mtime')).toBe(Math.floor(statSync(path).mtimeMs / 1000));
      expect(facts.get('dump_tar_format')).toBe(name === 'x.tar' ? '1' : null);
      expect(foreignRemarks(facts)).toEqual([]);
    }
  });

  test('a relative path begins at the home, and a link leads to the file', async () => {
    const { host, session } = await sessions.open(command());
    symlinkSync(at('x.dump'), join(host.folder, 'latest'));
    const facts = await session.send(['job', 'look_dump', ['latest']]);
    expect(foreignDump(facts)).toMatchObject({ file: at('x.dump'), kind: 'dump' });
  });

  test('the file .sha256 beside it has to agree', async () => {
    const path = put('a b.dump', bytes('x.dump'));
    const sum = sha256(bytes('x.dump'));
    const wrong = sha256(Buffer.from('something else'));
    for (const [text, sidecar] of [
      [`${sum}  a b.dump\n`, 'agrees'],
      [`${sum} *a b.dump\r\n`, 'agrees'],
      [`${wrong}  other\n${sum.toUpperCase()}  /srv/old/a b.dump`, 'agrees'],
      [`SHA256 (a b.dump) = ${sum}\n`, 'agrees'],
      [`${sum}\n`, 'agrees'],
      [`${wrong}  other\n`, 'other'],
    ] as const) {
      put('a b.dump.sha256', text);
      const { facts, dump } = await look(path, command());
      expect([text, facts.get('dump_sidecar')]).toEqual([text, sidecar]);
      expect(dump()).toMatchObject({ sha256: sum });
      expect(foreignRemarks(facts)).toHaveLength(sidecar === 'other' ? 1 : 0);
    }
    for (const text of [
      `${wrong}  a b.dump\n`,
      `${wrong}\n`,
      `SHA256 (a b.dump) = ${wrong}\n`,
      `${sum}  a b.dump\n${wrong}  a b.dump\n`,
    ]) {
      put('a b.dump.sha256', text);
      const { dump } = await look(path, command());
      expect(dump).toThrow(expect.objectContaining({ code: 'E_CHECKSUM', message: expect.stringContaining(wrong) }));
    }
    rmSync(at('a b.dump.sha256'));
  });
});

describe('is refused', () => {
  test('what is not there, or is no file that can be read', async () => {
    await refused(at('nowhere'), 'E_NOT_FOUND', /there is no file .*nowhere on the host/);
    await refused(folder, 'E_SOURCE_INVALID', /is a folder$/);
    await refused(at('dir'), 'E_SOURCE_INVALID', /pg_dump -Fd made/, /tar -cf/);
    await refused('/dev/null', 'E_SOURCE_INVALID', /not a regular file/);
    await refused(put('empty', ''), 'E_SOURCE_INVALID', /is empty/);
    execFileSync('mkfifo', [at('fifo')]);
    await refused(at('fifo'), 'E_SOURCE_INVALID', /not a regular file/);
    symlinkSync(at('nowhere'), at('dangling'));
    await refused(at('dangling'), 'E_NOT_FOUND', /dangling/);
  });

  test('what the login user may not read', async () => {
    chmodSync(put('secret.dump', bytes('x.dump')), 0o600);
    mkdirSync(at('closed'), { mode: 0o700 });
    put('closed/x.dump', bytes('x.dump'));
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'dash'];
    for (const name of ['secret.dump', 'closed/x.dump']) {
      const { session } = await sessions.open(nobody);
      const facts = await session.send(['job', 'look_dump', [at(name)]]);
      expect(() => foreignDump(facts)).toThrow(expect.objectContaining({ code: 'E_PERM' }));
    }
  });

  test('what is packed or encrypted in another way, by its name', async () => {
    const dump = at('x.dump');
    const tools: [string, string, string[]][] = [
      ['bzip2', 'bzip2 -d', ['bzip2', '-k', '-c', dump]],
      ['xz', 'xz -d', ['xz', '-k', '-c', dump]],
      ['zip', 'unzip', ['zip', '-q', '-', dump]],
    ];
    for (const [tool, advice, command] of tools) {
      const [program = '', ...args] = command;
      const path = put('packed', execFileSync(program, args, { maxBuffer: 1 << 26 }));
      await refused(path, 'E_SOURCE_INVALID', new RegExp(`is packed with ${tool};`), new RegExp(advice));
    }
    const home = mkdtempSync(join(tmpdir(), 'dbb-gpg-'));
    const gpg = [
      '--homedir',
      home,
      '--batch',
      '--passphrase',
      'x',
      '--pinentry-mode',
      'loopback',
      '--symmetric',
      '-o',
      '-',
    ];
    for (const armor of [[], ['--armor']]) {
      await refused(
        put(
          'encrypted',
          execFileSync('gpg', [...armor, ...gpg, dump], { stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 26 }),
        ),
        'E_SOURCE_INVALID',
        /is encrypted with gpg/,
        /gpg -d/,
      );
    }
    execFileSync('gpgconf', ['--homedir', home, '--kill', 'all']);
    rmSync(home, { recursive: true, force: true });
    await refused(put('age', 'age-encryption.org/v1\n-> X25519 abc\n'), 'E_SOURCE_INVALID', /encrypted with age/);
    await refused(
      put('age.asc', '-----BEGIN AGE ENCRYPTED FILE-----\nabc\n'),
      'E_SOURCE_INVALID',
      /encrypted with age/,
    );
    await refused(put('7z', Buffer.from('377abcaf271c0004', 'hex')), 'E_SOURCE_INVALID', /packed with 7z/);
    await refused(
      put('twice', gzipSync(zstdCompressSync(bytes('x.sql')))),
      'E_SOURCE_INVALID',
      /packed twice: .* zstd/,
      /gzip -d/,
    );
  });

  test('what is damaged', async () => {
    await refused(
      put('cut.gz', gzipSync(bytes('x.dump')).subarray(0, 200)),
      'E_SOURCE_INVALID',
      /damaged or truncated: .*gzip/s,
    );
    await refused(
      put('cut.zst', zstdCompressSync(bytes('x.sql')).subarray(0, 300)),
      'E_SOURCE_INVALID',
      /damaged or truncated/,
    );
    const crc = gzipSync('SELECT 1;\n');
    crc.writeUInt32LE(7, crc.length - 8);
    await refused(put('crc.gz', crc), 'E_SOURCE_INVALID', /damaged or truncated: .*crc/s);
    await refused(put('hollow.gz', gzipSync('')), 'E_SOURCE_INVALID', /unpacks to nothing/);
    await refused(
      put('cut.sql', bytes('x.sql').subarray(0, -400)),
      'E_SOURCE_INVALID',
      /a truncated script of pg_dump/,
    );
    for (const name of ['dir.tar', 'x.tar']) {
      for (const kept of [3000, 20_000, bytes(name).length - 11_000]) {
        const cut = bytes(name).subarray(0, kept);
        await refused(put('cut.tar', cut), 'E_SOURCE_INVALID', /damaged or truncated/);
        await refused(put('cut.tar.gz', gzipSync(cut)), 'E_SOURCE_INVALID', /damaged or truncated/);
      }
    }
    await refused(
      put('cut.tar.gz', gzipSync(bytes('dir.tar')).subarray(0, -100)),
      'E_SOURCE_INVALID',
      /damaged or truncated/,
    );
    await refused(
      put('noise', Buffer.from(Array.from({ length: 4096 }, (__, i) => (i * 89 + 200) % 256))),
      'E_SOURCE_INVALID',
      /not a dump that this action knows/,
    );
    await refused(
      put('page.html', '<!DOCTYPE html>\n<p>404 SELECT</p>\n'),
      'E_SOURCE_INVALID',
      /not a dump that this action knows/,
    );
    await refused(put('x.csv', 'id,name\n1,SELECT\n'), 'E_SOURCE_INVALID', /not a dump that this action knows/);
  });

  test('what belongs to another database, or to more than one', async () => {
    await refused(at('cluster.sql'), 'E_SOURCE_INVALID', /a script of pg_dumpall/, /pg_dump -Fc/);
    await refused(
      at('create.sql'),
      'E_SOURCE_INVALID',
      /connects to the database shop on its own/,
      /without `--create`/,
    );
    expect((await look(at('dump.sql'))).dump()).toMatchObject({ kind: 'statements', compression: 'none' });
    await refused(
      put('hand.sql', 'PRAGMA a = 1;\nCREATE TABLE t (a);\n'),
      'E_SOURCE_INVALID',
      /SQL for SQLite/,
      /\.backup/,
    );
    const mysql =
      '-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n--\n/*!40101 SET NAMES utf8 */;\nCREATE TABLE `t` (a int);\n';
    await refused(put('mysql.sql', mysql), 'E_SOURCE_INVALID', /MySQL or MariaDB/);
    await refused(
      put('maria.sql.gz', gzipSync(`/*M!999999\\- enable the sandbox mode */ \n${mysql}`)),
      'E_SOURCE_INVALID',
      /MySQL or MariaDB/,
    );
    await refused(at('dir/toc.dat'), 'E_SOURCE_INVALID', /toc\.dat of a folder/);
  });

  test('a tar that is none of pg_dump, or leads out of its folder', async () => {
    const tar = (name: string, ...args: string[]) => {
      execFileSync('tar', ['-cPf', at(name), '-C', folder, ...args]);
      return at(name);
    };
    await refused(tar('sql.tar', 'x.sql'), 'E_SOURCE_INVALID', /without a toc\.dat/);
    mkdirSync(at('deep/er'), { recursive: true });
    execFileSync('cp', ['-r', at('dir'), at('deep/er/dir')]);
    await refused(tar('deep.tar', 'deep'), 'E_SOURCE_INVALID', /without a toc\.dat/);
    execFileSync('cp', ['-r', at('dir'), at('second')]);
    await refused(tar('two.tar', 'dir', 'second'), 'E_SOURCE_INVALID', /more than one dump/);
    symlinkSync('/etc', at('second/etc'));
    await refused(tar('link.tar', 'second'), 'E_SOURCE_INVALID', /links, devices or paths out/);
    await refused(tar('absolute.tar', 'dir', '/etc/hostname'), 'E_SOURCE_INVALID', /links, devices or paths out/);
    await refused(tar('up.tar', 'dir', 'dir/../x.sql'), 'E_SOURCE_INVALID', /links, devices or paths out/);
  });

  test('a SQLite file that is in use, or was copied in the middle', async () => {
    const path = put('copied.db', bytes('copy.db'));
    put('copied.db-wal', 'frames');
    await refused(path, 'E_SOURCE_INVALID', /copied\.db-wal lies beside/, /\.backup/);
    put('copied.db-wal', '');
    expect((await look(path)).dump()).toMatchObject({ kind: 'sqlite' });
    put('copied.db-journal', Buffer.from('d9d505f920a163d700000000', 'hex'));
    await refused(path, 'E_SOURCE_INVALID', /copied\.db-journal lies beside/);
  });

  test('text in UTF-16', async () => {
    const text = bytes('x.sql').toString('utf8');
    await refused(put('utf16.sql', Buffer.from(`\ufeff${text}`, 'utf16le')), 'E_SOURCE_INVALID', /UTF-16/, /iconv/);
    await refused(put('utf16.sql.gz', gzipSync(Buffer.from(text, 'utf16le'))), 'E_SOURCE_INVALID', /UTF-16/);
  });
});

test('a script of another tool, one of Windows, and one with a byte order mark', async () => {
  const text = bytes('x.sql').toString('utf8');
  const own = put('own.sql', '/* ours\n   SELECT */\n\n-- by hand\ncreate table t (a int);\n');
  await refused(own, 'E_SOURCE_INVALID', /is not a dump that this action knows/);
  await refused(
    put('windows.sql', text.replaceAll('\n', '\r\n')),
    'E_SOURCE_INVALID',
    /lines that end in CRLF/,
    /dos2unix/,
  );
  await refused(put('bom.sql', `\ufeff${text}`), 'E_SOURCE_INVALID', /a byte order mark at its beginning/);
});

describe.each(TWO)('in %s', (_, command) => {
  test('a tar of the directory format is unpacked under the name that is expected', async () => {
    for (const name of ['dir.tar', 'inside.tar']) {
      const { host, session } = await sessions.open(command());
      await session.send(['job', 'eval', [`unpack_directory <'${at(name)}'`]]);
      expect(readFileSync(join(host.folder, 'dump/toc.dat'))).toEqual(bytes('dir/toc.dat'));
    }
  });
});

test('roles of the sample are those that the scripts name', () => {
  expect(bytes('x.sql').toString('utf8')).toContain(SAMPLE_ROLES.owner);
});
