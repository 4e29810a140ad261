import { existsSync } from 'node:fs';
import { nextTimes, showCalendar } from '../schedule/calendar.js';
import { SYSTEMS } from '../schedule/installation.js';
import { isRoot, isWindows } from '../schedule/machine.js';
import type { Installed, Scheduler } from '../schedule/scheduler.js';
import { oneOf } from '../settings/value-rules.js';
import { EXIT } from './exit-status.js';
import type { Given } from './schedule-command.js';
import { all, input, ofUser, reading, say, schedulers, show, timeOf, told, warn } from './schedule-common.js';

// What `db-backup schedule` says of what is installed, and how it takes that away; each returns its exit status.

export const status = (given: Given): Promise<number> =>
  told(async () => {
    const isAsked = (name: string | null): boolean => given.name === undefined || name === null || name === given.name;
    const found = all().filter(({ one }) => isAsked(one.mark.name));
    const unclear = schedulers().flatMap((scheduler) => scheduler.unclear().filter(({ name }) => isAsked(name)));
    if (found.length === 0 && unclear.length === 0) {
      say(given.name === undefined ? 'nothing is installed' : `nothing is installed under the name ${given.name}`);
      return EXIT.suspect;
    }
    let isWell = unclear.length === 0;
    const tell = (head: string, lines: readonly string[]): void =>
      show([head, ...lines.map((line) => `  ${line}`)].join('\n'));
    for (const { one, scheduler } of found) {
      const { facts, wrong } = scheduler.state(one);
      const gone = [one.mark.node, one.mark.cli, one.mark.config].filter((path) => !existsSync(path));
      const faults = [...wrong, ...gone.map((path) => `${path} no longer exists`)];
      tell(headOf(one), [...facts, ...faults.map((fault) => `WRONG: ${fault}`)]);
      if (faults.length > 0) isWell = false;
    }
    for (const { name, where, fault } of unclear)
      tell(name === null ? where : `${name} in ${where}`, [`WRONG: ${fault.message}`, fault.hint]);
    return isWell ? EXIT.done : EXIT.suspect;
  });

export const list = (given: Given): Promise<number> =>
  told(async () => {
    for (const { fault } of schedulers().flatMap((scheduler) => scheduler.unclear())) warn(fault.message);
    for (const { one } of all()) {
      const { mark, system, where, isIntact } = one;
      const { name, job, calendar, user, config } = mark;
      const next = nextTimes(calendar, new Date(), 1)[0]?.toISOString();
      const facts = {
        name,
        job,
        calendar: showCalendar(calendar),
        next,
        with: system,
        user,
        config,
        where,
        intact: isIntact,
      };
      show(given.json ? JSON.stringify(facts) : headOf(one));
    }
    return EXIT.done;
  });

export const uninstall = (given: Given): Promise<number> =>
  told(async () => {
    const found = ours(given);
    const names = [...new Set(found.map(({ name }) => name))];
    if (given.name === undefined && names.length > 1) throw input(`--name: choose one of ${names.join(', ')}`);
    const place = onlyOne(found, names[0] ?? '');
    if (place === null) {
      const name = given.name === undefined ? '' : ` under the name ${given.name}`;
      say(`nothing to remove: nothing is installed${name}`);
    } else {
      const gone = given.dryRun ? place.heads : place.scheduler.uninstall(place.name, place.user);
      for (const one of gone) say(`${given.dryRun ? 'would remove' : 'removed'} ${one}`);
    }
    return EXIT.done;
  });

/** What is installed under one name in one place, for one user. */
interface Place {
  name: string;
  user: string;
  scheduler: Scheduler;
  /** A line for each job, or for what is unclear. */
  heads: string[];
}

/** What is ours, of that name, system and user where they are given. Throws E_INPUT, and why something can not be looked at. */
function ours({ name, with: chosen, user }: Given): Place[] {
  const wrong: string[] = [];
  const read = reading(wrong);
  const system = chosen === undefined ? null : read('with', () => oneOf(SYSTEMS)(chosen));
  const account = user === undefined ? null : read('user', () => (isWindows() ? null : ofUser(user, 'uninstall')));
  if (wrong.length > 0) throw input(...wrong);
  const places: Place[] = [];
  const add = (scheduler: Scheduler, place: Omit<Place, 'scheduler' | 'heads'>, head: string): void => {
    if ((name !== undefined && place.name !== name) || (user !== undefined && place.user !== user)) return;
    const same = places.find(
      (one) => one.name === place.name && one.user === place.user && one.scheduler === scheduler,
    );
    if (same === undefined) places.push({ ...place, scheduler, heads: [head] });
    else same.heads.push(head);
  };
  for (const scheduler of schedulers(account ?? undefined)) {
    if (system !== null && scheduler.system !== system) continue;
    for (const one of scheduler.installed()) add(scheduler, one.mark, headOf(one));
    for (const one of scheduler.unclear()) {
      if (one.name !== null) add(scheduler, { name: one.name, user: one.user }, `${one.name} in ${one.where}`);
      else if (user === undefined || one.user === user) throw one.fault;
    }
  }
  // what is for the whole system only where a user has nothing of that name for himself
  const isOwn = ({ scheduler }: Place): boolean => isRoot() || scheduler.whose !== 'the system';
  return places.filter((place) => isOwn(place) || !places.some((one) => isOwn(one) && one.name === place.name));
}

/** null: there is none. Throws E_INPUT when there are several. */
function onlyOne(places: readonly Place[], name: string): Place | null {
  const [first, ...more] = places;
  if (first === undefined || more.length === 0) return first ?? null;
  const differs = (of: (place: Place) => string): boolean => new Set(places.map(of)).size > 1;
  const options = [
    ...(differs(({ scheduler }) => scheduler.system) ? ['--with'] : []),
    ...(differs(({ user }) => user) ? ['--user'] : []),
  ];
  const each = places.map(({ scheduler, user }) => `--with ${scheduler.system} --user ${user}`);
  throw input(`${name} is installed more than once: choose with ${options.join(' and ')} one of ${each.join('; ')}`);
}

const headOf = ({ mark, system, isIntact, where }: Installed): string =>
  `${mark.name} ${mark.job}: ${showCalendar(mark.calendar)}, next ${timeOf(nextTimes(mark.calendar, new Date(), 1)[0])}, by ${mark.user} with ${system}, for ${mark.config}, in ${where}${isIntact ? '' : ', changed'}`;
