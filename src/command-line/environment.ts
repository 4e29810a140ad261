import { declared, INPUT_NAMES, type InputName } from '../settings/declared-inputs.js';
import { type Given, type Inputs, inFile, literally, wrongly } from './given.js';

/** The variable of an input, for example DB_BACKUP_KNOWN_HOSTS. */
export const variableOf = (name: InputName): string =>
  VARIABLES[name] ?? `DB_BACKUP_${name.toUpperCase().replaceAll('-', '_')}`;

/** DB_BACKUP_PASSPHRASE has always been that of the backups. */
const VARIABLES: Partial<Record<InputName, string>> = { passphrase: 'DB_BACKUP_KEY_PASSPHRASE' };

/** How an input is given on the command line, where it is missing: the end of a sentence. A secret is no option. */
export function givenBy(name: InputName): string {
  const variable = variableOf(name);
  return declared[name].secret
    ? `set ${variable}, or ${variable}_FILE to a file that holds it`
    : `give it as \`--${name}\`, or set ${variable}`;
}

/** As the scripts call them that this replaces; of several that are set the first counts. */
const OLD: readonly [variable: string, inputs: readonly InputName[]][] = [
  ['DATABASE_URL', ['database']],
  ['BACKUP_DIR', ['directory']],
  ['BACKUP_S3_BUCKET', ['s3-bucket']],
  ['AWS_S3_BUCKET', ['s3-bucket']],
  ['AWS_REGION', ['s3-region']],
  ['SLACK_WEBHOOK_URL', ['notify-urls']],
  ['DB_BACKUP_PASSPHRASE', ['encryption-passphrase', 'decryption-passphrase']],
];
const OLD_KEEP: Readonly<Record<string, string>> = {
  BACKUP_RETENTION_DAYS: 'within',
  BACKUP_RETENTION_DAILY: 'daily',
  BACKUP_RETENTION_WEEKLY: 'weekly',
  BACKUP_RETENTION_WEEKS: 'weekly',
  BACKUP_RETENTION_MONTHLY: 'monthly',
  BACKUP_RETENTION_MONTHS: 'monthly',
};

/** What is wrong with the names of variables, a whole message each: what is mistyped would silently not be done. */
export function unknownIn(env: NodeJS.ProcessEnv): string[] {
  const known = new Set(INPUT_NAMES.map(variableOf).flatMap((name) => [name, `${name}_FILE`]));
  return Object.keys(env)
    .filter((name) => name.startsWith('DB_BACKUP_') && !known.has(name) && !BESIDES.includes(name))
    .map((name) => `${name}: there is no such variable: correct its name, or remove it`);
}

const BESIDES: readonly string[] = [
  'DB_BACKUP_CONFIG',
  'DB_BACKUP_PASSPHRASE',
  'DB_BACKUP_TOKEN',
  'DB_BACKUP_TOKEN_FILE',
];

/** What is set and can not be used by itself, as a warning for each. */
export function unusedOf(env: NodeJS.ProcessEnv): string[] {
  if (!env.NOTIFICATION_EMAIL || env[variableOf('notify-urls')]) return [];
  return [
    `NOTIFICATION_EMAIL has no effect on its own, because mail needs a server: set ${variableOf('notify-urls')} to smtps://USER:PASSWORD@SERVER/?from=ADDRESS&to=ADDRESS`,
  ];
}

/**
 * The inputs that variables give: DB_BACKUP_KEY, or the file that DB_BACKUP_KEY_FILE names, for each input; then the variables of
 * older scripts. What is empty is not given. Takes what may hold a secret out of `env`, for those that are started later.
 */
export function fromEnvironment(env: NodeJS.ProcessEnv): Inputs {
  const given: Inputs = new Map();
  const take = (variable: string, isSecret: boolean): string => {
    const text = env[variable]?.trim() ?? '';
    if (isSecret) delete env[variable];
    return text;
  };
  for (const name of INPUT_NAMES) {
    const variable = variableOf(name);
    const text = take(variable, declared[name].secret === true || name === 'database' || name === 'restore-to');
    const file = take(`${variable}_FILE`, false);
    if (text !== '' && file !== '') given.set(name, wrongly(`${variable} and ${variable}_FILE are both set`));
    else if (file !== '') given.set(name, inFile(file));
    else if (text !== '') given.set(name, literally(text));
  }
  for (const [variable, inputs] of OLD) {
    const text = take(variable, true);
    // what a machine of that cloud has set for all is no wish for a copy there
    if (text === '' || (variable === 'AWS_REGION' && !given.has('s3-bucket'))) continue;
    for (const name of inputs) if (!given.has(name)) given.set(name, literally(text));
    if (variable === 'DB_BACKUP_PASSPHRASE' && !given.has('encrypt')) given.set('encrypt', literally('gpg'));
  }
  const keep = oldKeep(env);
  if (keep !== null && !given.has('keep')) given.set('keep', keep);
  return given;
}

function oldKeep(env: NodeJS.ProcessEnv): Given | null {
  const rules: Record<string, string> = {};
  for (const [variable, rule] of Object.entries(OLD_KEEP)) {
    const text = env[variable]?.trim() ?? '';
    if (text === '' || rule in rules) continue;
    if (!/^[1-9]\d{0,4}$/.test(text)) return wrongly(`expected a number of 1 or more in ${variable}`);
    rules[rule] = rule === 'within' ? `${text}d` : text;
  }
  const text = Object.entries(rules)
    .map(([rule, value]) => `${rule}=${value}`)
    .join(' ');
  return text === '' ? null : literally(text);
}
