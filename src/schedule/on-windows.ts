import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BackupError } from '../errors.js';
import { call, type Said } from './machine.js';
import type { Installed, Scheduler } from './scheduler.js';
import { markOfTask, taskName, taskXml, utf16 } from './task-xml.js';

/** The Task Scheduler of Windows, by its own program. What is here was not run: there is no Windows where this is tested. */
export function onWindows(): Scheduler {
  return {
    system: 'task-scheduler',
    whose: 'this machine',
    pieces: (wanted) =>
      [...wanted.jobs.keys()].map((job) => ({
        where: `the task ${taskName(wanted.name, job)}`,
        text: taskXml(wanted, job),
      })),

    install(wanted) {
      for (const job of wanted.jobs.keys()) {
        const there = call('schtasks', ['/query', '/tn', taskName(wanted.name, job), '/xml']);
        if (there.status !== 0 || markOfTask(there.stdout.toString('utf8')) !== null) continue;
        throw new BackupError(
          'E_INPUT',
          `the task ${taskName(wanted.name, job)} already exists, and was not made by db-backup`,
          'Choose another --name.',
        );
      }
      const folder = mkdtempSync(join(tmpdir(), 'db-backup-'));
      try {
        for (const job of wanted.jobs.keys()) {
          const file = join(folder, `${job}.xml`);
          writeFileSync(file, utf16(taskXml(wanted, job)), { flag: 'wx' });
          done(call('schtasks', ['/create', '/tn', taskName(wanted.name, job), '/xml', file, '/f']));
        }
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
      remove(installed().filter(({ mark }) => mark.name === wanted.name && !wanted.jobs.has(mark.job)));
      return [];
    },

    installed,
    unclear: () => [],
    uninstall: (name, user) => remove(installed().filter(({ mark }) => mark.name === name && mark.user === user)),
    state: ({ where }) => {
      const { status, stdout } = call('schtasks', ['/query', '/tn', where, '/fo', 'list', '/v']);
      const facts = stdout.toString('utf8').split(/\r?\n/);
      return {
        facts: facts.filter((line) => line.trim() !== ''),
        wrong: status === 0 ? [] : ['it cannot be queried'],
      };
    },
  };
}

function installed(): Installed[] {
  const { stdout } = call('schtasks', ['/query', '/fo', 'csv', '/nh']);
  const names = [...stdout.toString('utf8').matchAll(/^"(\\db-backup\\[^"]+)"/gm)].map(([, name = '']) => name);
  return [...new Set(names)].flatMap((where) => {
    const read = markOfTask(call('schtasks', ['/query', '/tn', where, '/xml']).stdout.toString('utf8'));
    // Windows writes the text anew, so that nothing tells whether somebody has changed it
    return read === null ? [] : [{ system: 'task-scheduler' as const, mark: read.mark, where, isIntact: true }];
  });
}

function remove(found: readonly Installed[]): string[] {
  for (const { where } of found) done(call('schtasks', ['/delete', '/tn', where, '/f']));
  return found.map(({ where }) => `the task ${where}`);
}

function done({ status, stderr }: Said): void {
  if (status === 0) return;
  throw new BackupError(
    'E_PERM',
    `schtasks failed: ${stderr || `status ${status}`}`,
    "Run it from an administrator's prompt.",
  );
}
