import { expect, test } from '@jest/globals';
import { markLine, readMark } from '../../src/schedule/mark.js';
import { installationOf } from './sample-installation.js';

test('says what it was made for, in one line of ASCII whatever the paths are', () => {
  const config = '/etc/ä\n[Service]\u2028"\'\\😀.yml';
  const line = markLine(installationOf({ config }), 'backup', 'text');
  expect(line).toMatch(/^made by db-backup [ -~]*$/);
  const read = readMark(`# ${line}`);
  expect(read?.mark).toMatchObject({ name: 'shop', job: 'backup', user: 'app', config });
  expect([read?.isIntact('text'), read?.isIntact('text ')]).toEqual([true, false]);
});

const line = markLine(installationOf(), 'backup', '');
test.each([
  ['# made by hand'],
  ['# made by db-backup'],
  [line.slice(0, -1)],
  [line.replace('"shop"', '"../shop"')],
  [line.replace('"shop"', '7')],
  [line.replace('"job":"backup"', '"job":"restore"')],
  [line.replace('"job":"backup"', '"job":"__proto__"')],
  [line.replace('daily', 'sometimes')],
  [line.replace(/"sum":"\w+"/, '"sum":null')],
])('%s is none', (text) => {
  expect(readMark(text)).toBeNull();
});
