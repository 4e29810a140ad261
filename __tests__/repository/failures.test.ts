import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import ts from 'typescript';
import { BackupError } from '../../src/errors.js';
import { LEFT, type Left, leftBefore, touched } from '../../src/left.js';
import { failureText } from '../../src/reporting/failure-text.js';
import { newReport, recordFailure } from '../../src/reporting/report.js';
import { COMMANDS } from '../../src/settings/settings.js';

const source = fileURLToPath(new URL('../../src', import.meta.url));

/** Every text of the sources, with the file that it stands in; comments are none. */
const texts = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && name !== 'left.ts')
  .flatMap((name) => {
    const found: { name: string; text: string }[] = [];
    const visit = (node: ts.Node): void => {
      if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
        found.push({ name, text: node.text });
      }
      ts.forEachChild(node, visit);
    };
    visit(ts.createSourceFile(name, readFileSync(join(source, name), 'utf8'), ts.ScriptTarget.Latest));
    return found;
  });

test('what a failure has left as it was is said by the one table alone', () => {
  expect(texts.length).toBeGreaterThan(2_000);
  const told = texts.filter(({ text }) =>
    /\bNothing (was|is|has)\b|\bno older (one|backup)s? (was|were)|(was|were|is|are) left as (it|they)|database (is|was) (as it was|not (changed|touched))/.test(
      text,
    ),
  );
  expect(told).toEqual([]);
});

test('a command that has not begun claims no more than that', () => {
  const before = COMMANDS.map((command) => [command, leftBefore({ command, dryRun: false })]);
  expect(Object.fromEntries(before)).toEqual({
    ...{ backup: 'nothing-kept', restore: 'nothing-restored', verify: 'backup-as-it-was' },
    ...{
      prune: 'nothing-deleted',
      delete: 'nothing-deleted',
      list: 'nothing-changed',
      health: 'nothing-changed',
      doctor: 'nothing-changed',
    },
    ...{ accept: 'nothing-changed', pin: 'nothing-changed', unpin: 'nothing-changed' },
  });
  for (const command of COMMANDS) expect(leftBefore({ command, dryRun: true })).toBe('nothing-changed');
});

test.each(Object.entries(LEFT))(
  '%s: the last sentence of the text, and the only one of its kind',
  (left, { text: sentence }) => {
    const report = newReport(new Date());
    recordFailure(report, new BackupError('E_BUSY', 'it is locked', 'Wait.'), left as Left);
    if (report.error === null) throw new Error('it was not recorded');
    expect(failureText(report.errorCode, report.error)).toBe(`E_BUSY: it is locked. Wait. ${sentence}`);
    expect(sentence).toMatch(/^[A-Z].*\.$/);
    expect(Object.values(LEFT).filter(({ text }) => text.includes(sentence))).toHaveLength(1);
  },
);

test('after another change in the backup directory none says that nothing was changed', () => {
  const said = (Object.keys(LEFT) as Left[]).filter((left) => touched(left) !== left);
  expect(said).toEqual([
    ...['nothing-contacted', 'nothing-run', 'nothing-changed', 'nothing-deleted', 'nothing-kept', 'nothing-restored'],
    'backup-as-it-was',
  ]);
  for (const left of said) expect(touched(left)).toBe('changed-in-part');
});
