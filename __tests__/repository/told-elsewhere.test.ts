import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { Engine } from '../../src/engines/engine.js';
import { ENGINES } from '../../src/engines/lookup.js';
import { COMMON, TOLD_ELSEWHERE, tellsElsewhere } from '../../src/host/program.js';

// What is taken from another user or a container (the engine's record, `elsewhere`) is what the programs tell there and nothing else: the
// functions that are started there, all that they may come to, and what those put.

/** Functions that start another one elsewhere, as they are called. */
const STARTS =
  /\b(?:elsewhere|restore_there|feed "\$payload"|feed_load|(?:step_)?at_target|feed_target|step_physical|live E_[A-Z_]+ '[^']*') ([a-z_]+)/g;
/** Whose name is a word of sentences as well; it is of the backup directory. */
const WORDS = ['look'];
/** Texts, and SQL but for what the shell puts in there. */
const SENTENCE = /\b(put note|fail E_\w+|failed E_\w+|leave_unchanged E_\w+) ("[^"$]*|'[^']*)/g;
const SQL = /<<SQL$[\s\S]*?^SQL$/gm;
/** What the functions tell that make their lines by sed. */
const EACH: Record<string, string[]> = {
  tell_counted: ['set rows'],
  tell_restored: ['restored', 'set restored_uncounted'],
  swap_failed: ['set session'],
  tell_wal: ['set wal', 'set history'],
  count_cluster: ['restored'],
};

const shellOf = ({ programs }: Engine): string =>
  [...COMMON, ...programs].map((file) => readFileSync(file, 'utf8')).join('\n');

/** Functions with what stands in them, without comments. */
const functionsOf = (shell: string): Map<string, string> =>
  new Map(
    [...shell.matchAll(/^([a-z_]+)\(\) (?:\{\n([\s\S]*?)^\}$|(.*)$)/gm)].map(([, name = '', long, short = '']) => [
      name,
      (long ?? short).replace(/(^|\s)#.*$/gm, ''),
    ]),
  );

/** Every function that one which is started elsewhere may come to: each whose name stands in it as a word. */
function reached(shell: string): Map<string, string> {
  const functions = functionsOf(shell);
  const found = new Map<string, string>();
  const next = [...functions.values()].flatMap((body) => [...body.matchAll(STARTS)].map(([, name = '']) => name));
  for (let name = next.pop(); name !== undefined; name = next.pop()) {
    const body = functions.get(name);
    if (body === undefined || found.has(name) || WORDS.includes(name)) continue;
    found.set(name, body);
    const code = body
      .replace(SENTENCE, '$1 ')
      .replace(SQL, (sql) => (sql.match(/\$\([a-z_]+/g) ?? []).map((call) => call.slice(2)).join('\n'));
    for (const [word] of code.matchAll(/(?<![\w$./'-]|\$\{)[a-z_]+(?![\w=:./'*-])/g)) next.push(word);
  }
  return found;
}

/** The keys of `postgres_fact`, the lines that are taken from a server: alternatives of KEY VALUE, or (KEY|KEY) VALUE. */
function factsOf(shell: string): string[] {
  const parts = [...shell.matchAll(/^postgres_fact=["'](?:\$postgres_fact\|)?(.*)["']$/gm)].map(([, part]) => part);
  const keys = parts.join('|').replace('foreign_(table|object)', 'foreign_table|foreign_object');
  return [...keys.matchAll(/(?:^|\|)(?:\(([a-z_|]+)\) [[(]|([a-z_]+)[ (])/g)].flatMap(([, several, one = '']) =>
    (several ?? one).split('|'),
  );
}

function told(shell: string): string[] {
  const all = new Set<string>();
  for (const [name, body] of reached(shell)) {
    for (const [, key = ''] of body.matchAll(
      /(?:^|[;{&|)]|then|else|do) *(?:put|put_file) "?([a-z_$]+)"? ["$a-z0-9]/gm,
    )) {
      if (key !== '$') all.add(`set ${key.replace('$nth', 'N')}`);
    }
    for (const [, event = ''] of body.matchAll(/\bemit (?!set |begin )("?[a-z$]+"?)/g)) {
      if (event === '"$rows"') ['rows', 'restored'].map((one) => all.add(one));
      else if (/^[a-z]/.test(event)) all.add(event);
    }
    if (name === 'tell_facts') for (const key of factsOf(shell)) all.add(`set ${key}`);
    else if (/\bemit_each\b/.test(body)) for (const line of EACH[name] ?? [`by ${name}`]) all.add(line);
  }
  return [...all].sort();
}

describe.each(Object.entries(ENGINES))('%s', (_, engine) => {
  test('what its programs tell from there is what is taken from there', () => {
    const shell = shellOf(engine);
    expect([...reached(shell).keys()]).toEqual(expect.arrayContaining(['enter_place', 'check_space', 'fail']));
    for (const ours of ['take_lock', 'list_backups', 'sweep', 'check_payload', 'store', 'read_back', 'leave']) {
      expect(reached(shell).has(ours)).toBe(false);
    }
    expect([...TOLD_ELSEWHERE, ...(engine.elsewhere ?? [])].sort()).toEqual(told(shell));
  });

  test.each([
    ...['done', 'bye', 'gone', 'hello', 'progress', 'set', 'set ', 'begin', ''],
    ...[
      'set sha256',
      'set bytes',
      'set published',
      'set deleted',
      'set manifest',
      'set manifest app.json',
      'set journal',
    ],
    ...['set journal_file', 'set directory', 'set user', 'set container_engine', 'set dump_path', 'set command_status'],
    ...[
      'set Note',
      'set note ',
      'xset note',
      'set assert_',
      'set assert_0',
      'set assert_N',
      'set assert_1x',
      'set unheard_of',
    ],
  ])('it can not tell %j', (line) => {
    expect(tellsElsewhere(engine)(line)).toBe(false);
  });
});

test('a number is taken where there is one', () => {
  const tells = tellsElsewhere({ programs: [], elsewhere: ['set assert_N'] });
  expect(['set assert_1', 'set assert_20', 'set assert_01', 'set assert_x'].map(tells)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test('an engine that says nothing of it tells nothing of its own', () => {
  expect(tellsElsewhere({ programs: [] })('set source_bytes')).toBe(false);
  expect(tellsElsewhere({ programs: [] })('set failure')).toBe(true);
});
