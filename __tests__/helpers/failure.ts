import { expect } from '@jest/globals';
import { LEFT, type Left } from '../../src/left.js';
import type { Report } from '../../src/reporting/report.js';
import type { ActionResult } from './run-action.js';

/**
 * Asserts that a run failed as it should: red, closed gate, the code, one error annotation that says each of `says`, and nothing that
 * the runner would take for a command of ours. Returns what the annotation says.
 */
export function expectFailure(result: ActionResult, code: string, ...says: (string | RegExp)[]): string {
  const errors = result.annotations.filter(({ level }) => level === 'error').map(({ message }) => message);
  expect({
    errors,
    exit: result.code,
    code: result.outputs['error-code'],
    ok: result.outputs['backup-ok'],
    last: result.outputLines.at(-1),
    legacy: result.legacyOutputs,
    fileErrors: result.fileErrors,
    post: result.steps.post?.code ?? 0, // left out where it has nothing to do
  }).toEqual({
    errors: [expect.stringMatching(new RegExp(`^${code}: `))],
    exit: 1,
    code,
    ok: 'false',
    last: ['backup-ok', 'false'],
    legacy: [],
    fileErrors: [],
    post: 0,
  });
  const message = errors[0] ?? '';
  // every refusal ends with what it has left, in the words of the one table
  const { left } = (JSON.parse(result.outputs.report ?? '{}') as Report).error ?? {};
  expect(Object.keys(LEFT)).toContain(left);
  expect(message.endsWith(` ${LEFT[left as Left].text}`)).toBe(true);
  expect(Object.values(LEFT).filter(({ text }) => message.includes(text))).toHaveLength(1);
  // What of several sentences is empty leaves no blanks behind.
  expect(message).not.toMatch(/[.,;:] {2}|(?<!\.)\.\. /);
  for (const text of says) {
    if (typeof text === 'string') expect(message).toContain(text);
    else expect(message).toMatch(text);
  }
  return message;
}

/** Asserts that a backup was made and that every way of telling says so. Returns its id. */
export function expectBackup(result: ActionResult): string {
  expect({
    errors: result.annotations.filter(({ level }) => level === 'error'),
    exit: result.code,
    code: result.outputs['error-code'],
    last: result.outputLines.at(-1),
    legacy: result.legacyOutputs,
    fileErrors: result.fileErrors,
  }).toEqual({ errors: [], exit: 0, code: '', last: ['backup-ok', 'true'], legacy: [], fileErrors: [] });
  const id = result.outputs['backup-id'] ?? '';
  expect(id).not.toBe('');
  return id;
}
