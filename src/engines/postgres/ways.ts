import { BackupError } from '../../errors.js';
import type { Facts } from '../../host/session.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import type { RestoreSettings } from '../../settings/settings.js';
import { decoded } from './facts.js';
import type { PostgresContent } from './format.js';
import { identifier } from './properties.js';
import type { PostgresSource } from './url.js';

// Which way a restore takes: a new database beside the live one, or the live one itself. What would fail is told before anything is touched.

/** Word of the journal, and what it means, for the plan. */
export interface Way {
  way: 'swap' | 'create' | 'in-place';
  words: string;
}

/** Why a way can not be taken, as a sentence without its end, and what somebody can do about it. */
interface Obstacle {
  says: string;
  advice: string;
}

const SWAP =
  'It is loaded into a new database beside the live one, which then takes its name. Clients stay connected during the load, are disconnected for a moment by the swap, and can reconnect at once.';
const CREATE =
  'There is no such database yet: it is created like the one that was backed up, and gets its name once it is loaded.';

/** Throws E_RESTORE when the way that is wanted, or every one, would fail. */
export function chooseWay(
  facts: Facts,
  content: PostgresContent | null,
  target: PostgresSource,
  wanted: RestoreSettings['way'],
): Way {
  const role = quoteOutside(decoded(facts.need('role')), 100);
  const found: Found = { facts, role, target, extensions: extensionsOf(facts, content) };
  const place = quoteOutside(target.given);
  if (facts.get('target_state') === 'missing') {
    if (wanted === 'in-place') {
      throw refused(`there is no database ${nameOf(target)} to restore into (restore-way: in-place)`, [
        'Correct the name (upper and lower case count), create the database, or leave `restore-way` out.',
      ]);
    }
    const [obstacle] = [...(mayCreate(facts) ? [] : [noCreator(found)]), ...extensionsAnew(found)];
    if (obstacle !== undefined) {
      throw refused(
        `there is no database ${nameOf(target)} on the server, and none can be created for the backup: ${obstacle.says}`,
        [obstacle.advice, ...(mayCreate(facts) ? [MAKE_FIRST] : [])],
      );
    }
    return { way: 'create', words: CREATE };
  }
  const [swap] = wanted === 'in-place' ? [] : [...databaseAnew(found), ...extensionsAnew(found)];
  if (wanted !== 'in-place' && swap === undefined) return { way: 'swap', words: SWAP };
  const [inPlace] = wanted === 'swap' ? [] : extensionsHere(found);
  if (wanted === 'swap' && swap !== undefined) {
    const other = extensionsHere(found).length > 0 ? [] : ['Without `restore-way: swap` it is restored in place.'];
    throw refused(`${place} cannot be replaced by a new database (restore-way: swap): ${swap.says}`, [
      swap.advice,
      ...other,
    ]);
  }
  if (inPlace !== undefined) {
    throw refused(
      swap === undefined
        ? `the backup cannot be put into ${place} (restore-way: in-place): ${inPlace.says}`
        : `the backup can be put neither into a new database nor into ${place} itself: ${swap.says}; ${inPlace.says}`,
      [inPlace.advice],
    );
  }
  const because = swap === undefined ? 'As `restore-way` says, it is' : `${capital(swap.says)}, so it is`;
  return { way: 'in-place', words: `${because} ${inPlaceWords(found)}` };
}

interface Found {
  facts: Facts;
  role: string;
  target: PostgresSource;
  extensions: string[];
}

const MAKE_FIRST = 'Or have a superuser create the database with the extension in it, which is then restored in place.';

const refused = (message: string, advice: string[]): BackupError =>
  new BackupError('E_RESTORE', message, `${advice.join(' ')}`);

const nameOf = ({ database }: PostgresSource): string => quoteOutside(JSON.stringify(database));
const mayCreate = (facts: Facts): boolean => facts.get('may_create') === 'true';
const isSuperuser = (facts: Facts): boolean => facts.get('superuser') === 'true';
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function inPlaceWords(found: Found): string {
  const { facts, role, target } = found;
  const others = isSuperuser(facts)
    ? ''
    : `, and what roles other than ${role} own in ${quoteOutside(target.given)} stays`;
  const staying = installedIn(facts).flatMap(({ name, goes }) => (goes ? [] : [quoteOutside(name, 80)]));
  const extensions = staying.length === 0 ? '' : ` (of extensions: ${staying.slice(0, 10).join(', ')})`;
  return `restored in place, in a single transaction: clients wait from its beginning to its end${others}${others === '' ? '' : extensions}.`;
}

const noCreator = ({ role }: Found): Obstacle => ({
  says: `the role ${role} may not create one`,
  advice: `Correct the name (upper and lower case count), create the database, or as a superuser: \`ALTER ROLE ${role} CREATEDB\`.`,
});

/** Why the database can not be replaced by another one, whatever is in it. */
function databaseAnew({ facts, role }: Found): Obstacle[] {
  const kept = facts.all('kept_setting').map((hex) => quoteOutside(decoded(hex), 60));
  const superuser = 'Name a superuser in the URL for the restore.';
  return [
    ...(mayCreate(facts)
      ? []
      : [
          {
            says: `the role ${role} may not create databases`,
            advice: `As a superuser: \`ALTER ROLE ${role} CREATEDB\`.`,
          },
        ]),
    ...(facts.get('owns') === 'false'
      ? [{ says: `the role ${role} does not own the database`, advice: 'Name its owner, or a superuser, in the URL.' }]
      : []),
    ...(facts.get('maintenance') === null
      ? [
          {
            says: `no other database of the server (postgres, template1) lets ${role} in`,
            advice: `As a superuser: \`GRANT CONNECT ON DATABASE postgres TO ${role}\`.`,
          },
        ]
      : []),
    ...(kept.length > 0
      ? [
          {
            says: `the role ${role} may not give the settings of the database (${kept.slice(0, 5).join('; ')}) to a new one`,
            advice: superuser,
          },
        ]
      : []),
    ...unreadIn(facts)
      .slice(0, 1)
      .map(({ shown }) => ({
        says: `the role ${role} may not read ${shown}, which would be gone with the database, and which no backup of ${role} has`,
        advice: `Name a role in the URL that may read it, or as a superuser: \`GRANT pg_read_all_data TO ${role}\`.`,
      })),
  ];
}

/** Tables and sequences of others that the role may not read, each as a pattern of pg_dump that means it alone. */
export function unreadIn(facts: Facts): { shown: string; pattern: string }[] {
  return facts.all('unread').flatMap((text) => {
    const names = text.split(' ').map(decoded);
    const pattern = names.map(identifier).join('.');
    // one that can not be said to pg_dump is asked for, and refused by the server
    return /\p{Cc}/u.test(pattern) ? [] : [{ shown: quoteOutside(names.join('.'), 80), pattern }];
  });
}

/** Of the dump, where the manifest tells them; else those of the live database are the best guess. */
function extensionsOf(facts: Facts, content: PostgresContent | null): string[] {
  return content?.extensions ?? installedIn(facts).map(({ name }) => name);
}

const installedIn = (facts: Facts): { name: string; goes: boolean }[] =>
  facts.all('installed').map((text) => {
    const [hex = '', goes] = text.split(' ');
    return { name: decoded(hex), goes: goes === 'true' };
  });

/** Which of the extensions can not be created in a database that is made for the restore. */
function extensionsAnew({ facts, role, extensions }: Found): Obstacle[] {
  const there = extensionsThere(facts);
  if (there.size === 0) return [];
  return extensions.flatMap((name): Obstacle[] => {
    const shown = quoteOutside(name, 80);
    const bound = boundTo(facts, name);
    if (!there.has(name)) return [notThere(shown)];
    if (bound !== null) {
      return [
        {
          says: `the extension ${shown} can only be created in the database that the server's setting cron.database_name names`,
          advice: `Have the database created empty under its own name first: it is then restored in place.`,
        },
      ];
    }
    if (there.get(name)?.fresh === false) return [superusersAlone(shown, role)];
    const rows = rowsOf(facts, name).find(({ right }) => right !== 'own');
    return rows === undefined
      ? []
      : [
          {
            says: `the role ${role} may not write the rows of ${rows.table}, of the extension ${shown}, in a new database`,
            advice: 'Name a superuser in the URL for the restore.',
          },
        ];
  });
}

/** Which of them can not be there after a restore in place; those that stay need not be created. */
function extensionsHere({ facts, role, extensions, target }: Found): Obstacle[] {
  const there = extensionsThere(facts);
  if (there.size === 0) return [];
  const staying = new Set(installedIn(facts).flatMap(({ name, goes }) => (goes ? [] : [name])));
  return extensions.flatMap((name): Obstacle[] => {
    const shown = quoteOutside(name, 80);
    if (staying.has(name)) {
      const tables = rowsOf(facts, name).flatMap(({ table, right }) => (right === 'not' ? [table] : []));
      return tables.length === 0
        ? []
        : [
            {
              says: `the role ${role} may not write the rows of ${tables.join(', ')}, of the extension ${shown}, which the dump brings`,
              advice: `As a superuser, in that database: \`GRANT ALL ON ${tables.join(', ')} TO ${role}\`, with \`restore-way: in-place\` or \`auto\`. Or name a superuser in the URL for the restore.`,
            },
          ];
    }
    if (!there.has(name)) return [notThere(shown)];
    const bound = boundTo(facts, name) ?? '';
    if (bound !== '' && bound !== target.database) {
      return [
        {
          says: `the extension ${shown} can only be created in the database ${quoteOutside(bound, 80)}, which the server's setting cron.database_name names`,
          advice: `Set it to ${identifierShown(target.database)} on the server and restart it, or restore into ${quoteOutside(bound, 80)} (\`restore-to\`).`,
        },
      ];
    }
    return there.get(name)?.here === false
      ? [
          {
            ...superusersAlone(shown, role),
            advice: `As a superuser, in that database: \`CREATE EXTENSION ${identifierShown(name)}\`; it then stays. Or name a superuser in the URL for the restore.`,
          },
        ]
      : [];
  });
}

const identifierShown = (name: string): string => quoteOutside(identifier(name), 80);

const notThere = (shown: string): Obstacle => ({
  says: `the extension ${shown} is not available on the server`,
  advice: 'Install the package of that extension on the server of the database.',
});

const superusersAlone = (shown: string, role: string): Obstacle => ({
  says: `only a superuser may create the extension ${shown}, and ${role} is not one`,
  advice: 'Name a superuser in the URL for the restore.',
});

/** Those of which the server has the files, plpgsql at least; whether the role may create them in a new database, and in this one. */
function extensionsThere(facts: Facts): Map<string, { fresh: boolean; here: boolean }> {
  return new Map(
    facts.all('extension').map((text) => {
      const [hex = '', fresh, here] = text.split(' ');
      return [decoded(hex), { fresh: fresh === 'true', here: here === 'true' }];
    }),
  );
}

/** null: of no one database; empty: of one that we may not know. */
function boundTo(facts: Facts, name: string): string | null {
  const found = facts.all('bound').map((text) => text.split(' '));
  const [, hex] = found.find(([extension = '']) => decoded(extension) === name) ?? [];
  return hex === undefined ? null : decoded(hex);
}

function rowsOf(facts: Facts, extension: string): { table: string; right: string }[] {
  return facts.all('extension_rows').flatMap((text) => {
    const [name = '', table = '', right = 'not'] = text.split(' ');
    return decoded(name) === extension ? [{ table: quoteOutside(decoded(table), 120), right }] : [];
  });
}
