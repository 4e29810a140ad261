import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { systemVersion } from '../helpers/postgres-programs.js';

// postgres-client.sh: of which package the tools are, and what its changelog says was fixed.

const program = fileURLToPath(new URL('../../src/engines/postgres/programs/postgres-client.sh', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-client-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What is told of the tools in that folder, by the tools of the host, or by those of `path` before them. */
function told(pgBin: string, hidden: string[] = []): Record<string, string> {
  const script = `
    have() { case " ${hidden.join(' ')} " in *" $1 "*) return 1 ;; esac; command -v "$1" >/dev/null 2>&1; }
    real() { readlink -f "$1"; }
    put() { printf '%s=%s\\n' "$1" "$2"; }
    pg_version=$("$1"pg_restore --version) pg_bin=$1 PATH=$2:$PATH
    . "$3"
    tell_client`;
  const text = execFileSync('sh', ['-uc', script, 'sh', pgBin, folder, program], { encoding: 'utf8' });
  return Object.fromEntries(
    text.split('\n').flatMap((line) => (line === '' ? [] : [line.split(/=(.*)/s).slice(0, 2)])),
  );
}

test('of Debian: the package of both tools, and each CVE of its changelog', () => {
  const name = `postgresql-client-${systemVersion()}`;
  const {
    client_package: owner,
    client_fixes: fixes,
    pg_dump_version: version,
  } = told(`/usr/lib/postgresql/${systemVersion()}/bin/`);
  const [, installed] = /^Version: (.*)$/m.exec(execFileSync('dpkg-query', ['-s', name], { encoding: 'utf8' })) ?? [];
  expect(owner).toBe(`deb ${name} ${installed}`);
  expect(version).toMatch(/^pg_restore \(PostgreSQL\) \d/);
  expect(fixes).toMatch(/^(CVE-\d{4}-\d{4,7} )+$/);
  expect(fixes?.split(' ')).toContain('CVE-2025-8715');
});

test('of Red Hat: as rpm tells it', () => {
  // there is no rpm here: one that answers as rpm does to these very questions, and to no other
  writeFileSync(
    join(folder, 'rpm'),
    `#!/bin/sh
case "$*" in
  "-qf --qf rpm %{NAME} %{VERSION}-%{RELEASE}\\\\n ${folder}/pg_restore" | "-qf --qf rpm %{NAME} %{VERSION}-%{RELEASE}\\\\n ${folder}/psql")
    echo 'rpm postgresql 13.20-1.el9_6' ;;
  '-q --changelog postgresql')
    echo '* Mon Aug 18 2025 A Packager <a@example.com> - 13.20-1'
    echo '- Resolves: RHEL-1 (CVE-2025-8714, CVE-2025-8715), XCVE-2026-116314, CVE-2026-1163140000' ;;
  *) exit 1 ;;
esac
`,
  );
  for (const tool of ['psql', 'pg_restore']) writeFileSync(join(folder, tool), '#!/bin/sh\n');
  for (const tool of ['rpm', 'psql', 'pg_restore']) chmodSync(join(folder, tool), 0o755);
  expect(told(`${folder}/`, ['dpkg-query'])).toEqual({
    pg_dump_version: '',
    pg_bin: `${folder}/`,
    client_package: 'rpm postgresql 13.20-1.el9_6',
    client_fixes: 'CVE-2025-8714 CVE-2025-8715 ',
  });
});

test('of no package: nothing but the version', () => {
  for (const tool of ['psql', 'pg_restore']) writeFileSync(join(folder, tool), '#!/bin/sh\n', { mode: 0o755 });
  expect(told(`${folder}/`)).toEqual({ pg_dump_version: '', pg_bin: `${folder}/` });
});

test('of tools that are not of one version nobody can tell what they are', () => {
  for (const [tool, version] of [
    ['pg_restore', '18.9'],
    ['psql', '15.1'],
  ] as const) {
    writeFileSync(join(folder, tool), `#!/bin/sh\necho '${tool} (PostgreSQL) ${version}'\n`, { mode: 0o755 });
  }
  expect(told(`${folder}/`).pg_dump_version).toBe(
    'of several versions: pg_restore (PostgreSQL) 18.9, psql (PostgreSQL) 15.1',
  );
});
