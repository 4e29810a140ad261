import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Manifest } from '../../src/backups/manifest.js';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { nothingLeft, until } from '../helpers/outcome.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { startPostgresScene } from '../helpers/postgres-backups.js';
import { fillSample, SAMPLE_ROLES } from '../helpers/postgres-sample.js';
import { processesOfUser } from '../helpers/processes.js';
import { type ActionResult, type RunningAction, startAction } from '../helpers/run-action.js';
import { sample } from '../helpers/sample.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { startSshd } from '../helpers/sshd.js';
import { unmount } from '../helpers/unmount.js';

type Inputs = Record<string, string>;
const done = { code: 0, outputs: { 'error-code': '' }, legacyOutputs: [], fileErrors: [] };

/** Of the host: a `cat` of ours is found before that of the system. */
let tools: string;
/** RUNNER_TEMP, and the tools of the runner, which tell of their use in a file. */
let runner: string;
let temp: string;
let scene: Scene;
let good: { id: string; payload: Buffer; manifest: string };

beforeAll(async () => {
  tools = mkdtempSync(join(tmpdir(), 'dbb-tools-'));
  chmodSync(tools, 0o755);
  runner = mkdtempSync(join(tmpdir(), 'dbb-runner-'));
  temp = join(runner, 'temp');
  mkdirSync(temp);
  writeFileSync(
    join(runner, 'sqlite3'),
    `#!/bin/sh\necho "$PWD" >>'${runner}/used'\nenv >'${runner}/env'\nexec /usr/bin/sqlite3 "$@"\n`,
    {
      mode: 0o755,
    },
  );
  scene = await startScene({ mb: 2, sshd: { extraConfig: `SetEnv PATH=${tools}:/usr/local/bin:/usr/bin:/bin` } });
  hostSends('exec /bin/cat "$@"');
  const id = expectBackup(await scene.run({ verify: 'checksum' }));
  good = { id, payload: readFileSync(payload(id)), manifest: readFileSync(manifestPath(id), 'utf8') };
});
afterAll(async () => {
  await scene?.stop();
  for (const folder of [tools, runner]) rmSync(folder, { recursive: true, force: true });
});
afterEach(async () => {
  expect(readdirSync(temp)).toEqual([]);
  hostSends('exec /bin/cat "$@"');
  restore();
  await nothingLeft(scene);
});

const payload = (id: string) => join(scene.directory, `${id}.sqlite.zst`);
const manifestPath = (id: string) => join(scene.directory, `${id}.json`);

/** The good backup as it was. */
function restore(): void {
  rmSync(payload(good.id), { force: true });
  for (const [path, content] of [
    [payload(good.id), good.payload],
    [manifestPath(good.id), good.manifest],
    [`${payload(good.id)}.sha256`, `${(JSON.parse(good.manifest) as Manifest).sha256}  ${good.id}.sqlite.zst\n`],
  ] as const) {
    writeFileSync(path, content);
    chownSync(path, scene.user.uid, scene.user.gid);
  }
}

/** From now on what sends the payload on the host is this text of sh; `$1` is the file. */
function hostSends(text: string): void {
  writeFileSync(join(tools, 'cat'), `#!/bin/sh\ncase "$1" in ./app-*) ${text} ;; esac\nexec /bin/cat "$@"\n`, {
    mode: 0o755,
  });
}

const RUNNER = (inputs: Inputs = {}): Inputs => ({ command: 'verify', 'verify-on': 'runner', ...inputs });
const env = () => ({ RUNNER_TEMP: temp, PATH: `${runner}:${process.env.PATH}` });
const verify = (inputs: Inputs = {}, of: Scene = scene): Promise<ActionResult> => of.run(RUNNER(inputs), env());

describe('SQLite', () => {
  test.each(['checksum', 'content', 'restore'])(
    '%s is proven on the runner, and recorded on the host',
    async (level) => {
      rmSync(join(runner, 'used'), { force: true });
      const result = await verify({
        verify: level,
        assert: level === 'restore' ? 'SELECT count(*) > 0 FROM blobs' : '',
      });
      expect(result).toMatchObject(done);
      expect(result.annotations).toEqual([]);
      expect(result.visible).toMatch(/pull: .* in .*, SHA-256 matches the manifest/);
      expect(result.visible).toMatch(new RegExp(`is intact: ${level} verified in .* on the runner`));
      const used = existsSync(join(runner, 'used')) ? readFileSync(join(runner, 'used'), 'utf8') : '';
      if (level === 'checksum') expect(used).toBe('');
      else {
        expect(used.split('\n')[0]?.startsWith(temp)).toBe(true);
        // What is started there knows nothing of the inputs and of the runner.
        expect(readFileSync(join(runner, 'env'), 'utf8')).not.toMatch(/^(INPUT|STATE|GITHUB|RUNNER|ACTIONS)_/m);
      }
      const { verified } = JSON.parse(readFileSync(manifestPath(good.id), 'utf8')) as Manifest;
      expect(verified).toMatchObject({ level });
      expect(verified.ms !== undefined).toBe(level === 'restore');
      expect(reportOf(result).stages.map(({ name }) => name)).toContain('pull');
    },
  );

  test('an assertion that does not hold is told', async () => {
    expectFailure(await verify({ verify: 'restore', assert: 'SELECT 0' }), 'E_ASSERT');
  });

  test('what login scripts print is not taken for the file', async () => {
    const shell = await startScene({ mb: 0.1, shell: '/bin/bash' });
    try {
      writeFileSync(
        join(shell.user.home, '.bashrc'),
        'echo "Welcome to this host"; printf "no line end"; echo noise >&2\n',
      );
      expectBackup(await shell.run());
      expect(await verify({ verify: 'restore' }, shell)).toMatchObject(done);
    } finally {
      await shell.stop();
    }
  });
});

describe('is rejected, and counts as not verified from then on', () => {
  test.each<[string, () => void, RegExp]>(
    sample<[string, () => void, RegExp]>(
      [
        ['one flipped byte', () => flip(), /SHA-256 of .* on the runner is/],
        ['a cut payload', () => truncateSync(payload(good.id), 1000), /has "1000" bytes, but the manifest says/],
        ['an empty payload', () => truncateSync(payload(good.id), 0), /has "0" bytes/],
        [
          'a longer payload',
          () => writeFileSync(payload(good.id), Buffer.concat([good.payload, Buffer.alloc(1)])),
          /the manifest says/,
        ],
        [
          'another checksum beside it',
          () => writeFileSync(`${payload(good.id)}.sha256`, `${'0'.repeat(64)}  x\n`),
          /\.sha256 is missing, or does not match/,
        ],
        ['no checksum beside it', () => rmSync(`${payload(good.id)}.sha256`), /\.sha256 is missing, or does not match/],
        ['a link', () => link(), /is missing, or is not a regular file/],
      ],
      4,
    ),
  )('%s', async (_, damage, message) => {
    damage();
    expect(expectFailure(await verify({ verify: 'restore' }), 'E_CHECKSUM')).toMatch(message);
    expect(JSON.parse(readFileSync(manifestPath(good.id), 'utf8')).verified.level).toBe('none');
  });

  const flip = (): void => {
    const bytes = Buffer.from(good.payload);
    bytes[1234] = (bytes[1234] ?? 0) ^ 1;
    writeFileSync(payload(good.id), bytes);
  };
  const link = (): void => {
    copyFileSync(payload(good.id), join(scene.user.home, 'elsewhere'));
    chmodSync(join(scene.user.home, 'elsewhere'), 0o644);
    rmSync(payload(good.id));
    symlinkSync(join(scene.user.home, 'elsewhere'), payload(good.id));
  };

  test.each<[string, string, RegExp]>(
    sample<[string, string, RegExp]>(
      [
        ['fewer bytes than its size', 'head -c 1000 "$1"; exit 0', /1000 bytes of .* arrived, but the manifest says/],
        ['one byte less', 'head -c -1 "$1"; exit 0', /\d+ bytes of .* arrived, but the manifest says/],
        ['one byte more', '/bin/cat "$1"; printf x; exit 0', /sent more of .* than the \d+ bytes/],
        ['bytes without an end', 'exec /bin/cat /dev/zero', /sent more of .* than the \d+ bytes/],
        [
          'an error in the middle',
          'head -c 1000 "$1"; echo "Input/output error" >&2; exit 1',
          /could not be read completely: .*Input\/output error/,
        ],
      ],
      3,
    ),
  )('%s', async (_, text, message) => {
    hostSends(text);
    expect(expectFailure(await verify(), 'E_CHECKSUM')).toMatch(message);
    expect(JSON.parse(readFileSync(manifestPath(good.id), 'utf8')).verified.level).toBe('none');
  });
});

describe('does not come to its end, which says nothing about the backup', () => {
  afterEach(() => expect(readFileSync(manifestPath(good.id), 'utf8')).toBe(good.manifest));
  /** One byte now and then. */
  const SLOWLY = 'head -c 1000 "$1"; while printf x; do sleep 0.2; done; exit 0';
  async function inTheMiddle(strike: (action: RunningAction) => void, text = SLOWLY): Promise<ActionResult> {
    hostSends(text);
    const action = startAction({ ...scene.inputs, ...RUNNER() }, { env: env() });
    await until(() => pulled() >= 900);
    strike(action);
    return action.result();
  }
  const pulled = (): number => {
    const files = readdirSync(temp, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.zst'));
    return Math.max(0, ...files.map((name) => statSync(join(temp, name), { throwIfNoEntry: false })?.size ?? 0));
  };

  test('when the connection is lost', async () => {
    const result = await inTheMiddle(() => {
      for (const { pid, command } of processesOfUser(scene.user.uid))
        if (/^sshd/.test(command)) process.kill(pid, 'SIGKILL');
    });
    expect(expectFailure(result, 'E_REMOTE_LOST')).toMatch(/lost.* of \d+ bytes of app-|connection to .* was lost/);
  });

  test('when the run is cancelled', async () => {
    expectFailure(await inTheMiddle((action) => action.kill('SIGINT')), 'E_CANCELLED');
  });

  test('when the sender is killed, or its shell', async () => {
    hostSends('head -c 1000 "$1"; kill -9 $$');
    expect(expectFailure(await verify(), 'E_REMOTE_LOST')).toMatch(/was killed by signal 9 after 1000 of/);
    hostSends('head -c 1000 "$1"; kill -9 $PPID; exit 0');
    expect(expectFailure(await verify(), 'E_REMOTE_LOST')).toMatch(/ended after \d+ of \d+ bytes/);
  });

  test('when nothing comes any more', async () => {
    hostSends('head -c 1000 "$1"; exec sleep 6');
    expect(expectFailure(await verify({ 'idle-timeout': '2s' }), 'E_TIMEOUT')).toMatch(
      /no data of .* for 2 s \(idle-timeout\)/,
    );
  });

  test('when the host allows one session for a connection', async () => {
    const sshd = await startSshd({ extraConfig: 'Match all\nMaxSessions 1' });
    try {
      const way = { port: String(sshd.port), key: sshd.clientKey, 'known-hosts': sshd.knownHosts };
      expect(expectFailure(await verify(way), 'E_SHELL')).toMatch(/second session .*MaxSessions 2/s);
    } finally {
      await sshd.stop();
    }
  });

  test('when the disk of the runner is full: before, in the middle, and where it is unpacked', async () => {
    const mounted = (size: number) =>
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'tmpfs', temp]);
    const bytes = good.payload.length;
    for (const [size, message] of [
      [bytes >> 1, /are free on the runner/],
      [bytes + (256 << 10), /on the runner: not enough space in|on the runner: the file system of/],
    ] as const) {
      mounted(size);
      try {
        const told = expectFailure(await verify({ verify: 'restore' }), 'E_NOSPACE');
        expect(told).toMatch(message);
        expect(told).toMatch(/verify-on: host/);
        expect(readdirSync(temp)).toEqual([]);
      } finally {
        await unmount(temp);
      }
    }
    mounted(2 * bytes);
    try {
      const go = join(tools, 'go');
      const result = await inTheMiddle(() => {
        writeFileSync(join(temp, 'filler'), Buffer.alloc(bytes + (bytes >> 1)));
        writeFileSync(go, '');
      }, `head -c 1000 "$1"; until [ -e '${go}' ]; do sleep 0.1; done; exec tail -c +1001 "$1"`);
      expect(expectFailure(result, 'E_NOSPACE')).toMatch(/the disk of the runner is full: .*verify-on: host/s);
      expect(readdirSync(temp)).toEqual(['filler']);
    } finally {
      await unmount(temp);
    }
  });
});

describe('PostgreSQL', () => {
  let live: Postgres;
  /** A service container of the runner. */
  let service: Postgres;
  let postgres: Scene;
  beforeAll(async () => {
    [live, service] = await Promise.all([startPostgres(), startPostgres()]);
    await fillSample(live, 'shop', 'postgres');
    // a plain dump names the roles of its owners
    for (const role of Object.values(SAMPLE_ROLES)) await service.sql('postgres', `CREATE ROLE "${role}"`);
    postgres = await startPostgresScene(live, 'shop', { transport: 'ssh' });
  });
  afterAll(async () => {
    await postgres?.stop();
    await Promise.all([live?.remove(), service?.remove()]);
  });

  test.each(sample(['custom', 'plain', 'directory'], 1))(
    'a dump in the format %s is restored into the server of the runner alone',
    async (format) => {
      const directory = join(postgres.user.home, format);
      const id = expectBackup(await postgres.run({ directory, 'dump-format': format }));
      const before = live.log().length;
      const result = await verify(
        {
          directory,
          verify: 'restore',
          assert: 'SELECT count(*) = 200 FROM shop.customers',
          'restore-to': service.uri(),
          container: 'nowhere', // is of the host
        },
        postgres,
      );
      expect(result).toMatchObject(done);
      expect(JSON.parse(readFileSync(join(directory, `${id}.json`), 'utf8')).verified).toMatchObject({
        level: 'restore',
        ms: expect.any(Number),
      });
      expect(live.log().slice(before)).not.toContain('connection');
      expect(await service.sql('postgres', "SELECT count(*) FROM pg_database WHERE datname LIKE 'db_backup%'")).toBe(
        '0',
      );
      expect(await verify({ directory, verify: 'content' }, postgres)).toMatchObject(done);
      await nothingLeft(postgres);
    },
  );

  test('a server that is not there is told as one of the runner', async () => {
    const directory = join(postgres.user.home, 'custom');
    const message = expectFailure(
      await verify({ directory, verify: 'restore', 'restore-to': 'postgresql://x@127.0.0.1:1/postgres' }, postgres),
      'E_CONNECT',
    );
    expect(message).toMatch(/on the runner: /);
  });

  test('restore-to is required', async () => {
    const message = expectFailure(await verify({ verify: 'restore' }, postgres), 'E_INPUT');
    expect(message).toMatch(/restore-to: required with verify-on runner and verify restore/);
  });
});
