import { describe, expect, test } from '@jest/globals';
import { type Asked, parse, program } from '../../src/command-line/arguments.js';
import { readInputHelp } from '../../src/command-line/input-help.js';
import { declared, INPUT_NAMES, type InputName, isUsedBy } from '../../src/settings/declared-inputs.js';
import { COMMANDS, HAND_COMMANDS } from '../../src/settings/settings.js';

async function asked(...argv: string[]): Promise<Asked> {
  let found: Asked | undefined;
  const status = await parse(argv, new Map(), async (one) => {
    found = one;
    return 0;
  });
  expect(status).toBe(0);
  if (found === undefined) throw new Error('nothing was asked for');
  return found;
}
const inputsOf = async (...argv: string[]) =>
  Object.fromEntries([...(await asked(...argv)).inputs].map(([name, given]) => [name, given()]));

const help = await readInputHelp();
const root = program(
  help,
  async () => 0,
  [],
  () => {},
);

test('every command is there, and each of its inputs as an option with its help, or as what stands behind it', () => {
  expect(root.commands.map((one) => one.name()).filter((name) => name !== 'help')).toEqual([
    ...COMMANDS,
    ...HAND_COMMANDS,
  ]);
  for (const command of root.commands.filter((one) => one.name() !== 'help')) {
    const name = [...COMMANDS, ...HAND_COMMANDS].find((one) => one === command.name());
    if (name === undefined) throw new Error(command.name());
    const behind: string[] = command.registeredArguments.map((one) => (one.name() === 'reason' ? 'pin' : one.name()));
    const options = new Map(command.options.map((one) => [one.long?.slice(2) ?? '', one]));
    for (const input of INPUT_NAMES) {
      const isOne = isUsedBy(input, name) && !['command', 'summary', 'ledger', ...behind].includes(input);
      expect({ name, input, is: options.has(input) }).toEqual({ name, input, is: isOne });
      if (!isOne) continue;
      expect(options.get(input)?.hidden).toBe(declared[input].secret === true);
      if (declared[input].secret) expect(command.description()).not.toContain(input);
      else expect(options.get(input)?.description).toContain(help.get(input));
    }
    expect([...options.keys()]).toEqual(expect.arrayContaining(['config', 'target', 'json', 'quiet', 'scheduled']));
  }
});

test('the help of each input is that of action.yml, without marks', () => {
  expect([...help.keys()]).toEqual([...INPUT_NAMES]);
  for (const text of help.values()) expect(text).toMatch(/^[^`]{20,}$/s);
  expect(help.get('port')).toContain('(default: 22)');
});

describe('what is given', () => {
  test.each<[string[], Record<string, string>]>([
    [['backup', '--database', '/x', '--port=2222'], { database: '/x', port: '2222' }],
    [['backup', '--dry-run'], { 'dry-run': 'true' }],
    [['backup', '--dry-run', 'false', '--summary-of=x'].slice(0, 3), { 'dry-run': 'false' }],
    [['restore', 'latest', '--confirm', 'x'], { backup: 'latest', confirm: 'x' }],
    [['restore'], {}],
    [['pin', 'app-1', 'for ever'], { backup: 'app-1', pin: 'for ever' }],
    [['backup', '--exclude-table', 'a', '--exclude-table', 'b'], { 'exclude-table': 'a\nb' }],
    [['backup', '--database', '-x'], { database: '-x' }],
  ])('%j', async (argv, expected) => {
    expect(await inputsOf(...argv)).toEqual(expected);
  });

  test('what is no input', async () => {
    const argv = ['list', '--config', 'c.yml', '--target', 'a', '--target', 'b', '--json', '--quiet', '--scheduled'];
    expect(await asked(...argv)).toMatchObject({
      ...{ command: 'list', config: 'c.yml', targets: ['a', 'b'], json: true, quiet: true, scheduled: true },
    });
    expect(await asked('list')).toMatchObject({
      config: null,
      targets: [],
      json: false,
      quiet: false,
      scheduled: false,
    });
  });

  test.each([
    ['--keep', ''],
    ['--directory', ' '],
    ['--dry-run', ''],
  ])('%s %j, as of a variable that is not set, is wrong', async (option, text) => {
    const { inputs } = await asked('backup', option, text);
    expect(inputs.get(option.slice(2) as InputName)).toThrow('the option is empty');
  });

  test.each([
    'postgres://app:hunter2@db/app',
    'postgresql://app@db/app?sslmode=require&password=hunter2',
    'host=db password=hunter2',
  ])('a password in %j is told how to be given instead', async (text) => {
    const { inputs } = await asked('backup', '--database', text);
    expect(inputs.get('database')).toThrow(/^the option holds a password, .*: set DB_BACKUP_DATABASE instead/);
    expect(inputs.get('database')).not.toThrow('hunter2');
    expect((await asked('backup', '--database', 'postgres://app@db/app')).inputs.get('database')).not.toThrow();
  });

  test('one that can be given once, twice', async () => {
    const { inputs } = await asked('backup', '--database', 'a', '--database', 'b');
    expect(inputs.get('database')).toThrow('it is given more than once');
  });
});

test.each(INPUT_NAMES.filter((name) => declared[name].secret))(
  '--%s is refused, and told how instead, never shown',
  async (name) => {
    const [command = 'backup'] = declared[name].usedBy;
    for (const argv of [[`--${name}`, 'hunter2'], [`--${name}=hunter2`], [`--${name}`]]) {
      const { inputs } = await asked(command, ...argv);
      expect(inputs.get(name)).toThrow(
        /^a secret cannot be an option, .*: set DB_BACKUP_[A-Z0-9_]+, or DB_BACKUP_[A-Z0-9_]+_FILE/,
      );
      expect(inputs.get(name)).not.toThrow('hunter2');
    }
  },
);

describe('mistakes are told, with what was meant, and nothing is done', () => {
  test.each<[string, string[]]>([
    ['a command', ['bakcup']],
    ['an option', ['backup', '--databse', 'x']],
    ['a secret', ['backup', "--s3-secret-acces-key=hunter2'\nx"]],
    ['no value', ['backup', '--database']],
    ['too many words', ['list', 'x']],
    ['too few', ['pin', 'app-1']],
    ['nothing at all', []],
  ])('%s', async (_, argv) => {
    const write = process.stderr.write;
    let said = '';
    process.stderr.write = (text: string | Uint8Array) => {
      said += String(text);
      return true;
    };
    try {
      expect(await parse(argv, new Map(), () => Promise.reject(new Error('it was carried out')))).toBe(2);
    } finally {
      process.stderr.write = write;
    }
    expect(said).toContain('db-backup');
    expect(said).not.toContain('hunter2');
  });
});
