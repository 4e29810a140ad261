import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { serverIn } from '../engines/lookup.js';
import { BackupError } from '../errors.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { parseName } from '../settings/value-rules.js';
import type { Target } from './config.js';
import { literally } from './given.js';

// What `all: true` in the configuration means: a target for each database of a server.

const LONGEST = 64;

/** The server itself, with a database in it that can be asked for the others. */
export function asking(target: Target): Target {
  const text = target.inputs.get('database') ?? literally('');
  return { ...target, inputs: new Map([...target.inputs, ['database', () => serverIn(text()).asking]]) };
}

/** `NAME-DATABASE`; where that is no name, as near as can be, with a few digits of its own. */
export function nameFor(target: string, database: string): string {
  const name = `${target}-${database}`;
  try {
    return parseName(name);
  } catch {
    const digits = createHash('sha256')
      .update(JSON.stringify([target, database]))
      .digest('hex')
      .slice(0, 8);
    const near = name.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, LONGEST - digits.length - 1);
    return `${near.replace(/[-._]+$/, '')}-${digits}`;
  }
}

/** One for each of these databases; those that nobody can name are refused. */
export function eachOf(target: Target, databases: readonly Buffer[]): Target[] {
  const text = target.inputs.get('database') ?? literally('');
  if (databases.length === 0) {
    const none = new BackupError(
      'E_SOURCE_MISSING',
      `the server of ${target.name} has no database to back up: none that accepts connections, holds anything, and is not a template`,
      'Check that `database` names the right server.',
    );
    return [{ ...asking(target), refused: none }];
  }
  return databases.map((bytes) => {
    const database = isUtf8(bytes) ? bytes.toString('utf8') : bytes.toString('hex');
    const name = nameFor(target.name, database);
    if (!isUtf8(bytes)) {
      const unnamed = new BackupError(
        'E_INPUT',
        `a database on the server of ${target.name} has a name that is not valid UTF-8; in hex it is ${database}`,
        'Rename it, because it cannot be named here: ALTER DATABASE ... RENAME TO.',
      );
      return { ...named(asking(target), name), refused: unnamed };
    }
    const one = named(target, name);
    one.inputs.set('database', () => serverIn(text()).server.naming(text(), database));
    return one;
  });
}

function named({ all: _, ...target }: Target, name: string): Target {
  return { ...target, ofServer: true, name, inputs: new Map([...target.inputs, ['name', literally(name)]]) };
}

/** Of those that come from a server, those that are called as another: their backups could not be told apart. `configured`: by their names. */
export function refuseTwins(targets: readonly Target[], configured: readonly string[]): Target[] {
  const times = new Map<string, number>();
  for (const { name } of targets) times.set(name, (times.get(name) ?? 0) + 1);
  return targets.map((target) => {
    const { name, ofServer, refused } = target;
    const isTwin = configured.includes(name) || (times.get(name) ?? 0) > 1;
    if (!isTwin || !ofServer || refused !== undefined) return target;
    return {
      ...target,
      refused: new BackupError(
        'E_INPUT',
        `another database would also be called ${quoteOutside(name, 100)}, and their backups could not be told apart`,
        'Rename one of them on its server, or in the configuration.',
      ),
    };
  });
}
