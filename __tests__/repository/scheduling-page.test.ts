import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { Command } from 'commander';
import { scheduleCommand } from '../../src/command-line/schedule-command.js';
import { parseCalendar } from '../../src/schedule/calendar.js';

const page = readFileSync(new URL('../../docs/scheduling.md', import.meta.url), 'utf8');

const root = new Command();
scheduleCommand(root, () => {});
const install = root.commands[0]?.commands.find((one) => one.name() === 'install');
/** Rows of a table, the first two cells without their marks of code. */
const rows = [...page.matchAll(/^\| `([^`]+)` \|(?: `([^`]+)` \|)?/gm)].map(([, first = '', second]) => [
  first,
  second,
]);

test('every option of install is explained, and no other, with its default', () => {
  const options = (install?.options ?? []).map((one) => [one.long, one.defaultValue as string | undefined]);
  expect(
    rows
      .filter(([name]) => name?.startsWith('--'))
      .map(([name, usual]) => [name, usual])
      .toSorted(),
  ).toEqual(options.filter(([name]) => name !== '--config').toSorted());
});

test('every calendar of the page is one', () => {
  const named = [...page.matchAll(/`"?((?:hourly|every|daily|weekly|monthly|\d+ \d+ \*)[^`"]*)"?`/g)].map(
    ([, text = '']) => text,
  );
  expect(named.length).toBeGreaterThan(8);
  for (const text of named) expect(() => parseCalendar(text)).not.toThrow();
});
