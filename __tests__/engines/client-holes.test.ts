import { describe, expect, test } from '@jest/globals';
import { type Client, clientIn } from '../../src/engines/postgres/client.js';
import { holesOf, refuseUnsafe } from '../../src/engines/postgres/client-holes.js';
import { Facts } from '../../src/host/facts.js';
import type { Settings } from '../../src/settings/settings.js';

const client = (version: string, ...fixes: string[]) => ({ version, package: null, fixes: new Set(fixes) });
const debian = (version: string) => `pg_dump (PostgreSQL) ${version} (Debian ${version}-0+deb12u1)`;
const shown = (version: string, kind: string) =>
  holesOf(client(version), kind).map(({ cve, fixedIn }) => `${cve} ${fixedIn}`);

const SCRIPTS = ['CVE-2025-8714', 'CVE-2025-8715', 'CVE-2026-18408'];
const ARCHIVES = ['CVE-2025-8715', 'CVE-2026-116314'];
const numbers = (version: string, kind: string) => holesOf(client(version), kind).map(({ cve }) => cve);

describe('the first minor version of each major without a hole', () => {
  test.each([
    ['13.21', SCRIPTS, ARCHIVES],
    ['13.22', ['CVE-2026-18408'], ['CVE-2026-116314']],
    ['14.18', SCRIPTS, ARCHIVES],
    ['14.19', ['CVE-2026-18408'], ['CVE-2026-116314']],
    ['14.23', ['CVE-2026-18408'], ['CVE-2026-116314']],
    ['14.24', [], ['CVE-2026-116314']],
    ['14.25', [], []],
    ['15.13', SCRIPTS, ARCHIVES],
    ['15.14', ['CVE-2026-18408'], ['CVE-2026-116314']],
    ['15.18', ['CVE-2026-18408'], ['CVE-2026-116314']],
    ['15.19', [], ['CVE-2026-116314']],
    ['15.20', [], []],
    ['16.9', SCRIPTS, ARCHIVES],
    ['16.10', ['CVE-2026-18408'], ['CVE-2026-116314']],
    ['16.15', [], ['CVE-2026-116314']],
    ['16.16', [], []],
    ['17.5', SCRIPTS, ARCHIVES],
    ['17.6', ['CVE-2026-18408'], ['CVE-2026-116314']],
    ['17.11', [], ['CVE-2026-116314']],
    ['17.12', [], []],
    ['18.0', ['CVE-2026-18408'], ['CVE-2026-116314']],
    ['18.6', [], ['CVE-2026-116314']],
    ['18.7', [], []],
    ['19.0', [], []],
    ['20', [], []],
  ])('%s', (version, scripts, archives) => {
    expect(numbers(debian(version), 'sql')).toEqual(scripts);
    expect(numbers(debian(version), 'dump')).toEqual(archives);
    expect(numbers(debian(version), 'tar')).toEqual(archives);
    expect(numbers(debian(version), 'sqlite')).toEqual([]);
  });
});

test.each([
  ['pg_dump (PostgreSQL) 15.18', ['CVE-2026-18408 15.19']],
  ['pg_dump (EnterpriseDB) 15.19.0', []],
  ['pg_dump (PostgreSQL) 18beta1', ['CVE-2026-18408 18.6']],
  ['pg_dump (PostgreSQL) 19devel', []],
  // never mended: the oldest that was
  ['pg_dump (PostgreSQL) 12.22', ['CVE-2025-8714 13.22', 'CVE-2025-8715 13.22', 'CVE-2026-18408 14.24']],
  ['pg_dump (PostgreSQL) 9.6.24', ['CVE-2025-8714 13.22', 'CVE-2025-8715 13.22', 'CVE-2026-18408 14.24']],
  ['pg_dump (PostgreSQL) 13.23', ['CVE-2026-18408 14.24']],
])('%s has for scripts %j', (version, holes) => {
  expect(shown(version, 'sql')).toEqual(holes);
});

test.each(['', 'pg_dump', 'pg_dump (PostgreSQL) ', 'pg_dump (PostgreSQL) x15.20', 'something 99.9'])(
  'a version that can not be read (%j) has all of them',
  (version) => {
    expect(numbers(version, 'sql')).toEqual(SCRIPTS);
    expect(numbers(version, 'dump')).toEqual(ARCHIVES);
  },
);

/** What postgres-client.sh tells. */
function told(version: string, packaged: string | null, fixes = ''): Facts {
  const facts = new Facts();
  facts.add('pg_dump_version', version);
  if (packaged !== null) facts.add('client_package', packaged);
  facts.add('client_fixes', fixes);
  return facts;
}

describe('what the distribution has fixed in the version that it keeps', () => {
  const version = 'pg_dump (PostgreSQL) 13.20';
  const fixes = 'CVE-2024-7348 CVE-2025-8714 CVE-2025-8715 ';
  const cves = (client: Client, kind: string) => holesOf(client, kind).map(({ cve }) => cve);

  test('is no hole', () => {
    const client = clientIn(told(version, 'rpm postgresql 13.20-1.el9_6', fixes));
    expect(client.package).toEqual({ manager: 'rpm', name: 'postgresql' });
    expect(cves(client, 'sql')).toEqual(['CVE-2026-18408']);
    expect(cves(client, 'dump')).toEqual(['CVE-2026-116314']);
    expect(cves(clientIn(told(version, 'rpm postgresql 1:13.20-2.el9', `${fixes}CVE-2026-116314 `)), 'dump')).toEqual(
      [],
    );
  });

  test.each([
    null,
    '',
    'rpm postgresql 13.2-1.el9',
    'rpm postgresql 13.200-1.el9',
    'rpm postgresql 14.20-1.el9',
    'pip postgresql 13.20-1',
    'deb $(id) 13.20-1',
  ])('is not believed of a package that is not that of the program: %j', (packaged) => {
    const client = clientIn(told(version, packaged, fixes));
    expect(client.package).toBeNull();
    expect(cves(client, 'dump')).toEqual(ARCHIVES);
  });

  test('a host that tells nothing has all of them', () => {
    expect(cves(clientIn(new Facts()), 'sql')).toEqual(SCRIPTS);
  });
});

describe('a dump', () => {
  const settings = (allowUnsafeClient: boolean, more: object = {}) =>
    ({
      ...{ container: null, runAs: null, transport: { transport: 'ssh', username: 'deploy' } },
      ...more,
      restore: { allowUnsafeClient },
    }) as Settings;
  const foreign = { kind: 'sql', file: '/srv/old.sql', manifest: null } as const;
  const packaged = (version: string) =>
    clientIn(told(debian(version), `deb postgresql-client-15 ${version}-0+deb12u1`));

  test('of somebody is refused by a client with a hole: which one, where it is fixed, what to type, what leave means', () => {
    expect(() => refuseUnsafe(packaged('15.18'), foreign, settings(false))).toThrow(
      expect.objectContaining({
        code: 'E_TOOL_UNSAFE',
        message: expect.stringMatching(
          /psql on the host .*15\.18.*CVE-2026-18408 \(fixed in 15\.19\)\. .*\/srv\/old\.sql could run commands/,
        ),
        hint: expect.stringMatching(
          /PostgreSQL 15\.19 or newer: `sudo apt-get update && sudo apt-get install --only-upgrade postgresql-client-15`.*allow-unsafe-client: true`.* as deploy, the login user/,
        ),
      }),
    );
    expect(() => refuseUnsafe(client(debian('12.1')), { ...foreign, kind: 'dump' }, settings(false))).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('pg_restore on the host'),
        hint: expect.stringMatching(/PostgreSQL 12 no longer gets fixes.* client of PostgreSQL 14\.25 or newer/),
      }),
    );
  });

  test.each([
    [{ container: 'db' }, /Replace the image of db .*15\.19.*in the container db/],
    [{ runAs: 'postgres' }, /as postgres on the host/],
    [{ transport: { transport: 'local' } }, /as the user who runs this action/],
  ])('of somebody is refused in words of where it is read: %j', (more, hint) => {
    expect(() => refuseUnsafe(packaged('15.18'), foreign, settings(false, more))).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(hint) }),
    );
  });

  test('of somebody is taken when the user allows it, and told', () => {
    expect(refuseUnsafe(client(debian('15.18')), foreign, settings(true))).toEqual([
      expect.stringMatching(/CVE-2026-18408 .*, but \/srv\/old\.sql is read with it anyway/),
    ]);
  });

  test('of our own is a remark', () => {
    const own = { kind: 'dump', file: 'app.dump', manifest: {} as never } as const;
    expect(refuseUnsafe(packaged('15.18'), own, settings(false))).toEqual([
      expect.stringMatching(
        /pg_restore .*CVE-2026-116314 .*Update the client on the host to PostgreSQL 15\.20 or newer/,
      ),
    ]);
  });

  test('of our own, in a container, is a remark about the container', () => {
    const own = { kind: 'dump', file: 'app.dump', manifest: {} as never } as const;
    const [remark = ''] = refuseUnsafe(packaged('15.18'), own, settings(false, { container: 'compose:shop/db' }));
    expect(remark).toMatch(/pg_restore in the container .* Replace the image of compose:shop\/db with one of/);
    expect(remark).not.toMatch(/on the host|apt-get/);
  });

  test.each([foreign, { ...foreign, kind: 'dump' as const }])('is no matter for a client without one (%#)', (dump) => {
    expect(refuseUnsafe(client(debian('15.20')), dump, settings(false))).toEqual([]);
  });
});
