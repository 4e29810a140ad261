// What the called workflows have of action.yml: inputs, outputs, and what is passed on. Each stands in them as a run of lines of one form,
// which `npm run docs` writes anew.
import { declared, INPUT_NAMES } from '../src/settings/declared-inputs.ts';
import { STEP } from './step-action.mjs';

export const CALLED = ['backup', 'restore', 'verify', 'health'];

/** Where the values of these come from instead of, or besides, an input of the same name: a secret, named as secrets are stored. */
const SECRETS = {
  key: 'DB_SSH_KEY',
  passphrase: 'DB_SSH_PASSPHRASE',
  'jump-key': 'DB_JUMP_KEY',
  'jump-passphrase': 'DB_JUMP_PASSPHRASE',
  database: 'DATABASE_URL',
  'database-password': 'DATABASE_PASSWORD',
  'encryption-passphrase': 'BACKUP_ENCRYPTION_PASSPHRASE',
  'decryption-key': 'BACKUP_DECRYPTION_KEY',
  'decryption-passphrase': 'BACKUP_DECRYPTION_PASSPHRASE',
  'restore-to': 'RESTORE_TO_URL',
  'signing-key': 'BACKUP_SIGNING_KEY',
  's3-access-key-id': 'S3_ACCESS_KEY_ID',
  's3-secret-access-key': 'S3_SECRET_ACCESS_KEY',
  's3-session-token': 'S3_SESSION_TOKEN',
  'notify-urls': 'BACKUP_NOTIFY_URLS',
  'ping-url': 'BACKUP_PING_URL',
};
/** Outputs that a command never sets, or, a restore, always sets to false. */
const NOT_OF = {
  backup: ['healthy', 'restore-outcome', 'restore-ms', 'safety-backup-id'],
  restore: ['backup-ok', 'healthy', 'kept', 'deleted', 'newest-age-seconds'],
  verify: ['kept', 'deleted', 'restore-outcome', 'restore-ms', 'safety-backup-id'],
  health: [
    ...['backup-ok', 'backup-id', 'backup-path', 'sha256', 'bytes', 'database-bytes', 'created-at', 'duration-ms'],
    ...['verified-level', 'kept', 'deleted', 's3-uri', 's3-version-id', 'restore-outcome', 'restore-ms'],
    'safety-backup-id',
  ],
};

function inputLine(name) {
  const { default: text } = declared[name];
  const boolean = text === 'true' || text === 'false';
  const value = text === '' ? '' : `, default: ${boolean ? text : JSON.stringify(text)}`;
  return `      ${name}: { type: ${boolean ? 'boolean' : 'string'}${value} }`;
}

function passedOn(name) {
  const secret = SECRETS[name];
  if (secret === undefined) return `\${{ inputs.${name} }}`;
  return declared[name].secret ? `\${{ secrets.${secret} }}` : `\${{ inputs.${name} || secrets.${secret} }}`;
}

/** The workflow of that command, with these lines as they have to be; `outputs`: the names of those of action.yml. */
export function called(command, text, outputs) {
  const names = INPUT_NAMES.filter((name) => name !== 'command' && declared[name].usedBy.includes(command));
  const set = outputs.filter((name) => !NOT_OF[command].includes(name));
  const runs = [
    [/(?: {6}[a-z0-9-]+: \{ type: .*\n)+/, names.filter((name) => !declared[name].secret).map(inputLine)],
    [
      /(?: {6}([a-z0-9-]+): \{ value: "\$\{\{ jobs\.[a-z]+\.outputs\.\1 \}\}" \}\n)+/,
      set.map((name) => `      ${name}: { value: "\${{ jobs.${command}.outputs.${name} }}" }`),
    ],
    [
      /(?: {6}([a-z0-9-]+): \$\{\{ steps\.action\.outputs\.\1 \}\}\n)+/,
      set.map((name) => `      ${name}: \${{ steps.action.outputs.${name} }}`),
    ],
    [/ {8}uses: \$\/.*\n/, [`        uses: ${STEP}`]],
    [
      /(?<= {10}command: [a-z]+\n)(?: {10}[a-z0-9-]+: \$\{\{ .* \}\}\n)+/,
      names.map((name) => `          ${name}: ${passedOn(name)}`),
    ],
  ];
  return runs.reduce((rest, [run, lines]) => {
    if (!run.test(rest)) throw new Error(`${command}.yml has no lines of the form ${run}`);
    return rest.replace(run, () => lines.map((line) => `${line}\n`).join(''));
  }, text);
}
