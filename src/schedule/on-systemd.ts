import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BackupError } from '../errors.js';
import type { Account, Job } from './installation.js';
import { call, runsSystemd } from './machine.js';
import { expectOurs, isOurs, readMarked, removeFile, writeWhole } from './marked-files.js';
import type { Installed, Scheduler, State } from './scheduler.js';
import { type Scope, unitName, unitsOf } from './systemd-units.js';

const SYSTEM_UNITS = '/etc/systemd/system';

/** Timers of the system, or those of one user, who is the one who calls. */
export function onSystemd(scope: Scope, { name: user, home }: Account): Scheduler {
  const folder =
    scope === 'system' ? SYSTEM_UNITS : join(process.env.XDG_CONFIG_HOME || join(home, '.config'), 'systemd', 'user');
  const owner = scope === 'system' ? null : user;
  const scoped = (...args: string[]): string[] => [...(scope === 'user' ? ['--user'] : []), ...args];

  function systemctl(...args: string[]): void {
    const { status, stderr } = call('systemctl', scoped(...args));
    if (status === 0) return;
    const noBus = scope === 'user' && /connect to (?:user scope )?bus/i.test(stderr);
    throw new BackupError(
      'E_PERM',
      `systemctl ${args.join(' ')} failed: ${stderr || `status ${status}`}`,
      noBus
        ? `Log in as ${user} directly (not with su or sudo) to reach its systemd. Or install it as root: sudo db-backup schedule install --user ${user}.`
        : 'To remove what was already written, run `db-backup schedule uninstall`.',
    );
  }

  /** Of both files of a unit; one alone is ours as well. */
  function installed(): Installed[] {
    const units = namesIn(folder).flatMap((file) => /^(db-backup-.+)\.(?:timer|service)$/.exec(file)?.[1] ?? []);
    return [...new Set(units)].sort().flatMap((unit) => {
      const ours = filesOf(unit).flatMap((file) => {
        const read = readMarked(file);
        // a copy under another name is somebody else's
        if (read === null || read === 'foreign' || unitName(read.mark.name, read.mark.job) !== unit) return [];
        return [{ ...read, where: file }];
      });
      const [first] = ours;
      if (first === undefined) return [];
      const isIntact = ours.length === 2 && ours.every((one) => one.isIntact);
      return [{ system: 'systemd' as const, mark: first.mark, where: first.where, isIntact }];
    });
  }

  const filesOf = (unit: string): string[] => [join(folder, `${unit}.timer`), join(folder, `${unit}.service`)];

  function remove(units: readonly string[]): string[] {
    const ours = units.flatMap(filesOf).filter(isOurs);
    const timers = ours.filter((file) => file.endsWith('.timer')).map((file) => basename(file));
    if (timers.length > 0) systemctl('disable', ...(runsSystemd() ? ['--now'] : []), ...timers);
    for (const file of ours) removeFile(file, owner);
    return ours;
  }

  function reload(): void {
    if (runsSystemd()) systemctl('daemon-reload');
  }

  return {
    system: 'systemd',
    whose: scope === 'system' ? 'the system' : user,
    installed,
    unclear: () => [],
    pieces: (wanted) => unitsOf(wanted, scope).map(({ file, text }) => ({ where: join(folder, file), text })),

    install(wanted) {
      const units = unitsOf(wanted, scope);
      for (const { file } of units) expectOurs(join(folder, file));
      reload(); // fails where nobody can be asked, before anything is written
      const timers = units.map(({ file }) => file).filter((file) => file.endsWith('.timer'));
      const gone = installed().filter(({ mark }) => mark.name === wanted.name && !wanted.jobs.has(mark.job));
      remove(gone.map(({ mark }) => unitName(mark.name, mark.job)));
      for (const { file, text } of units) writeWhole(join(folder, file), text, owner);
      reload();
      systemctl('enable', ...timers);
      const [first = ''] = timers;
      const now = `to run it now: systemctl ${scoped('start', first.replace(/timer$/, 'service')).join(' ')}`;
      if (!runsSystemd()) return ['systemd is not running here: the timers start at the next boot'];
      systemctl('restart', ...timers);
      if (scope === 'system' || existsSync(join('/var/lib/systemd/linger', user))) return [now];
      return [
        now,
        `the timers run only while ${user} is logged in; to run them always: loginctl enable-linger ${user}`,
      ];
    },

    uninstall(name, of) {
      const ours = installed().filter(({ mark }) => mark.name === name && mark.user === of);
      const units = ours.map(({ mark }) => unitName(name, mark.job));
      if (units.length === 0) return [];
      const removed = remove(units);
      reload();
      // one that has failed would be shown for ever
      if (runsSystemd()) call('systemctl', scoped('reset-failed', ...units.map((unit) => `${unit}.service`)));
      return removed;
    },

    state: ({ mark, isIntact }) => {
      const changed = isIntact ? [] : ['its files were changed after installation: install it again'];
      if (!runsSystemd()) return { facts: [], wrong: [...changed, 'systemd is not running here'] };
      const { facts, wrong } = stateOf(
        (unit, properties) => show(scoped('show', '-p', properties, unit)),
        mark.name,
        mark.job,
      );
      return { facts, wrong: [...changed, ...wrong] };
    },
  };
}

/** None where it is not there, or not for this user to look into. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function show(args: string[]): Map<string, string> {
  const lines = call('systemctl', args).stdout.toString('utf8').split('\n');
  return new Map(lines.map((line) => [line.replace(/=.*$/, ''), line.replace(/^[^=]*=/, '')]));
}

function stateOf(ask: (unit: string, properties: string) => Map<string, string>, name: string, job: Job): State {
  const unit = unitName(name, job);
  const timer = ask(`${unit}.timer`, 'ActiveState,UnitFileState,NextElapseUSecRealtime,LastTriggerUSec');
  const service = ask(`${unit}.service`, 'ActiveState,Result,ExecMainStatus,ExecMainExitTimestamp');
  const last = service.get('ExecMainExitTimestamp') ?? '';
  const result = service.get('Result') ?? '';
  const isRunning = service.get('ActiveState') === 'activating';
  const wrong: string[] = [];
  if (timer.get('ActiveState') !== 'active') wrong.push('its timer is not active');
  if (timer.get('UnitFileState') !== 'enabled') wrong.push('its timer is not enabled, and does not start at boot');
  if (!isRunning && result !== '' && result !== 'success') {
    wrong.push(`its last run failed: ${result}, status ${service.get('ExecMainStatus') ?? 'unknown'}`);
  }
  const facts = [
    isRunning ? 'running now' : last === '' ? 'has not run since the last boot' : `last run ended ${last}`,
    `next ${timer.get('NextElapseUSecRealtime') || 'unknown'}`,
  ];
  return { facts, wrong };
}
