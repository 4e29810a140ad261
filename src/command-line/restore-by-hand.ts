import { quoteOutside } from '../reporting/neutralise.js';
import type { BackupFacts, Report } from '../reporting/report.js';
import type { InputName } from '../settings/declared-inputs.js';
import type { Command } from '../settings/settings.js';
import { catalogueLines } from './catalogue.js';
import { type Conversation, Left } from './conversation.js';
import { EXIT, exitStatusOf } from './exit-status.js';

/** How many backups are shown at once. */
const PAGE = 20;
const MOST_TRIES = 3;

/** What a restore by hand is made of. */
export interface ByHand {
  conversation: Conversation;
  /**
   * One run, with these inputs besides those that were given. `isAside`: it is not what was asked for, and tells of warnings alone.
   * `asksNext`: what to type after it need not be told.
   */
  run(
    command: Command,
    inputs: Partial<Record<InputName, string>>,
    isAside: boolean,
    asksNext?: boolean,
  ): Promise<Report>;
  /** `confirm` was given as an option, by somebody who knew what would be replaced. */
  isConfirmed: boolean;
  now: () => Date;
}

/** Which backup, what that would do, whether it is meant, then the restore. The exit status. */
export async function restoreByHand(by: ByHand): Promise<number> {
  const { conversation, run, isConfirmed } = by;
  try {
    const list = await run('list', {}, true);
    if (!list.ok) return exitStatusOf(list);
    const id = await choose(by, list);
    if (id === null) return EXIT.failed;
    const plan = await run('restore', { backup: id, 'dry-run': 'true' }, false, !list.dryRun);
    if (!plan.ok || list.dryRun) return exitStatusOf(plan);
    if (isConfirmed) return exitStatusOf(await run('restore', { backup: id }, false));
    const confirm = await confirmed(conversation, plan);
    if (confirm === null) return EXIT.input;
    return exitStatusOf(await run('restore', { backup: id, confirm }, false));
  } catch (error) {
    if (!(error instanceof Left)) throw error;
    conversation.sayUnchanged();
    return EXIT.cancelled;
  }
}

/** One of several, by its number or name. Throws Left. */
export async function chooseDatabase(conversation: Conversation, names: readonly string[]): Promise<string> {
  conversation.say(`Which database?\n\n${names.map((name, at) => `  ${at + 1}  ${name}`).join('\n')}\n`);
  for (;;) {
    const answer = await conversation.ask('A number or a name; q ends: ');
    if (answer === 'q') throw new Left();
    const chosen = names.includes(answer) ? answer : numbered(answer, names);
    if (chosen !== null) return chosen;
    conversation.say(answer === '' ? 'Please choose one.' : `There is no ${shown(answer)}.`);
  }
}

/** The id; null: there is none. Throws Left. */
async function choose(
  { conversation, now }: ByHand,
  { backups, name, directory, latest }: Report,
): Promise<string | null> {
  if (backups.length === 0) {
    conversation.say(
      `There is no backup of ${name} in ${directory}. To restore one from a store, give its id or its location: db-backup restore s3://...`,
    );
    return null;
  }
  const newest = backups.findIndex(({ id }) => id === latest);
  conversation.say(`\nBackups of ${name} in ${directory}, newest first:\n`);
  let shownTo = page(conversation, backups, 0, now());
  for (;;) {
    const hasMore = shownTo < backups.length;
    const keys = [
      newest < 0 ? 'none of them is good' : `Enter takes ${newest + 1}, the newest good one`,
      ...(hasMore ? ['m shows older ones'] : []),
      'q ends',
    ];
    const answer = await conversation.ask(`${keys.join('; ')}\nWhich one (a number or an id)? `);
    if (answer === 'q') throw new Left();
    if (answer === 'm' && hasMore) {
      shownTo = page(conversation, backups, shownTo, now());
      continue;
    }
    const chosen =
      answer === '' ? backups[newest] : (backups.find(({ id }) => id === answer) ?? numbered(answer, backups));
    if (chosen) return chosen.id;
    conversation.say(answer === '' ? 'None is good, so choose one.' : `There is no ${shown(answer)} here.`);
  }
}

/** Returns how many have been shown by then. */
function page(conversation: Conversation, backups: readonly BackupFacts[], from: number, now: Date): number {
  const some = backups.slice(from, from + PAGE);
  const left = backups.length - from - some.length;
  conversation.say(`${catalogueLines(some, from + 1, now).join('\n')}\n${left === 0 ? '' : `\n  and ${left} older\n`}`);
  return from + some.length;
}

const numbered = <T>(answer: string, all: readonly T[]): T | null =>
  /^[1-9]\d{0,5}$/.test(answer) ? (all[Number(answer) - 1] ?? null) : null;

/** What was typed, when it is the name of the database; null: it never was. Throws Left. */
async function confirmed(conversation: Conversation, { restore }: Report): Promise<string | null> {
  const expected = restore?.targetName ?? '';
  conversation.say(`\nThis replaces ${restore?.target ?? ''}, as the plan above says.`);
  for (let tries = 1; tries <= MOST_TRIES; tries++) {
    const answer = await conversation.ask(`Type the name of the database to go on (${expected}): `);
    if (answer === expected) return answer;
    conversation.say(`That is not its name: expected ${expected}, got ${answer === '' ? 'nothing' : shown(answer)}.`);
  }
  conversation.sayUnchanged();
  return null;
}

const shown = (answer: string): string => quoteOutside(JSON.stringify(answer), 100);
