import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const program = ['session', 'stream', 'elsewhere', 'encryption', 'lock']
  .map((name) => readFileSync(new URL(`../../src/host/programs/${name}.sh`, import.meta.url), 'utf8'))
  .join('\n');
const SHELLS = [['dash'], ['bash'], ['busybox', 'sh'], ['mksh'], ['ksh93']];

test.each(SHELLS)(
  'a folder whose session has not said yet whose it is belongs to somebody, under %s %s',
  (...words) => {
    const [shell = '', ...args] = words.filter((word) => typeof word === 'string');
    const folder = mkdtempSync(join(tmpdir(), 'dbb-temporary-'));
    const made = (name: string, session: string | null, age = 0): string => {
      const path = join(folder, `db-backup.${name}`);
      mkdirSync(path);
      if (session !== null) writeFileSync(join(path, 'session'), session);
      utimesSync(path, Date.now() / 1000 - age, Date.now() / 1000 - age);
      return path;
    };
    const day = 2 * 86_400;
    const young = [made('aaaaaa', null), made('bbbbbb', ''), made('cccccc', '123')];
    const dead = made('dddddd', '999999 1\n');
    const old = [made('eeeeee', null, day), made('ffffff', '', day)];
    // who works there already
    const worker = spawn('sleep', ['60'], { cwd: young[1], stdio: 'ignore' });
    try {
      const script = `mark=mark program=''\n${program}\nTMPDIR=${folder}\n(sweep_temporary)\n`;
      const { stderr } = spawnSync(shell, [...args, '-c', script], { cwd: '/', encoding: 'utf8' });
      expect(stderr).toBe('');
      expect([...young, dead, ...old].map((path) => existsSync(path))).toEqual([true, true, true, false, false, false]);
      expect(existsSync(`/proc/${worker.pid}/cwd`)).toBe(true);
    } finally {
      worker.kill();
      rmSync(folder, { recursive: true });
    }
  },
);
