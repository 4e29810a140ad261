import { expect, test } from '@jest/globals';
import { readVerified } from '../../../src/engines/physical/verified.js';
import { BackupError } from '../../../src/errors.js';

const FULL = '20261201-033554F';
const INCR = `${FULL}_20261201-033559I`;

/** As 2.45 printed it with --verbose. */
const HEALTHY = `stanza: main
status: ok
  archiveId: 15-1, total WAL checked: 4, total valid WAL: 4
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: ${FULL}, status: valid, total files checked: 965, total valid files: 965
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: ${INCR}, status: valid, total files checked: 965, total valid files: 965
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
`;
/** The same with a file of the incremental set removed. */
const INVALID = `stanza: main
status: error
  archiveId: 15-1, total WAL checked: 4, total valid WAL: 4
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: ${FULL}, status: valid, total files checked: 965, total valid files: 965
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: ${INCR}, status: invalid, total files checked: 965, total valid files: 964
    missing: 1, checksum invalid: 0, size invalid: 0, other: 0
`;
/** The same with all WAL removed, which no other line tells of. */
const NO_WAL = HEALTHY.replace(/15-1, .*\n.*\n/, '15-1, total WAL checked: 0, total valid WAL: 0\n');

function failure(text: string, label = FULL): BackupError | null {
  try {
    readVerified(text, 'main', label);
    return null;
  } catch (error) {
    if (error instanceof BackupError) return error;
    throw error;
  }
}

test.each([FULL, INCR])('%s is whole', (label) => {
  expect(failure(HEALTHY, label)).toBeNull();
  // 2.55 and later tell of the set alone
  const other = label === FULL ? INCR : FULL;
  expect(failure(HEALTHY.replace(new RegExp(` *backup: ${other}, .*\\n.*\\n`), ''), label)).toBeNull();
  expect(failure(HEALTHY.replaceAll('\n', '\r\n'), label)).toBeNull();
});

test('one that is not whole is told, and says nothing of another one that is', () => {
  expect(failure(INVALID)).toBeNull();
  const found = failure(INVALID, INCR);
  expect(found?.code).toBe('E_CHECKSUM');
  expect(found?.message).toContain(`pgBackRest did not find ${INCR} whole: status: error;`);
  expect(found?.message).toContain('total valid files: 964');
  expect(found?.message).toContain('missing: 1');
});

test.each<[string, string]>([
  ['nothing', ''],
  ['what 2.45 says without --verbose of a healthy one', '\n'],
  ['nothing but that all is well', 'stanza: main\nstatus: ok\n'],
  ['an empty repository', 'stanza: main\nstatus: ok\n    no archives or backups exist in the repo\n'],
  ['another stanza', HEALTHY.replace('stanza: main', 'stanza: mainly')],
  ['no stanza', HEALTHY.replace('stanza: main\n', '')],
  ['no word on the set', HEALTHY.replaceAll(FULL, '20261201-033555F')],
  ['one whose label begins like it', HEALTHY.replace(`backup: ${FULL}, `, `backup: ${FULL}_, `)],
  ['a set that is still made', HEALTHY.replace('status: valid', 'status: in-progress')],
  ['a set without its manifest', HEALTHY.replace('status: valid', 'status: manifest missing')],
  ['fewer files than were looked at', HEALTHY.replace('total valid files: 965', 'total valid files: 964')],
  ['no file', HEALTHY.replace('checked: 965, total valid files: 965', 'checked: 0, total valid files: 0')],
  ['no count of files', HEALTHY.replace(', total files checked: 965, total valid files: 965', ', x')],
  ['a set whose own list is cut off', HEALTHY.slice(0, HEALTHY.indexOf(`${FULL}, status`) + 90)],
  [
    'two answers on one set',
    `${HEALTHY}  backup: ${FULL}, status: invalid, total files checked: 965, total valid files: 1\n`,
  ],
  [
    'a set that is valid only after it was not',
    INVALID.replaceAll(FULL, 'x').replaceAll(`x_20261201-033559I`, FULL) + HEALTHY,
  ],
  ['WAL that is missing', NO_WAL],
  ['no archive', HEALTHY.replace(/15-1, .*\n.*\n/, 'none found\n')],
  ['no word on WAL', HEALTHY.replace(/ *archiveId.*\n.*\n/, '')],
  ['WAL with a wrong checksum', HEALTHY.replace('checksum invalid: 0', 'checksum invalid: 2')],
  ['WAL of a wrong size', HEALTHY.replace('size invalid: 0', 'size invalid: 1')],
  ['less WAL than was looked at', HEALTHY.replace('valid WAL: 4', 'valid WAL: 3')],
  [
    'WAL of an older cluster that is not whole',
    HEALTHY.replace(
      '  archiveId',
      '  archiveId: 14-1, total WAL checked: 4, total valid WAL: 3\n    missing: 1, checksum invalid: 0, size invalid: 0, other: 0\n  archiveId',
    ),
  ],
  ['the answer within another line', HEALTHY.replaceAll('\n', ' ')],
])('%s is not enough', (_, text) => {
  expect(failure(text)).toMatchObject({ code: 'E_CHECKSUM', hint: expect.stringContaining('Do not rely on') });
});

test('what it says is cut, and cannot speak for us', () => {
  const found = failure(`status: \u001b[31m##[error]\u0085\n::stop-commands::x\nbackup: ${'x'.repeat(9000)}`);
  expect(found?.message.length).toBeLessThan(700);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
  expect(found?.message).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]|##\[|^::/m);
  expect(failure('')?.message).toContain('it said nothing');
});
