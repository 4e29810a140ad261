import { execFileSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { markOfTask, taskXml, utf16 } from '../../src/schedule/task-xml.js';
import { installationOf } from './sample-installation.js';

// There is no Windows here: what is made for it is checked as text.

const windows = {
  account: { name: 'S-1-5-19', uid: -1, home: '' },
  node: 'C:\\Program Files\\nodejs\\node.exe',
  cli: 'C:\\Program Files\\db-backup\\dist\\cli.js',
  config: 'C:\\ProgramData\\db & "backup"\\<app> ä.yml',
};

/** The elements of a file as a parser of XML reads it, by their names: the first text of each. */
function parsed(bytes: Buffer): Record<string, string> {
  const script =
    'import sys, json, xml.etree.ElementTree as t\n' +
    'print(json.dumps({e.tag.split("}")[1]: e.text or "" for e in reversed(list(t.fromstring(sys.stdin.buffer.read()).iter()))}))';
  return JSON.parse(execFileSync('python3', ['-c', script], { input: bytes, encoding: 'utf8' })) as Record<
    string,
    string
  >;
}

test('a task is well-formed in UTF-16, with its mark, and has each value as it is', () => {
  const bytes = utf16(taskXml(installationOf(windows), 'backup'));
  expect([...bytes.subarray(0, 4)]).toEqual([0xff, 0xfe, 0x3c, 0x00]);
  expect(parsed(bytes)).toMatchObject({
    Command: windows.node,
    Arguments:
      '"C:\\Program Files\\db-backup\\dist\\cli.js" backup --scheduled --config "C:\\ProgramData\\db & \\"backup\\"\\<app> ä.yml" --quiet',
    WorkingDirectory: 'C:\\ProgramData\\db & "backup"',
    UserId: 'S-1-5-19',
    StartBoundary: '2026-01-01T02:00:00',
    URI: '\\db-backup\\shop-backup',
    StartWhenAvailable: 'true',
    MultipleInstancesPolicy: 'IgnoreNew',
  });
});

test.each([
  ['hourly :05', { Interval: 'PT1H', Duration: 'P1D', StartBoundary: '2026-01-01T00:05:00', DaysInterval: '1' }],
  ['every 6 hours', { Interval: 'PT6H' }],
  ['daily 02:00', { DaysInterval: '1', RandomDelay: 'PT15M' }],
  ['weekly sunday 03:00', { WeeksInterval: '1', Sunday: '' }],
  ['monthly 14 05:00', { Day: '14', January: '', December: '' }],
])('%s', (when, elements) => {
  expect(parsed(utf16(taskXml(installationOf(windows, { verify: when }), 'verify')))).toMatchObject(elements);
});

test('a user with a name runs it without being logged in', () => {
  const named = installationOf({ ...windows, account: { name: 'SHOP\\backup', uid: -1, home: '' } });
  expect(parsed(utf16(taskXml(named, 'backup')))).toMatchObject({ UserId: 'SHOP\\backup', LogonType: 'S4U' });
});

test('what no XML can hold is refused', () => {
  expect(() => taskXml(installationOf({ ...windows, config: 'C:\\a\u0001.yml' }), 'backup')).toThrow(
    /not possible in a task/,
  );
});

describe('its mark', () => {
  test('is read from what Windows shows, however that escapes it', () => {
    const text = taskXml(installationOf(windows), 'backup');
    const mark = { name: 'shop', job: 'backup', config: windows.config };
    expect(markOfTask(text)?.mark).toMatchObject(mark);
    const otherwise = text.replaceAll('&#34;', '"').replaceAll('&#38;', '&amp;').replaceAll('&#60;', '&lt;');
    expect(markOfTask(otherwise)?.mark).toMatchObject(mark);
  });

  test('is not in a task of somebody else', () => {
    expect(markOfTask('<Task><Description>made by hand</Description></Task>')).toBeNull();
  });
});
