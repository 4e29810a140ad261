import { describe, expect, test } from '@jest/globals';
import { holesOf, refuseUnsafe } from '../../src/engines/postgres/client-holes.js';
import type { Settings } from '../../src/settings/settings.js';

const debian = (version: string) => `pg_dump (PostgreSQL) ${version} (Debian ${version}-0+deb12u1)`;
const shown = (version: string, kind: string) => holesOf(version, kind).map(({ cve, fixedIn }) => `${cve} ${fixedIn}`);

const SCRIPTS = ['CVE-2025-8714', 'CVE-2025-8715', 'CVE-2026-18408'];
const ARCHIVES = ['CVE-2025-8715', 'CVE-2026-116314'];
const numbers = (version: string, kind: string) => holesOf(version, kind).map(({ cve }) => cve);

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

describe('a dump', () => {
  const settings = (allowUnsafeClient: boolean) => ({ container: null, restore: { allowUnsafeClient } }) as Settings;
  const foreign = { kind: 'sql', file: '/srv/old.sql', manifest: null } as const;

  test('of somebody is refused by a client with a hole', () => {
    expect(() => refuseUnsafe(debian('15.18'), foreign, settings(false))).toThrow(
      expect.objectContaining({
        code: 'E_TOOL_UNSAFE',
        message: expect.stringMatching(
          /psql on the host .*15\.18.*CVE-2026-18408\. .*\/srv\/old\.sql could run commands/,
        ),
        hint: expect.stringMatching(/Install the PostgreSQL client 15\.19 or newer .*allow-unsafe-client/),
      }),
    );
    expect(() => refuseUnsafe(debian('12.1'), { ...foreign, kind: 'dump' }, settings(false))).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('pg_restore on the host'),
        hint: expect.stringContaining('client 14.25 or newer'),
      }),
    );
  });

  test('of somebody is taken when the user allows it, and told', () => {
    expect(refuseUnsafe(debian('15.18'), foreign, settings(true))).toEqual([
      expect.stringMatching(/CVE-2026-18408, and \/srv\/old\.sql is restored with it all the same/),
    ]);
  });

  test('of our own is a remark', () => {
    const own = { kind: 'dump', file: 'app.dump', manifest: {} as never } as const;
    expect(refuseUnsafe(debian('15.18'), own, settings(false))).toEqual([
      expect.stringMatching(/pg_restore .*CVE-2026-116314\. .*install the PostgreSQL client 15\.20 or newer/),
    ]);
  });

  test.each([foreign, { ...foreign, kind: 'dump' as const }])('is no matter for a client without one (%#)', (dump) => {
    expect(refuseUnsafe(debian('15.20'), dump, settings(false))).toEqual([]);
  });
});
