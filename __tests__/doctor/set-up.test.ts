import { describe, expect, test } from '@jest/globals';
import { setUpOf } from '../../src/doctor/set-up.js';
import { databaseOf } from '../../src/engines/lookup.js';
import { Facts } from '../../src/host/facts.js';
import { newReport } from '../../src/reporting/report.js';
import type { Run } from '../../src/run/run.js';
import type { SshSettings } from '../../src/settings/settings.js';

const key = (name: string) => ({ pem: 'never shown', publicLine: `ssh-ed25519 AAAA${name}` });
const SSH: SshSettings = {
  ...{ transport: 'ssh', host: 'db.example.com', port: 22, username: 'deploy', key: key('main') },
  ...{ knownHosts: '', fingerprints: [], jump: null, connectTimeoutMs: 1 },
};

const factsOf = (entries: Record<string, string>): Facts => {
  const made = new Facts();
  for (const [name, text] of Object.entries(entries)) made.add(name, text);
  return made;
};

function made(
  settings: Record<string, unknown> = {},
  {
    hello = { user: 'deploy', uid: '1000' },
    host = { client: '203.0.113.7' },
  }: { hello?: Record<string, string>; host?: Record<string, string> } = {},
  onGitHub = false,
): Record<string, string> {
  const database = { engine: 'sqlite', path: '/srv/app.db', given: '/srv/app.db' } as Run['settings']['database'];
  const dump = { format: 'custom', jobs: null, excludeTable: [], excludeTableData: [], schema: [] } as const;
  const run = {
    settings: { transport: SSH, umask: '077', runAs: null, container: null, s3: null, name: 'app', dump, ...settings },
    report: { ...newReport(new Date(0)), directory: '/home/deploy/db-backups' },
    database: databaseOf(database, { ...dump, excludeTable: [], excludeTableData: [], schema: [] }),
  } as unknown as Run;
  const parts = setUpOf(
    run,
    { hello: factsOf(hello), facts: factsOf(host), place: null },
    { database: null, sudo: [], onGitHub },
  );
  return Object.fromEntries(parts.map(({ title, text }) => [title, text]));
}
const HOST = '~deploy/.ssh/authorized_keys on the host';

describe('authorized_keys', () => {
  test('with the address where it does not change', () => {
    expect(made()[HOST]).toBe('restrict,command="sh -s",from="203.0.113.7" ssh-ed25519 AAAAmain');
    expect(made({}, {}, true)[HOST]).toBe('restrict,command="sh -s" ssh-ed25519 AAAAmain');
  });

  test.each(['', '1.2.3.4",command="evil', 'any\nwhere', '*'])('with no address that is none: %j', (client) => {
    expect(made({}, { host: { client } })[HOST]).toBe('restrict,command="sh -s" ssh-ed25519 AAAAmain');
  });

  test('behind a jump host: that one has the fixed address, and lets the key go on to this host alone', () => {
    const jump = { host: 'jump.example.com', port: 22, username: 'hop', key: key('jump') };
    const both = made({ transport: { ...SSH, host: '2001:db8::7', port: 2222, jump } }, {}, true);
    expect(both[HOST]).toContain(',from="203.0.113.7"');
    expect(both['~hop/.ssh/authorized_keys on the jump host']).toBe(
      'restrict,port-forwarding,permitopen="[2001:db8::7]:2222",command="/bin/false" ssh-ed25519 AAAAjump',
    );
  });

  test('none where the runner is the host', () => {
    expect(Object.keys(made({ transport: { transport: 'local' } }))).toEqual(['The backup directory']);
  });
});

test('the folder, by whatever name the host has for the user', () => {
  expect(made()['The backup directory']).toBe('sudo install -d -m 700 -o deploy /home/deploy/db-backups');
  const odd = made({ umask: '027' }, { hello: { user: `x'; id`, uid: '7' } });
  expect(odd['The backup directory']).toBe(`sudo install -d -m 750 -o 'x'\\''; id' /home/deploy/db-backups`);
});

test('sudoers: the shell of run-as; a user with an odd name by the number; none in a container', () => {
  const line = made({ runAs: 'app' })['/etc/sudoers.d/db-backup'];
  expect(line).toBe('deploy ALL=(app) NOPASSWD: /bin/sh -s, /usr/bin/sh -s');
  const odd = made({ runAs: 'app' }, { hello: { user: 'a b', uid: '7' } })['/etc/sudoers.d/db-backup'];
  expect(odd).toMatch(/^#7 ALL=/);
  expect(made({ runAs: 'app', container: 'db' })['/etc/sudoers.d/db-backup']).toBeUndefined();
});
