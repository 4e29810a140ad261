import { describe } from '../errors.js';
import { type InputName, isUsedBy } from '../settings/declared-inputs.js';
import { HAND_COMMANDS } from '../settings/settings.js';
import { asking, eachOf, refuseTwins } from './all-databases.js';
import type { Asked } from './arguments.js';
import type { Config, Target } from './config.js';
import { variableOf } from './environment.js';
import { type Inputs, literally } from './given.js';

// Which databases a command is about, and with which inputs.

/** Without a configuration the one database is what options and variables say. */
const ALONE: Target = { name: '', inputs: new Map(), elsewhere: [] };

/** Commands that are about one backup, of one database. */
const ONE: readonly string[] = ['restore', 'accept', 'delete', 'pin', 'unpin', ...HAND_COMMANDS];
/** What makes one database of several. */
const OWN: readonly InputName[] = ['database', 'name', 'database-password', 'backup', 'restore-to'];
/** The password of a server is that of all its databases. */
const OF_ONE_SERVER = OWN.filter((name) => name !== 'database-password');
/** What makes one of those of a server. */
const OF_SERVER: readonly InputName[] = ['database', 'name'];

/** The databases that are meant, and what is wrong with that; one at least, so that all the rest is told as well. */
export function choose(
  asked: Asked,
  config: Config | null,
  variables: Inputs,
): { targets: readonly Target[]; wrong: string[] } {
  const wrong = [...(config?.wrong ?? [])];
  if (asked.command === 'extract' && asked.json && !asked.options.has('output'))
    wrong.push('--json: with extract it needs --output, because the rows go to stdout');
  if (config === null) {
    if (asked.targets.length > 0)
      wrong.push('--target: there is no configuration to choose a database from; name it with --config');
    return { targets: [ALONE], wrong };
  }
  const names = config.targets.map(({ name, all }) => (all ? `${name}-DATABASE` : name)).join(', ');
  const isOne = (name: string): boolean => config.targets.some((target) => target.name === name);
  for (const name of asked.targets) {
    if (config.targets.length > 0 && !isOne(name) && !config.targets.some((target) => isBelow(target)(name))) {
      wrong.push(`--target: there is no ${JSON.stringify(name)} in ${config.path}, which has ${names}`);
    }
  }
  const targets = config.targets.filter(
    (target) => isWhole(asked, target) || asked.targets.some((name) => !isOne(name) && isBelow(target)(name)),
  );
  const servers = targets.filter(({ all }) => all);
  const isServer = servers.some((target) => isWhole(asked, target));
  const several = targets.length > 1 || isServer || asked.targets.length > 1;
  if (several && ONE.includes(asked.command)) {
    wrong.push(`--target: ${asked.command} takes one database: choose one of ${names}`);
  }
  const own = targets.length > 1 ? OWN : isServer ? OF_ONE_SERVER : servers.length > 0 ? OF_SERVER : [];
  wrong.push(...givenForAll(own, targets, asked, variables));
  if (wrong.length > 0) return { targets: [targets[0] ?? ALONE], wrong };
  return { targets, wrong };
}

/** What is said of inputs that make one database, and are given for several, or besides the target that says it. */
function givenForAll(own: readonly InputName[], targets: readonly Target[], asked: Asked, variables: Inputs): string[] {
  return own.flatMap((name) => {
    const variable = `the variable ${variableOf(name)}${name === 'database' ? ' or DATABASE_URL' : ''}`;
    const where = asked.inputs.has(name) ? `--${name}` : variables.has(name) && name !== 'restore-to' ? variable : null;
    if (where === null) return [];
    const each = `it would apply to each of ${targets.map((one) => one.name).join(', ')}; choose one with --target, or remove it`;
    const said = own === OF_SERVER ? '--target already chooses one; remove it' : each;
    return [`${name}: ${where} gives it, and ${said}`];
  });
}

/** An option counts before a variable, a variable before the configuration. */
export function merged(asked: Asked, variables: Inputs, target: Target): Inputs {
  const inputs: Inputs = new Map();
  for (const source of [target.inputs, variables]) {
    // what is for other commands says nothing here
    for (const [name, given] of source) if (isUsedBy(name, asked.command)) inputs.set(name, given);
  }
  for (const [name, given] of asked.inputs) inputs.set(name, given);
  inputs.set('command', literally(asked.command));
  return inputs;
}

/** The same with each database of a server in the place of that server. One that can not be asked is refused. */
export async function expanded(
  asked: Asked,
  targets: readonly Target[],
  config: Config | null,
  ask: (target: Target) => Promise<Buffer[]>,
  warn: (message: string) => void,
): Promise<Target[]> {
  const found: Target[] = [];
  for (const target of targets) {
    if (!target.all) {
      found.push(target);
      continue;
    }
    const isAll = isWhole(asked, target);
    try {
      const ones = eachOf(target, await ask(asking(target)));
      const wanted = isAll ? ones : onlyAsked(asked, target, ones);
      found.push(...wanted);
      const gone = wanted.filter((one) => !ones.some(({ name }) => name === one.name)).map(({ name }) => name);
      const names = ones.map(({ name }) => name).join(', ');
      for (const name of gone) warn(`${name}: ${target.name} has no database of that name now; it has ${names}`);
    } catch (error) {
      // the backups of a server that is down can be listed, and put back elsewhere
      found.push(...(isAll ? [{ ...asking(target), refused: describe(error) }] : onlyAsked(asked, target, [])));
    }
  }
  return refuseTwins(found, config?.targets.flatMap(({ name, all }) => (all ? [] : [name])) ?? []);
}

/** Those of a server that are named by `--target`. One that is not there may have been dropped: its backups are. */
function onlyAsked(asked: Asked, target: Target, ones: readonly Target[]): Target[] {
  return asked.targets
    .filter(isBelow(target))
    .flatMap(
      (name) =>
        ones.find((one) => one.name === name) ?? eachOf(target, [Buffer.from(name.slice(target.name.length + 1))]),
    );
}

/** All databases of that server are meant. */
const isWhole = ({ targets }: Asked, { name }: Target): boolean => targets.length === 0 || targets.includes(name);

/** Whether a name may be that of a database of this server. */
const isBelow =
  (target: Target) =>
  (name: string): boolean =>
    target.all === true && name.startsWith(`${target.name}-`);
