import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { givenBy } from '../../src/command-line/environment.js';
import { usePlatform } from '../../src/platform/platform.js';
import { terminal } from '../../src/platform/terminal.js';
import { INPUT_NAMES, isUsedBy } from '../../src/settings/declared-inputs.js';
import { readSettings } from '../../src/settings/inputs.js';
import { HAND_COMMANDS } from '../../src/settings/settings.js';

const ID = 'app-20261120T101500Z-7f3a';
const LOCAL = { transport: 'local', database: '/srv/app/app.db' };
const SHOP = { transport: 'local', database: 'postgresql://app@localhost/shop' };

const { GITHUB_ACTIONS } = process.env;
beforeEach(() => {
  delete process.env.GITHUB_ACTIONS;
});
afterEach(() => {
  if (GITHUB_ACTIONS !== undefined) process.env.GITHUB_ACTIONS = GITHUB_ACTIONS;
});

/** As `db-backup` reads them; without options as a program that was not started as such. */
function read(inputs: Record<string, string>, options: Record<string, string> | null = {}) {
  usePlatform(
    terminal({
      input: (name) => inputs[name] ?? '',
      ...(options === null
        ? {}
        : {
            hand: {
              option: (name) => options[name] ?? '',
              typed: () => '',
              gives: givenBy,
              asksNext: false,
              worded: (text: string) => text,
            },
          }),
    }),
  );
  return readSettings();
}

test('what is taken out, and of which backup', async () => {
  const given = { ...LOCAL, command: 'extract', backup: ID };
  const { settings, warnings } = await read(given, { table: 'users' });
  expect(warnings).toEqual([]);
  expect(settings.extraction).toEqual({ table: 'users', format: 'sql', dataOnly: false, output: null });
  expect(settings.restore.wanted).toEqual({ by: 'id', id: ID, name: 'app' });
  const more = { table: 'a b', format: 'csv', 'data-only': 'true', output: '/nowhere/x' };
  expect((await read(given, more)).settings.extraction).toEqual({
    table: 'a b',
    format: 'csv',
    dataOnly: true,
    output: '/nowhere/x',
  });
  expect((await read({ ...given, backup: 'latest' }, { table: 't' })).settings.restore.wanted).toEqual({
    by: 'latest',
  });
  expect((await read({ ...LOCAL, command: 'show', backup: 'latest' })).settings.backup).toBeNull();
  expect((await read({ ...LOCAL, command: 'show', backup: ID })).settings.backup).toBe(ID);
});

test('what is wrong with it is told at once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dbb-hand-'));
  const output = join(folder, 'there');
  writeFileSync(output, '');
  try {
    const refusal = read({ ...SHOP, command: 'extract', backup: '/srv/some.dump' }, { format: 'csv', output });
    await expect(refusal).rejects.toMatchObject({
      code: 'E_INPUT',
      message: expect.stringMatching(
        /^backup: expected latest, the id of a backup, before-deploy:<commit>, s3:\/\/<bucket>\/<key>, got .*\ntable: required.*\nformat: expected sql with a PostgreSQL database\noutput: expected a file that does not exist yet/m,
      ),
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each(HAND_COMMANDS)('%s is refused to whoever is not at a command line', async (command) => {
  const given = { ...LOCAL, command, ...(command === 'latest' ? {} : { backup: ID }) };
  expect((await read(given, { table: 't' })).warnings).toEqual([]);
  await expect(read(given, null)).rejects.toMatchObject({
    code: 'E_INPUT',
    message: `command: ${command} is only a command of the command line, \`db-backup ${command}\`, not of a job`,
  });
});

test.each(HAND_COMMANDS)('%s is refused at the command line of a job as well', async (command) => {
  process.env.GITHUB_ACTIONS = 'true';
  await expect(read({ ...LOCAL, command, backup: ID }, { table: 't' })).rejects.toMatchObject({
    code: 'E_INPUT',
    message: expect.stringContaining(`command: ${command} is refused in a job of GitHub Actions`),
  });
  delete process.env.GITHUB_ACTIONS;
});

test('an input that changes something means nothing to those that read', () => {
  const used = INPUT_NAMES.filter((name) => HAND_COMMANDS.some((command) => isUsedBy(name, command)));
  expect(used).toContain('signing-key');
  for (const name of ['confirm', 'keep', 'dry-run', 'lock-wait', 'umask', 'stop-command', 'notify-urls'] as const) {
    expect(used).not.toContain(name);
  }
});
