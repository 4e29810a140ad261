import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { type Asked, parse } from '../../src/command-line/arguments.js';
import { type Given, literally, wrongly } from '../../src/command-line/given.js';
import { typed } from '../../src/command-line/typed.js';
import type { InputName } from '../../src/settings/declared-inputs.js';

test('a command line, with the names of the database as they were given', () => {
  const inputs = { command: 'restore', backup: 'app-20261130T175448Z-93a4', confirm: 'app.db' };
  expect(typed(inputs, { config: null, targets: [], inputs: new Map() })).toBe(
    'db-backup restore app-20261130T175448Z-93a4 --confirm app.db',
  );
  expect(typed(inputs, { config: '/etc/a b.yml', targets: ['shop'], inputs: new Map() })).toBe(
    "db-backup restore app-20261130T175448Z-93a4 --confirm app.db --config '/etc/a b.yml' --target shop",
  );
});

test.each(["it's", '$(touch x)', '-x', 'a b', '', 'ü', '*'])('a shell reads %j as one word', (text) => {
  const line = typed({ command: 'restore', confirm: text }, { config: null, targets: [], inputs: new Map() });
  const said = execFileSync(
    'sh',
    [
      '-c',
      `db-backup() { printf '%s\\n' "$@"; }; ${line.replace('db-backup', 'db_backup')}`.replace(
        'db-backup()',
        'db_backup()',
      ),
    ],
    { encoding: 'utf8' },
  );
  expect(said.split('\n').slice(0, -1)).toEqual(['restore', '--confirm', text]);
});

test('what was given as options stands in it again, but for what is of one run', () => {
  const given = new Map<InputName, Given>([
    ['backup', literally('app-1')],
    ['confirm', literally('other.db')],
    ['dry-run', literally('true')],
    ['transport', literally('local')],
    ['database', literally("/srv/it's.db")],
    ['check-command', literally('true')],
    ['keep', literally('5')],
  ]);
  const inputs = { command: 'restore', backup: 'app-2', confirm: "it's.db" };
  expect(typed(inputs, { config: null, targets: [], inputs: given })).toBe(
    `db-backup restore app-2 --confirm 'it'\\''s.db' --transport local --database '/srv/it'\\''s.db' --check-command true`,
  );
});

test('what is empty is no option, and a secret is none: what is printed is accepted as it stands', async () => {
  const given = new Map<InputName, Given>([
    ['transport', literally('local')],
    ['database', literally('/srv/app.db')],
    ['s3-bucket', literally('')],
    ['s3-access-key-id', literally('')],
    ['key', wrongly('a secret is no option')],
    ['allow-event', literally('\n\n')],
  ]);
  const line = typed({ command: 'restore', backup: 'app-2' }, { config: null, targets: [], inputs: given });
  expect(line).toBe('db-backup restore app-2 --transport local --database /srv/app.db');
  let asked: Asked | null = null;
  const status = await parse(line.split(' ').slice(1), new Map(), async (what) => {
    asked = what;
    return 0;
  });
  expect(status).toBe(0);
  const values = [...((asked as Asked | null)?.inputs ?? [])].map(([name, value]) => [name, value()]);
  expect(values).toEqual([
    ['transport', 'local'],
    ['database', '/srv/app.db'],
    ['backup', 'app-2'],
  ]);
});
