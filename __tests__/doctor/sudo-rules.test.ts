import { describe, expect, test } from '@jest/globals';
import { asksNothing, inSudoers, plainCommand } from '../../src/doctor/sudo-rules.js';

describe('a command of the user as words', () => {
  test.each([
    ['systemctl stop shop', { sudo: null, words: ['systemctl', 'stop', 'shop'] }],
    ['sudo systemctl stop shop', { sudo: '', words: ['systemctl', 'stop', 'shop'] }],
    ['sudo -n  -u app -- /opt/app/stop --now', { sudo: 'app', words: ['/opt/app/stop', '--now'] }],
    ['sudo -H -n systemctl stop shop@1.service', { sudo: '', words: ['systemctl', 'stop', 'shop@1.service'] }],
  ])('%s', (text, expected) => {
    expect(plainCommand(text)).toEqual(expected);
  });

  test.each([
    'stop; start',
    'stop && start',
    'a | b',
    'a\nb',
    'echo "$HOME"',
    '$(stop)',
    '`stop`',
    'stop *',
    'sudo -i stop',
    'sudo VAR=1 stop',
    'VAR=1 stop',
    'sudo',
    'sudo -u app',
    'echo a > b',
    "sh -c 'stop'",
  ])('%j is more than that', (text) => {
    expect(plainCommand(text)).toBeNull();
  });
});

describe('what sudo lets somebody do', () => {
  const list = (...rules: string[]) =>
    [
      'Matching Defaults entries for deploy on db:',
      '    env_reset, secure_path=/usr/sbin\\:/usr/bin',
      '',
      'User deploy may run the following commands on db:',
      ...rules.map((rule) => `    ${rule}`),
    ].join('\n');
  const STOP = ['systemctl', 'stop', 'shop'];

  test.each([
    [['(root) NOPASSWD: /usr/bin/systemctl stop shop'], true],
    [['(root) /usr/bin/systemctl stop shop'], false],
    [['(root) NOPASSWD: /usr/bin/systemctl'], true],
    [['(ALL : ALL) ALL'], false],
    [['(ALL) NOPASSWD: ALL'], true],
    [['(ALL) ALL', '(root) NOPASSWD: /usr/bin/systemctl stop shop'], true],
    [['(root) NOPASSWD: /usr/bin/systemctl stop shop', '(ALL) ALL'], false], // the last one counts
    [['(root) NOPASSWD: /usr/bin/true, PASSWD: /usr/bin/systemctl stop shop'], false],
    [['(root) NOPASSWD: /usr/bin/true, /usr/bin/systemctl stop shop'], true],
    [['(root) NOPASSWD: SETENV: /usr/bin/true,\n        /usr/bin/systemctl stop shop'], true],
    [['(root) NOPASSWD: /usr/bin/systemctl stop *'], null],
    [['(root) NOPASSWD: /usr/bin/systemctl start shop'], null],
    [[], null],
  ])('%j: without a password %s', (rules, expected) => {
    expect(asksNothing(list(...rules), 'root', '/usr/bin/systemctl', STOP)).toBe(expected);
  });

  test('a rule for another user is none', () => {
    const rules = list('(ALL : ALL) ALL', '(nobody) NOPASSWD: ALL');
    expect(asksNothing(rules, 'root', '/usr/bin/systemctl', STOP)).toBe(false);
    expect(asksNothing(rules, 'nobody', '/usr/bin/systemctl', STOP)).toBe(true);
    expect(asksNothing(list('(app, root) NOPASSWD: ALL'), 'root', '/usr/bin/systemctl', STOP)).toBe(true);
  });

  test.each(['%wheel', 'ALL, !root', '#0'])('(%s) is not read', (as) => {
    expect(asksNothing(list(`(${as}) NOPASSWD: ALL`), 'root', '/usr/bin/systemctl', STOP)).toBeNull();
  });

  test('who never has to give a password by the defaults', () => {
    const rules = list('(ALL) ALL', '(root) PASSWD: /usr/bin/false').replace('env_reset,', 'env_reset, !authenticate,');
    expect(asksNothing(rules, 'root', '/usr/bin/systemctl', STOP)).toBe(true);
    expect(asksNothing(rules, 'root', '/usr/bin/false', ['false'])).toBe(false);
  });

  test('a command without arguments is allowed without any alone', () => {
    expect(inSudoers(['/usr/bin/ls'])).toBe('/usr/bin/ls ""');
    expect(asksNothing(list('(root) NOPASSWD: /usr/bin/ls ""'), 'root', '/usr/bin/ls', ['ls'])).toBe(true);
    expect(asksNothing(list('(root) NOPASSWD: /usr/bin/ls ""'), 'root', '/usr/bin/ls', ['ls', '-l'])).toBeNull();
  });

  test('what sudoers escapes', () => {
    const words = ['/usr/bin/set', 'a=b', '10:20', 'x,y'];
    expect(inSudoers(words)).toBe('/usr/bin/set a\\=b 10\\:20 x\\,y');
    expect(asksNothing(list(`(root) NOPASSWD: ${inSudoers(words)}`), 'root', '/usr/bin/set', words)).toBe(true);
  });
});
