import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Scope, type Unit, unitName, unitsOf } from '../../src/schedule/systemd-units.js';
import { installationOf } from './sample-installation.js';

const HOSTILE = `/etc/it's "100%i" $HOME \${HOME} \\n 'ä';/shop.yml`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-units-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** With a program that is there, as systemd-analyze looks for it. */
const wanted = (changed: Parameters<typeof installationOf>[0] = {}, jobs?: Parameters<typeof installationOf>[1]) =>
  installationOf({ node: '/bin/sh', account: { name: 'daemon', uid: 1, home: '/usr/sbin' }, ...changed }, jobs);

const serviceOf = (units: Unit[]): string => units.find(({ file }) => file.endsWith('.service'))?.text ?? '';
const lines = (unit: string, key: string): string[] =>
  unit.split('\n').flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));

/** What systemd has to say about them: nothing, as a rule. Its exit status says nothing. */
function complaintsOf(units: Unit[], scope: Scope = 'system'): string {
  const files = units.map(({ file, text }) => {
    writeFileSync(join(folder, file), text);
    return join(folder, file);
  });
  const { stdout, stderr } = spawnSync('systemd-analyze', [`--${scope}`, 'verify', '--man=no', ...files], {
    encoding: 'utf8',
    env: { ...process.env, XDG_RUNTIME_DIR: folder }, // that of a user has to be somewhere
  });
  return stdout + stderr;
}

const EACH = { backup: 'daily 02:00', verify: 'monthly 28 03:00', health: 'every 6 hours :05' };

test.each<Scope>(['system', 'user'])('units of the %s are what systemd takes without a word', (scope) => {
  const units = unitsOf(wanted({ needs: { folders: ['/srv/app'], credentials: ['key', 'pass.1'] } }, EACH), scope);
  expect(units.map(({ file }) => file)).toEqual([
    ...['db-backup-shop-backup.service', 'db-backup-shop-backup.timer', 'db-backup-shop-verify.service'],
    ...['db-backup-shop-verify.timer', 'db-backup-shop-health.service', 'db-backup-shop-health.timer'],
  ]);
  expect(complaintsOf(units, scope)).toBe('');
  for (const { text } of units) expect(text).toMatch(/^# made by db-backup /);
});

test('the check would tell', () => {
  const [service] = unitsOf(wanted(), 'system');
  expect(complaintsOf([{ file: 'db-backup-odd.service', text: `${service?.text}NoSuchKey=1\n` }])).toContain(
    'NoSuchKey',
  );
});

test('a service is exposed no more than it has to be', () => {
  const [service] = unitsOf(wanted({ needs: { folders: ['/srv/app'] } }), 'system');
  const file = join(folder, 'exposed.service');
  writeFileSync(file, service?.text ?? '');
  const args = ['security', '--offline=true', '--no-pager', '--threshold=25', file];
  expect(execFileSync('systemd-analyze', args, { encoding: 'utf8' })).toMatch(/Overall exposure level/);
});

test('a path stays one word, whatever is in it', () => {
  const units = unitsOf(wanted({ config: HOSTILE, needs: { folders: [HOSTILE] } }), 'system');
  const service = serviceOf(units);
  expect(lines(service, 'ExecStart')).toEqual([
    `/bin/sh /usr/lib/db-backup/dist/cli.js backup --scheduled --config "/etc/it's \\"100%%i\\" $$HOME $\${HOME} \\\\n 'ä';/shop.yml"`,
  ]);
  expect(lines(service, 'ReadWritePaths')).toEqual([`"-/etc/it's \\"100%%i\\" $HOME \${HOME} \\\\n 'ä';/shop.yml"`]);
  expect(complaintsOf(units)).toBe('');
});

test.each([
  [{ config: '/etc/a\nExecStartPost=/bin/sh -c id.yml' }, /control characters/],
  [{ cli: '/opt/a\r.js' }, /control characters/],
  [{ node: '/opt/a b/node' }, /cannot be started by systemd/],
  [{ node: '/opt/$x/node' }, /cannot be started by systemd/],
  [{ needs: { folders: ['/srv/a\nb'] } }, /control characters/],
])('%j is refused', (changed, rule) => {
  expect(() => unitsOf(installationOf(changed), 'system')).toThrow(rule);
});

describe('how it is confined', () => {
  const of = (changed: Parameters<typeof installationOf>[0] = {}, scope: Scope = 'system') =>
    serviceOf(unitsOf(installationOf(changed), scope));

  test('never so that Node could not run', () => {
    expect(of()).not.toContain('MemoryDenyWriteExecute');
  });

  test('homes are hidden, unless something that is used is in one', () => {
    expect(lines(of(), 'ProtectHome')).toEqual(['yes']);
    expect(lines(of({ config: '/home/app/shop.yml' }), 'ProtectHome')).toEqual(['read-only']);
    expect(lines(of({ account: { name: 'root', uid: 0, home: '/root' } }), 'ProtectHome')).toEqual(['read-only']);
    expect(lines(of({ needs: { files: ['/root/key'] } }), 'ProtectHome')).toEqual(['read-only']);
    expect(lines(of({ needs: { folders: ['/homes/app'] } }), 'ProtectHome')).toEqual(['yes']);
  });

  test('temporary files are its own, unless something that is used is among them', () => {
    expect(lines(of(), 'PrivateTmp')).toEqual(['yes']);
    const there = of({ needs: { folders: ['/tmp/app'] } });
    expect([lines(there, 'PrivateTmp'), lines(there, 'ReadWritePaths')]).toEqual([
      [],
      ['-/tmp', '-/var/tmp', '-/tmp/app'],
    ]);
  });

  test('root can still read what is of others, and nobody else can', () => {
    expect(lines(of({ account: { name: 'root', uid: 0, home: '/root' } }), 'CapabilityBoundingSet')).toEqual([
      'CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER',
    ]);
    expect(lines(of(), 'CapabilityBoundingSet')).toEqual(['']);
  });

  test('not at all, with a word about it, where sudo or commands of the user are started', () => {
    const service = of({ needs: { startsOthers: true } });
    expect(service).toContain('# not confined: ');
    expect(service).not.toMatch(/^(NoNew|Protect|Private|Restrict|SystemCall|Capability)/m);
  });

  test('for a user as far as his systemd can, and as nobody else', () => {
    const service = of({}, 'user');
    expect(service).toContain('NoNewPrivileges=yes');
    expect(service).not.toMatch(/^(Protect|Private|ReadWrite|Capability|User=|After=)/m);
  });
});

test.each([
  ['shop', 'db-backup-shop-verify'],
  ['db-backup', 'db-backup-verify'],
  ['db-backup.yml', 'db-backup-db-backup.yml-verify'],
])('the units of %s are called %s', (name, unit) => {
  expect(unitName(name, 'verify')).toBe(unit);
});
