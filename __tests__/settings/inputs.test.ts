import { describe, expect, test } from '@jest/globals';
import { SigningKeys } from '../../src/backups/signature.js';
import { INPUT_NAMES, type InputName } from '../../src/settings/declared-inputs.js';
import { COMMANDS } from '../../src/settings/settings.js';
import { accepted, type Given, makeKey, problems, reading } from './given-inputs.js';

const key = makeKey();
const otherKey = makeKey();
const ID = 'app-20261120T101500Z-7f3a';
const PRINT = `SHA256:${'A'.repeat(43)}`;
const LINE = 'db.example.com ssh-ed25519 AAAA';
/** Of the right form, and nobody's. */
const RECIPIENT = `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${'A'.repeat(43)}`;
const LOCAL: Given = { transport: 'local', database: '/srv/app.db' };
const RESTORE: Given = { ...LOCAL, command: 'restore' };
const S3: Given = { ...LOCAL, 's3-bucket': 'shop-backups', 's3-endpoint': 'https://s3.example.com' };
const KEYS: Given = { ...S3, 's3-access-key-id': 'AKIDEXAMPLE', 's3-secret-access-key': 'wJalr/XUtn+FEMI' };
const POSTGRES: Given = { ...LOCAL, database: 'postgresql://app@db.internal/shop' };
const PHYSICAL: Given = { ...POSTGRES, method: 'physical', stanza: 'main' };
const SSH: Given = {
  host: 'db.example.com',
  username: 'deploy',
  key,
  'known-hosts': LINE,
  database: '/srv/app.db',
};

describe('what the settings are', () => {
  test('with nothing but what is required', async () => {
    const { settings, warnings } = await accepted(SSH);
    expect(warnings).toEqual([]);
    expect(settings).toEqual({
      command: 'backup',
      transport: {
        transport: 'ssh',
        host: 'db.example.com',
        port: 22,
        username: 'deploy',
        key: { pem: key, publicLine: expect.stringMatching(/^ssh-ed25519 AAAA/) },
        knownHosts: LINE,
        fingerprints: [],
        jump: null,
        connectTimeoutMs: 20_000,
      },
      runAs: null,
      container: null,
      timeoutMs: 7_200_000,
      idleTimeoutMs: 600_000,
      lockWaitMs: 60_000,
      database: { engine: 'sqlite', path: '/srv/app.db', given: '/srv/app.db' },
      backupType: 'auto',
      fullEveryMs: 604_800_000,
      restoreTime: null,
      name: 'app',
      directory: 'db-backups',
      umask: '077',
      dump: { format: 'custom', jobs: null, excludeTable: [], excludeTableData: [], schema: [] },
      compression: 'auto',
      compressionLevel: null,
      encryption: null,
      extraction: null,
      decryption: null,
      signing: null,
      keep: { last: 5 },
      keepMadeUnder: true,
      keepMinimum: 1,
      maxDelete: null,
      dryRun: false,
      pin: null,
      skipIfYoungerThanMs: null,
      s3: null,
      verify: 'content',
      verifyOn: 'host',
      asserts: [],
      restoreTo: null,
      maxAgeMs: 93_600_000,
      shrinkLimit: 0.5,
      growthLimit: null,
      growthLimitBytes: null,
      rowLossLimit: 0.5,
      onRowLoss: 'pin',
      minFreeBytes: 0,
      ledger: true,
      backup: null,
      backupInStore: null,
      dumpToVerify: null,
      restore: {
        wanted: { by: 'latest' },
        confirm: null,
        allowEvents: [],
        to: null,
        safetyBackup: true,
        way: 'auto',
        stopCommand: null,
        startCommand: null,
        afterCommand: null,
        checkCommand: null,
        allowOtherTarget: false,
        allowUnsafeClient: false,
      },
      hooks: { before: null, after: null },
      commandTimeoutMs: 600_000,
      settleUnfinished: false,
      telling: { destinations: [], ping: null, when: 'failure', withLog: false },
      metricsFile: null,
      history: true,
      summary: true,
    });
  });

  test('with transport local', async () => {
    const { settings, warnings } = await accepted(LOCAL);
    expect(settings.transport).toEqual({ transport: 'local' });
    expect(warnings).toEqual([]);
  });

  test('an empty or blank input is as good as none', async () => {
    const empty = Object.fromEntries(INPUT_NAMES.map((name) => [name, name in LOCAL ? LOCAL[name] : ' \n'])) as Given;
    expect(await accepted(empty)).toEqual(await accepted(LOCAL));
  });

  /** For each input a value that makes a difference to these, and what differs. A new input is a type error here. */
  const CHANGES: Record<InputName, [base: Given, value: string, differs: object]> = {
    command: [LOCAL, 'list', { command: 'list' }],
    transport: [SSH, 'local', { transport: { transport: 'local' } }],
    host: [SSH, '2001:db8::7', { transport: { host: '2001:db8::7' } }],
    port: [SSH, '65535', { transport: { port: 65_535 } }],
    username: [SSH, 'DOM\\user@corp', { transport: { username: 'DOM\\user@corp' } }],
    key: [SSH, otherKey, { transport: { key: { pem: otherKey } } }],
    passphrase: [
      { ...SSH, key: makeKey('a b'), passphrase: 'x' },
      'a b',
      { transport: { key: { passphrase: 'a b' } } },
    ],
    'known-hosts': [SSH, 'a\nb', { transport: { knownHosts: 'a\nb' } }],
    fingerprint: [
      SSH,
      `${PRINT}\n\n ${PRINT}=\r\n[DB.example.com]:2222 ${PRINT}\n[db]:22\t${PRINT}\n[::1]:24 ${PRINT}`,
      {
        transport: {
          fingerprints: [null, '[db.example.com]:2222', 'db', '[::1]:24'].map((host) => ({ host, print: PRINT })),
        },
      },
    ],
    'jump-host': [SSH, 'me@bastion:2222', { transport: { jump: { host: 'bastion', port: 2222, username: 'me' } } }],
    'jump-key': [{ ...SSH, 'jump-host': 'b' }, otherKey, { transport: { jump: { key: { pem: otherKey } } } }],
    'jump-passphrase': [
      { ...SSH, 'jump-host': 'b', 'jump-key': makeKey('a b'), 'jump-passphrase': 'x' },
      'a b',
      { transport: { jump: { key: { passphrase: 'a b' } } } },
    ],
    'run-as': [LOCAL, 'www-data', { runAs: 'www-data' }],
    container: [POSTGRES, 'db_1', { container: 'db_1' }],
    'connect-timeout': [SSH, '1m', { transport: { connectTimeoutMs: 60_000 } }],
    timeout: [LOCAL, '24d', { timeoutMs: 2_073_600_000 }],
    'idle-timeout': [LOCAL, '1s', { idleTimeoutMs: 1_000 }],
    'lock-wait': [LOCAL, '5m', { lockWaitMs: 300_000 }],
    database: [LOCAL, 'file:./dev.db?x=1', { database: { path: 'dev.db', given: 'file:./dev.db' }, name: 'dev' }],
    'database-password': [POSTGRES, 'x y', { database: { password: 'x y' } }],
    'dump-format': [POSTGRES, 'plain', { dump: { format: 'plain' } }],
    jobs: [{ ...POSTGRES, 'dump-format': 'directory' }, '3', { dump: { jobs: 3 } }],
    method: [{ ...POSTGRES, stanza: 'main' }, 'physical', { database: { engine: 'pgbackrest', stanza: 'main' } }],
    stanza: [PHYSICAL, 'other', { database: { stanza: 'other' }, name: 'other' }],
    'backup-type': [PHYSICAL, 'diff', { backupType: 'diff' }],
    'full-every': [PHYSICAL, '14d', { fullEveryMs: 1_209_600_000 }],
    'restore-time': [
      { ...PHYSICAL, command: 'restore' },
      '2026-11-29T19:19:40.123456+01:00',
      { restoreTime: { at: new Date('2026-11-29T18:19:40.123Z'), text: '2026-11-29 18:19:40.123456+00' } },
    ],
    'exclude-table': [POSTGRES, 'a\n b.c*', { dump: { excludeTable: ['a', 'b.c*'] } }],
    'exclude-table-data': [POSTGRES, '"A b"', { dump: { excludeTableData: ['"A b"'] } }],
    schema: [POSTGRES, 'app', { dump: { schema: ['app'] } }],
    name: [LOCAL, 'shop_1.x-y', { name: 'shop_1.x-y' }],
    directory: [LOCAL, '~/b//c/', { directory: 'b/c' }],
    umask: [LOCAL, '0027', { umask: '027' }],
    compression: [LOCAL, 'zstd', { compression: 'zstd' }],
    'compression-level': [{ ...LOCAL, compression: 'zstd' }, '19', { compressionLevel: 19 }],
    encrypt: [{ ...LOCAL, 'encryption-recipients': RECIPIENT }, 'age', { encryption: { recipients: RECIPIENT } }],
    'encryption-recipients': [{ ...LOCAL, encrypt: 'age' }, RECIPIENT, { encryption: { method: 'age' } }],
    'encryption-passphrase': [
      { ...LOCAL, encrypt: 'gpg' },
      'twelve or more',
      { encryption: { method: 'gpg', passphrase: 'twelve or more' } },
    ],
    'decryption-key': [{ ...LOCAL, command: 'verify' }, otherKey, { decryption: { ssh: otherKey, passphrase: null } }],
    'decryption-passphrase': [RESTORE, 'old', { decryption: { ssh: null, passphrase: 'old' } }],
    'signing-key': [LOCAL, 'of sixteen signs', { signing: expect.any(SigningKeys) }],
    keep: [LOCAL, 'daily=7\nwithin=30d', { keep: { daily: 7, within: 2_592_000_000 } }],
    'keep-made-under': [LOCAL, 'false', { keepMadeUnder: false }],
    'keep-minimum': [LOCAL, '3', { keepMinimum: 3 }],
    'max-delete': [LOCAL, '4', { maxDelete: 4 }],
    'dry-run': [LOCAL, 'True', { dryRun: true }],
    pin: [LOCAL, 'before 3.0', { pin: 'before 3.0' }],
    'skip-if-younger-than': [LOCAL, '15m', { skipIfYoungerThanMs: 900_000 }],
    's3-bucket': [S3, 'b.c-d', { s3: { bucket: 'b.c-d', region: 'us-east-1', uploadVia: 'auto', credentials: null } }],
    's3-prefix': [S3, '/env=prod/db_1//', { s3: { prefix: 'env=prod/db_1' } }],
    's3-region': [S3, 'eu-central-1', { s3: { region: 'eu-central-1' } }],
    's3-endpoint': [S3, 'http://127.0.0.1:9000/base/', { s3: { endpoint: 'http://127.0.0.1:9000/base' } }],
    's3-access-key-id': [KEYS, 'OTHER', { s3: { credentials: { accessKeyId: 'OTHER', sessionToken: null } } }],
    's3-secret-access-key': [KEYS, 'other', { s3: { credentials: { secretAccessKey: 'other' } } }],
    's3-session-token': [KEYS, 'tok=en', { s3: { credentials: { sessionToken: 'tok=en' } } }],
    's3-upload-via': [S3, 'runner', { s3: { uploadVia: 'runner' } }],
    's3-storage-class': [S3, 'STANDARD_IA', { s3: { storageClass: 'STANDARD_IA' } }],
    's3-sse': [S3, 'AES256', { s3: { sse: 'AES256' } }],
    's3-kms-key-id': [{ ...S3, 's3-sse': 'aws:kms' }, 'alias/backups', { s3: { kmsKeyId: 'alias/backups' } }],
    's3-keep': [S3, 'daily=7 weekly=4', { s3: { keep: { daily: 7, weekly: 4 } } }],
    's3-object-lock': [S3, 'Compliance 30d', { s3: { objectLock: { mode: 'COMPLIANCE', ms: 2_592_000_000 } } }],
    verify: [LOCAL, 'checksum', { verify: 'checksum' }],
    'verify-on': [{ ...SSH, command: 'verify' }, 'runner', { verifyOn: 'runner' }],
    assert: [{ ...LOCAL, verify: 'restore' }, 'SELECT 1\nSELECT 2', { asserts: ['SELECT 1', 'SELECT 2'] }],
    'restore-to': [
      { ...POSTGRES, verify: 'restore' },
      'postgresql://ci@localhost/postgres',
      { restoreTo: { database: 'postgres' } },
    ],
    'max-age': [{ ...LOCAL, command: 'verify' }, '8d', { maxAgeMs: 691_200_000 }],
    'shrink-limit': [LOCAL, 'none', { shrinkLimit: null }],
    'growth-limit': [LOCAL, '300%', { growthLimit: 3, growthLimitBytes: null }],
    'row-loss-limit': [LOCAL, '20%', { rowLossLimit: 0.2 }],
    'on-row-loss': [LOCAL, 'fail', { onRowLoss: 'fail' }],
    'min-free': [LOCAL, '2GiB', { minFreeBytes: 2_147_483_648 }],
    ledger: [LOCAL, 'false', { ledger: false }],
    backup: [{ ...LOCAL, command: 'delete', backup: ID }, 'app-20261120T101500Z-0000', { backup: /0000/ }],
    confirm: [RESTORE, 'app.db', { restore: { confirm: 'app.db' } }],
    'allow-event': [
      RESTORE,
      'workflow_run\n  issue_comment workflow_call',
      { restore: { allowEvents: ['workflow_run', 'issue_comment', 'workflow_call'] } },
    ],
    'safety-backup': [RESTORE, 'false', { restore: { safetyBackup: false } }],
    'command-timeout': [RESTORE, '90s', { commandTimeoutMs: 90_000 }],
    'before-command': [LOCAL, 'a\r\nb', { hooks: { before: 'a\nb' } }],
    'after-command': [LOCAL, 'true', { hooks: { after: 'true' } }],
    'restore-way': [{ ...POSTGRES, command: 'restore' }, 'in-place', { restore: { way: 'in-place' } }],
    'stop-command': [
      { ...RESTORE, 'start-command': 'up' },
      'a\r\nb',
      { restore: { stopCommand: 'a\nb', startCommand: 'up' } },
    ],
    'start-command': [RESTORE, 'up', { restore: { startCommand: 'up' } }],
    'after-restore-command': [RESTORE, 'migrate', { restore: { afterCommand: 'migrate' } }],
    'check-command': [RESTORE, 'curl', { restore: { checkCommand: 'curl' } }],
    'allow-other-target': [RESTORE, 'true', { restore: { allowOtherTarget: true } }],
    'allow-unsafe-client': [{ ...POSTGRES, command: 'restore' }, 'true', { restore: { allowUnsafeClient: true } }],
    'settle-unfinished': [LOCAL, 'true', { settleUnfinished: true }],
    'notify-urls': [
      LOCAL,
      'https://ntfy.sh/a',
      { telling: { destinations: [{ line: 1, to: { service: 'ntfy', to: 'a' } }] } },
    ],
    'ping-url': [LOCAL, 'https://hc-ping.com/key/app', { telling: { ping: { url: 'https://hc-ping.com/key/app' } } }],
    notify: [{ ...LOCAL, 'notify-urls': 'https://ntfy.sh/a' }, 'always', { telling: { when: 'always' } }],
    'notify-log': [{ ...LOCAL, 'notify-urls': 'https://ntfy.sh/a' }, 'true', { telling: { withLog: true } }],
    'metrics-file': [LOCAL, '~/x//a.prom', { metricsFile: 'x/a.prom' }],
    history: [LOCAL, 'False', { history: false }],
    summary: [LOCAL, 'FALSE', { summary: false }],
  };

  test.each(Object.entries(CHANGES))('%s is read', async (name, [base, value, differs]) => {
    const { settings, warnings } = await accepted({ ...base, [name]: value });
    if (name === 'backup') expect(settings.backup).toBe(value);
    else expect(settings).toMatchObject(differs);
    if (name !== 'transport') expect(warnings).toEqual([]);
    const before = await reading(base);
    expect(before.result?.settings ?? null).not.toEqual(settings);
  });

  test.each([
    ['bastion', 'bastion', 22, 'deploy'],
    ['me@corp@bastion:2222', 'bastion', 2222, 'me@corp'],
    ['10.0.0.1:22', '10.0.0.1', 22, 'deploy'],
    ['::1', '::1', 22, 'deploy'],
    ['[::1]', '::1', 22, 'deploy'],
    ['me@[2001:db8::1]:2222', '2001:db8::1', 2222, 'me'],
  ])('jump-host %s', async (text, host, port, username) => {
    const { settings } = await accepted({ ...SSH, 'jump-host': text });
    expect(settings.transport).toMatchObject({ jump: { host, port, username, key: { pem: key } } });
  });

  test('the bastion gets key with its passphrase when it has no key of its own', async () => {
    const encrypted = { ...SSH, key: makeKey('a b'), passphrase: 'a b', 'jump-host': 'bastion' };
    const { settings } = await accepted(encrypted);
    expect(settings.transport).toMatchObject({ jump: { key: { passphrase: 'a b' } } });
  });

  test.each([
    ['delete', {}],
    ['pin', { pin: 'why' }],
    ['accept', {}],
    ['unpin', {}],
  ])('command %s takes an id', async (command, more) => {
    const { settings, warnings } = await accepted({ ...LOCAL, ...more, command, backup: ID });
    expect(settings).toMatchObject({ command, backup: ID, pin: command === 'pin' ? 'why' : null });
    expect(warnings).toEqual([]);
  });
});

describe('command restore', () => {
  test.each([
    ['', { by: 'latest' }],
    ['latest', { by: 'latest' }],
    [ID, { by: 'id', id: ID, name: 'app' }],
    ['other.name-20261120T101500Z-0000', { by: 'id', id: 'other.name-20261120T101500Z-0000', name: 'other.name' }],
    ['before-deploy:0123ABCdef', { by: 'deploy', sha: '0123abcdef' }],
    ['/var/backups/shop.sql.gz', { by: 'file', path: '/var/backups/shop.sql.gz' }],
    ['~/old.db', { by: 'file', path: 'old.db' }],
  ])('backup %j', async (backup, wanted) => {
    const { settings, warnings } = await accepted({ ...RESTORE, backup });
    expect(settings).toMatchObject({ command: 'restore', backup: null, restore: { wanted } });
    expect(warnings).toEqual([]);
  });

  test.each([
    [LOCAL, '/srv/other/app.db', { engine: 'sqlite', path: '/srv/other/app.db' }],
    [
      POSTGRES,
      'postgres://a:secretword@b/staging',
      { engine: 'postgres', database: 'staging', password: 'secretword' },
    ],
  ])('restore-to', async (base, to, expected) => {
    const { settings, warnings } = await accepted({ ...base, command: 'restore', 'restore-to': to });
    expect(settings.restore.to).toMatchObject(expected);
    expect(settings.restoreTo).toBeNull();
    expect(warnings).toEqual([]);
  });

  test.each<[Given, string, string]>([
    [
      { backup: 'nonsense' },
      'backup',
      'expected latest, the id of a backup, before-deploy:<commit>, s3://<bucket>/<key>, or the path of a dump',
    ],
    [{ backup: 'before-deploy:main' }, 'backup', 'at least 7 digits of a commit'],
    [{ backup: '/srv/../etc/x' }, 'backup', 'without ".." segments'],
    [{ 'stop-command': 'x' }, 'start-command', 'required with stop-command'],
    [{ 'restore-to': 'postgresql://a/b' }, 'restore-to', 'expected the path of a SQLite file'],
    [{ 'safety-backup': 'no' }, 'safety-backup', 'expected true or false'],
  ])('%j is refused', async (given, name, rule) => {
    const { error } = await reading({ ...RESTORE, ...given });
    expect(error).toMatchObject({ code: 'E_INPUT' });
    expect(error?.message).toMatch(new RegExp(`^${name}: .*`));
    expect(error?.message).toContain(rule);
  });
});

describe('command verify', () => {
  const VERIFY: Given = { ...LOCAL, command: 'verify' };

  test.each([
    ['/var/backups/shop.sql.gz', '/var/backups/shop.sql.gz'],
    ['~/old.db', 'old.db'],
    ['./2024/old', '2024/old'],
  ])('the path of a dump: %s', async (backup, path) => {
    const { settings, warnings } = await accepted({ ...VERIFY, backup });
    expect(settings).toMatchObject({ dumpToVerify: path, backup: null, backupInStore: null });
    expect(warnings).toEqual([]);
  });

  test.each([ID, 'latest', ''])('no path of a dump: %s', async (backup) => {
    expect((await accepted({ ...VERIFY, backup })).settings.dumpToVerify).toBeNull();
  });

  test.each([
    ['', null],
    ['latest', null],
    [ID, ID],
  ])('backup %j', async (backup, expected) => {
    const { settings, warnings } = await accepted({ ...VERIFY, backup });
    expect(settings).toMatchObject({ command: 'verify', backup: expected, verify: 'content', maxAgeMs: 93_600_000 });
    expect(warnings).toEqual([]);
  });

  test('max-age none switches the check off', async () => {
    expect((await accepted({ ...VERIFY, 'max-age': 'none' })).settings.maxAgeMs).toBeNull();
  });

  test('assert is one statement a line, without the blanks around it', async () => {
    const assert = '\r\n  SELECT count(*) > 0 FROM a;\r\n\n\tSELECT 1\n';
    const { settings, warnings } = await accepted({ ...VERIFY, verify: 'restore', assert });
    expect(settings.asserts).toEqual(['SELECT count(*) > 0 FROM a;', 'SELECT 1']);
    expect(warnings).toEqual([]);
  });

  test.each(['backup', 'verify'])(
    'assert and restore-to have no effect below restore, with command %s',
    async (command) => {
      const given: Given = { ...POSTGRES, command, assert: 'SELECT 1', 'restore-to': 'postgresql://x@y/postgres' };
      for (const verify of ['checksum', 'content']) {
        const { settings, warnings } = await accepted({ ...given, verify });
        expect(settings).toMatchObject({ asserts: [], restoreTo: null });
        expect(warnings).toEqual(
          ['assert', 'restore-to'].map((name) => `${name}: it has no effect with verify ${verify}`),
        );
      }
    },
  );
});

describe('warnings', () => {
  test('for inputs of ssh with transport local', async () => {
    const given: Given = { ...SSH, ...LOCAL, port: '22', 'jump-host': '?', fingerprint: '?', passphrase: 'x' };
    const { settings, warnings } = await accepted(given);
    expect(settings.transport).toEqual({ transport: 'local' });
    expect(warnings).toEqual(
      ['host', 'username', 'key', 'passphrase', 'known-hosts', 'fingerprint', 'jump-host'].map(
        (name) => `${name}: it has no effect with transport local`,
      ),
    );
  });

  test('for inputs that the command does not use, which then are not checked', async () => {
    const given: Given = { ...LOCAL, command: 'list', keep: 'seven', 'keep-minimum': '1', pin: 'x', backup: 'latest' };
    const { settings, warnings } = await accepted(given);
    expect(settings).toMatchObject({ keep: { last: 5 }, pin: null, backup: null });
    expect(warnings).toEqual(['keep', 'pin', 'backup'].map((name) => `${name}: it has no effect with command list`));
  });

  test('for a key of no bastion, and a passphrase of no key', async () => {
    expect((await accepted({ ...SSH, 'jump-key': 'x', 'jump-passphrase': 'x' })).warnings).toEqual([
      'jump-key: it has no effect without jump-host',
      'jump-passphrase: it has no effect without jump-host',
    ]);
    expect((await accepted({ ...SSH, 'jump-host': 'b', 'jump-passphrase': 'x' })).warnings).toEqual([
      'jump-passphrase: it has no effect without jump-key: the bastion gets key with its passphrase',
    ]);
  });

  test.each(COMMANDS)('none with command %s for the defaults', async (command) => {
    const needed: Given = { backup: command === 'backup' ? '' : ID, pin: 'why' };
    const used = Object.fromEntries(
      Object.entries(needed).filter(([name]) =>
        name === 'pin' ? command === 'pin' : ['accept', 'delete', 'pin', 'unpin'].includes(command),
      ),
    );
    expect((await accepted({ ...LOCAL, ...used, command })).warnings).toEqual([]);
  });
});

const HOST =
  'expected only a host name or IP address: the user goes into username, the port into port, and IPv6 has no brackets';
const USER = 'expected a user name without blanks that does not start with "-"';
const JUMP = 'expected [user@]host[:port], such as jump@bastion.example.com:2222 or [2001:db8::1]:22';
const PRINT_RULE =
  'expected "SHA256:" and 43 characters of base64, one per line, alone or in the whole line that `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints on the host; you may put the host before it, as in known_hosts: `db.example.com SHA256:...`, or `[db.example.com]:2222 SHA256:...`';
const MD5_RULE =
  'expected "SHA256:" and 43 characters of base64, not an MD5 fingerprint, which can be forged; `ssh-keygen -E sha256 -lf /etc/ssh/ssh_host_ed25519_key.pub` prints the other on the host';
const MD5 = '16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48';
const UMASK = 'expected 077 or 027, in quotes, because YAML reads 077 as the number 77';
const TIMER = 'expected a duration from 1s to 24d';
const DURATION = 'expected a duration such as 90s, 30m, 26h or 7d';
const NAME = 'expected 1 to 64 letters, digits, ".", "_" or "-", starting with a letter or digit';
const RUN_AS = 'expected the name of a user on the host, such as www-data';
const REASON = 'expected a reason in one line of at most 200 characters';
const ID_RULE = 'expected the id of a backup of app, such as app-20261120T101500Z-7f3a; `command: list` shows them';
const SHARE = 'expected a percentage above 0% and up to 100%, or none';

describe('one problem', () => {
  const ssh: [InputName, string, string][] = [
    ['host', 'root@db', `${HOST}, got "root@db"`],
    ['host', 'db:22', `${HOST}, got "db:22"`],
    ['host', '[::1]', `${HOST}, got "[::1]"`],
    ['host', 'a b', `${HOST}, got "a b"`],
    ['host', '-oProxyCommand=x', `${HOST}, got "-oProxyCommand=x"`],
    ['host', 'größe.de', `${HOST}, got "größe.de"`],
    ['host', 'a\nb', 'expected one line'],
    ['host', 'a'.repeat(254), `${HOST}, got "${'a'.repeat(120)}..."`],
    ['port', '0', 'expected a whole number from 1 to 65535, got "0"'],
    ['port', '65536', 'expected a whole number from 1 to 65535, got "65536"'],
    ['port', '22x', 'expected a whole number from 1 to 65535, got "22x"'],
    ['port', '1e3', 'expected a whole number from 1 to 65535, got "1e3"'],
    ['port', '-22', 'expected a whole number from 1 to 65535, got "-22"'],
    ['username', 'a b', `${USER}, got "a b"`],
    ['username', '-l', `${USER}, got "-l"`],
    ['username', 'a\x07', `${USER}, got "a\\u0007"`],
    ['username', 'a\nb', 'expected one line'],
    ['key', 'rubbish', 'it is not a private key: it has no "-----BEGIN ... PRIVATE KEY-----" line'],
    [
      'key',
      makeKey('x y'),
      "it has a passphrase: give that in passphrase, or give a key without one (`ssh-keygen -p -N '' -f COPY` takes it off a copy)",
    ],
    ['passphrase', 'a\nb', 'expected one line'],
    ['fingerprint', 'MD5:aa:bb', `${MD5_RULE}, got "MD5:aa:bb"`],
    ['fingerprint', `2048 ${MD5} root@db (RSA)`, `${MD5_RULE}, got "2048 ${MD5} root@db (RSA)"`],
    ['fingerprint', `2048 MD5:${MD5} root@db (RSA)`, `${MD5_RULE}, got "2048 MD5:${MD5} root@db (RSA)"`],
    ['fingerprint', `${PRINT} root@db`, `${PRINT_RULE}, got "${PRINT} root@db"`],
    [
      'fingerprint',
      `256 ${PRINT} a (ED25519) 256 ${PRINT} b (RSA)`,
      `${PRINT_RULE}, got "256 ${PRINT} a (ED25519) 256 ${PRINT.slice(0, -1)}..."`,
    ],
    [
      'fingerprint',
      `256 ${PRINT.slice(0, -1)} a (ED25519)`,
      `${PRINT_RULE}, got "256 ${PRINT.slice(0, -1)} a (ED25519)"`,
    ],
    ['fingerprint', PRINT.slice(0, -1), `${PRINT_RULE}, got "${PRINT.slice(0, -1)}"`],
    ['fingerprint', `${PRINT.slice(0, -1)}B`, `${PRINT_RULE}, got "${PRINT.slice(0, -1)}B"`],
    ['fingerprint', `${PRINT} ${PRINT}`, `${PRINT_RULE}, got "${PRINT} ${PRINT}"`],
    ['fingerprint', `db:2222 ${PRINT}`, `${PRINT_RULE}, got "db:2222 ${PRINT}"`],
    ['fingerprint', `[db]:0 ${PRINT}`, `${PRINT_RULE}, got "[db]:0 ${PRINT}"`],
    ['fingerprint', `* ${PRINT}`, `${PRINT_RULE}, got "* ${PRINT}"`],
    ['fingerprint', `a,b ${PRINT}`, `${PRINT_RULE}, got "a,b ${PRINT}"`],
    ['jump-host', 'ssh://b', `${JUMP}, got "ssh://b"`],
    ['jump-host', '@b', `${JUMP}, got "@b"`],
    ['jump-host', 'me@', `${JUMP}, got "me@"`],
    ['jump-host', 'b:0', `${JUMP}, got "b:0"`],
    ['jump-host', 'b:', `${JUMP}, got "b:"`],
    ['jump-host', '[b]:22', `${JUMP}, got "[b]:22"`],
    ['jump-host', '-x@b', `${JUMP}, got "-x@b"`],
    ['connect-timeout', '0s', `${TIMER}, got "0s"`],
  ];
  const local: [InputName, string, string][] = [
    [
      'command',
      'helath',
      'expected one of backup, restore, verify, list, health, doctor, accept, prune, delete, pin, unpin, got "helath"',
    ],
    [
      'command',
      'Backup',
      'expected one of backup, restore, verify, list, health, doctor, accept, prune, delete, pin, unpin, got "Backup"',
    ],
    ['transport', 'docker', 'expected one of ssh, local, got "docker"'],
    ['run-as', '#0', `${RUN_AS}, got "#0"`],
    ['run-as', '-u root', `${RUN_AS}, got "-u root"`],
    ['timeout', '2', `${DURATION}, got "2"`],
    ['timeout', '25d', `${TIMER}, got "25d"`],
    ['idle-timeout', '-1s', `${DURATION}, got "-1s"`],
    ['lock-wait', '0s', `${TIMER}, got "0s"`],
    ['database', '/srv/app.db\nx', 'expected one line'],
    ['name', '-app', `${NAME}, got "-app"`],
    ['name', 'a/b', `${NAME}, got "a/b"`],
    ['name', 'a'.repeat(65), `${NAME}, got "${'a'.repeat(65)}"`],
    ['directory', '/', 'expected a path below "/" or below the home of the login user, got "/"'],
    ['directory', '.', 'expected a path below "/" or below the home of the login user, got "."'],
    ['directory', '/srv/../etc', 'expected a path without ".." segments, got "/srv/../etc"'],
    ['directory', 'a\nb', 'expected one line'],
    ['umask', '022', `${UMASK}, got "022"`],
    ['umask', '77', `${UMASK}, got "77"`],
    ['umask', '0000', `${UMASK}, got "0000"`],
    ['compression', 'xz', 'expected one of auto, zstd, gzip, none, got "xz"'],
    ['compression-level', '10', 'expected a whole number from 1 to 9, got "10"'],
    ['compression-level', '0', 'expected a whole number from 1 to 9, got "0"'],
    ['keep', 'seven', 'expected rules such as "5" or "daily=7 weekly=4", got "seven"'],
    ['keep', 'daily=0', 'expected a whole number from 1 to 100000, got "daily=0"'],
    ['keep-minimum', '0', 'expected a whole number from 1 to 100000, got "0"'],
    ['max-delete', '0', 'expected a whole number from 1 to 100000, got "0"'],
    ['dry-run', 'yes', 'expected true or false, got "yes"'],
    ['dry-run', '1', 'expected true or false, got "1"'],
    ['pin', 'a\tb', `${REASON}, got "a\\tb"`],
    ['pin', 'a\nb', 'expected one line'],
    ['pin', 'a'.repeat(201), `${REASON}, got "${'a'.repeat(120)}..."`],
    ['skip-if-younger-than', '0s', 'expected a duration of at least 1s, got "0s"'],
    ['verify', 'none', 'expected one of checksum, content, restore, got "none"'],
    ['shrink-limit', '50', `${SHARE}, got "50"`],
    ['shrink-limit', '0%', `${SHARE}, got "0%"`],
    ['shrink-limit', '101%', `${SHARE}, got "101%"`],
    ['growth-limit', '0%', 'expected a percentage above 0% and up to 100000%, or none, got "0%"'],
    ['min-free', '2G', 'expected a size such as 500MB, 2GiB or 1048576 (bytes), got "2G"'],
    ['metrics-file', '/srv/metrics', 'expected the path of a file that ends in .prom, got "/srv/metrics"'],
    ['metrics-file', '/srv/.prom', 'expected the path of a file that ends in .prom, got "/srv/.prom"'],
    ['metrics-file', '/srv/../a.prom', 'expected a path without ".." segments, got "/srv/../a.prom"'],
    ['history', '0', 'expected true or false, got "0"'],
    ['summary', 'on', 'expected true or false, got "on"'],
  ];
  test.each([...ssh, ...local])('%s: %j', async (name, value, rule) => {
    const base = ssh.some(([input, given]) => input === name && given === value) ? SSH : LOCAL;
    expect(await problems({ ...base, [name]: value })).toEqual([`${name}: ${rule}`]);
  });

  test.each([
    [
      { ...LOCAL, compression: 'zstd', 'compression-level': '20' },
      'compression-level: expected a whole number from 1 to 19, got "20"',
    ],
    [
      { ...LOCAL, compression: 'gzip', 'compression-level': '10' },
      'compression-level: expected a whole number from 1 to 9, got "10"',
    ],
    [
      { ...LOCAL, compression: 'none', 'compression-level': '1' },
      'compression-level: expected nothing with compression none, got "1"',
    ],
    [{ ...LOCAL, command: 'pin', backup: ID }, 'pin: required with command pin: the reason, in one line'],
    [{ ...LOCAL, command: 'pin', pin: 'why', backup: 'latest' }, `backup: ${ID_RULE}, got "latest"`],
    [
      { ...LOCAL, command: 'unpin', backup: 'app2-20261120T101500Z-7f3a' },
      `backup: ${ID_RULE}, got "app2-20261120T101500Z-7f3a"`,
    ],
    [
      { ...LOCAL, command: 'verify', backup: 'newest' },
      `backup: ${ID_RULE}; or the path of a dump on the host, got "newest"`,
    ],
    [
      { ...LOCAL, command: 'verify', backup: '../old.db' },
      'backup: expected a path without ".." segments, got "../old.db"',
    ],
    [{ ...LOCAL, command: 'verify', 'max-age': '26' }, `max-age: ${DURATION}, got "26"`],
    [{ ...LOCAL, command: 'verify', 'max-age': '0h' }, 'max-age: expected a duration of at least 1s, got "0h"'],
    [{ ...LOCAL, command: 'verify', verify: 'none' }, 'verify: expected one of checksum, content, restore, got "none"'],
    ...['.shell id', 'SELECT 1\n \\! id'].map((assert): [Given, string] => [
      { ...LOCAL, verify: 'restore', assert },
      `assert: expected SQL, one statement per line, whose first value is true, got ${JSON.stringify(assert)}`,
    ]),
    [{ ...LOCAL, command: 'delete', backup: `../${ID}` }, `backup: ${ID_RULE}, got "../${ID}"`],
    [{ ...LOCAL, command: 'delete' }, `backup: ${ID_RULE.replace('expected', 'required with command delete:')}`],
    [{ ...LOCAL, database: '/srv/…/.db' }, 'name: required, because no name can be derived from database'],
    [
      { ...SSH, 'jump-host': 'b', 'jump-key': 'rubbish' },
      'jump-key: it is not a private key: it has no "-----BEGIN ... PRIVATE KEY-----" line',
    ],
    [
      { ...SSH, 'jump-host': 'b:2222', fingerprint: `b ${PRINT}\n${PRINT}` },
      `fingerprint: with jump-host, begin each line with its host, because the jump host could show its own key as the key of the host behind it: \`db.example.com SHA256:...\` and \`[b]:2222 SHA256:...\`; this one does not: ${PRINT}`,
    ],
    [
      { ...SSH, host: '' },
      'host: required with transport ssh, but empty: the variable that fills it, such as DB_HOST, is probably not set. Run `gh variable set DB_HOST --body db.example.com`, then use `vars.DB_HOST`',
    ],
    [
      { ...SSH, username: '' },
      'username: required with transport ssh, but empty: name the user who logs in to the host, for example `username: deploy`',
    ],
    [
      { ...SSH, key: ' ' },
      "key: required with transport ssh, but empty: the secret that fills it, such as DB_SSH_KEY, is probably not set. Make a key without a passphrase (`ssh-keygen -t ed25519 -N '' -f db-key`), add the line in db-key.pub to `~/.ssh/authorized_keys` of that user on the host, run `gh secret set DB_SSH_KEY < db-key`, then use `secrets.DB_SSH_KEY`",
    ],
    [
      { ...SSH, 'known-hosts': '', port: '2222' },
      'known-hosts: required with transport ssh, or fingerprint instead; nothing turns this check off. From a network that you trust, run `ssh-keyscan -p 2222 db.example.com >known_hosts`. Compare each line that `ssh-keygen -lf known_hosts` prints with those of `for k in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf "$k"; done` on the host itself. When they agree, run `gh variable set DB_KNOWN_HOSTS <known_hosts`, then use `vars.DB_KNOWN_HOSTS`',
    ],
    ...['/home/me/.ssh/known_hosts', '~/.ssh/hosts', './hosts', 'known_hosts'].map((path): [Given, string] => [
      { ...SSH, 'known-hosts': path },
      `known-hosts: it looks like the path of a file; give the contents of that file, got "${path}"`,
    ]),
    [
      { ...SSH, 'known-hosts': '# db.example.com:22 SSH-2.0-OpenSSH\n \n\t# none' },
      'known-hosts: it has only comments and blank lines; give lines as `ssh-keyscan` prints them, got "# db.example.com:22 SSH-2.0-OpenSSH\\n \\n\\t# none"',
    ],
    [
      { transport: 'local' },
      'database: required, but empty: the secret that fills it, such as DATABASE_URL, is probably not set. Run `gh secret set DATABASE_URL` and paste the URL, then use `secrets.DATABASE_URL`. The path of a database file is no secret: `database: /srv/app/app.db`',
    ],
  ] satisfies [Given, string][])('%#', async (given, message) => {
    expect(await problems(given)).toEqual([message]);
  });

  test('no message suggests a variable for a secret', async () => {
    for (const message of await problems({ command: 'backup' })) {
      if (/^(?:key|database)/.test(message)) expect(message).not.toMatch(/vars\.|gh variable/);
    }
  });

  test('the hint of an empty input says why it may be', async () => {
    expect((await reading({ ...SSH, host: '' })).error?.hint).toContain('its secret or variable is not set');
    expect((await reading({ ...SSH, host: 'a b' })).error?.hint).not.toContain('its secret or variable is not set');
  });
});

test('all problems are told at once, each on its line', async () => {
  const told = await problems({
    ...{ command: 'backup', port: '0', database: 'mysql://u:hunter2@h/d', name: '/', 'dry-run': 'maybe' },
    ...{ keep: 'none', verify: 'all', umask: '0', timeout: '1', summary: '?', 'jump-host': '@', 'run-as': '!' },
  });
  expect(told.map((line) => line.slice(0, line.indexOf(':')))).toEqual([
    ...[
      'host',
      'port',
      'username',
      'key',
      'known-hosts',
      'jump-host',
      'run-as',
      'timeout',
      'database',
      'name',
      'umask',
    ],
    ...['keep', 'dry-run', 'verify', 'summary'],
  ]);
  expect(told.join()).not.toContain('hunter2');
});
