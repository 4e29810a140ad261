import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { typed } from '../../src/command-line/typed.js';

test('a command line, with the names of the database as they were given', () => {
  const inputs = { command: 'restore', backup: 'app-20261130T175448Z-93a4', confirm: 'app.db' };
  expect(typed(inputs, { config: null, targets: [] })).toBe(
    'db-backup restore app-20261130T175448Z-93a4 --confirm app.db',
  );
  expect(typed(inputs, { config: '/etc/a b.yml', targets: ['shop'] })).toBe(
    "db-backup restore app-20261130T175448Z-93a4 --confirm app.db --config '/etc/a b.yml' --target shop",
  );
});

test.each(["it's", '$(touch x)', '-x', 'a b', '', 'ü', '*'])('a shell reads %j as one word', (text) => {
  const line = typed({ command: 'restore', confirm: text }, { config: null, targets: [] });
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
