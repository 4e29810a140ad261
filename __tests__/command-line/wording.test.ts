import { expect, test } from '@jest/globals';
import { forHand } from '../../src/command-line/wording.js';
import { ERRORS } from '../../src/error-codes.js';
import { LEFT } from '../../src/left.js';

test.each([
  ['`command: list` shows the ids.', '`db-backup list` shows the ids.'],
  ['`command: delete` with `backup: app-1` deletes it', '`db-backup delete app-1` deletes it'],
  ['Run `command: prune` with `dry-run: true`.', 'Run `db-backup prune --dry-run`.'],
  ['For `command: backup` with `s3-keep: none`', 'For `db-backup backup --s3-keep none`'],
  ['Run with `dry-run: true`. Set `confirm: app.db`.', 'Run with `--dry-run`. Give `--confirm app.db`.'],
  ['If you mean it, set `allow-other-target: true`.', 'If you mean it, give `--allow-other-target`.'],
  ['`safety-backup: false` goes without', '`--safety-backup false` goes without'],
  ["set `confirm: it's`", "give `--confirm 'it'\\''s'`"],
  ['set `container: compose:PROJECT/db`', 'give `--container compose:PROJECT/db`'],
  ['Look at the runs of the backup workflow.', 'Look at the runs of the scheduled backup.'],
])('%s', (text, expected) => {
  expect(forHand(text)).toBe(expected);
});

test.each([
  'Add `on: schedule` to a workflow',
  '`ledger: false`',
  '`signing-key: x` is a secret, and no option',
  'raise `max-age`, or `umask` to 077',
  'a server with `all: true`',
  '`postgres: it said` and `a: b`',
])('%s stays as it is', (text) => {
  expect(forHand(text)).toBe(text);
});

test('no fix of an error speaks of commands of a workflow any more', () => {
  for (const text of [...Object.values(ERRORS).map(({ fix }) => fix), ...Object.values(LEFT).map(({ text }) => text)]) {
    expect(forHand(text)).not.toContain('`command:');
  }
});
