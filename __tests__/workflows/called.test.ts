import { describe, expect, test } from '@jest/globals';
import { declared, INPUT_NAMES } from '../../src/settings/declared-inputs.js';
import { action, CALLED, called } from './workflow-files.js';

/** Where the values of these come from instead of, or besides, an input of the same name: a secret, named as secrets are stored. */
const SECRETS: Record<string, string> = {
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
  's3-access-key-id': 'S3_ACCESS_KEY_ID',
  's3-secret-access-key': 'S3_SECRET_ACCESS_KEY',
  's3-session-token': 'S3_SESSION_TOKEN',
  'signing-key': 'BACKUP_SIGNING_KEY',
  'notify-urls': 'BACKUP_NOTIFY_URLS',
  'ping-url': 'BACKUP_PING_URL',
};
const OF_THE_JOB = ['runs-on', 'timeout-minutes', 'environment', 'aws-role-to-assume', 'aws-role-duration-seconds'];
/** What an output says that a command never sets, or, of a restore, always sets to false. */
const NOT_OF: Record<(typeof CALLED)[number], string[]> = {
  backup: ['healthy', 'restore-outcome', 'restore-ms', 'safety-backup-id'],
  restore: ['backup-ok', 'healthy', 'kept', 'deleted', 'newest-age-seconds'],
  verify: ['kept', 'deleted', 'restore-outcome', 'restore-ms', 'safety-backup-id'],
  health: [
    ...['backup-ok', 'backup-id', 'backup-path', 'sha256', 'bytes', 'database-bytes', 'created-at', 'duration-ms'],
    ...['verified-level', 'kept', 'deleted', 's3-uri', 's3-version-id', 'restore-outcome', 'restore-ms'],
    'safety-backup-id',
  ],
};

describe.each(CALLED)('%s.yml', (command) => {
  const file = called(command);
  const call = file.on.workflow_call;
  const job = file.jobs[command];
  if (call === undefined || job === undefined) throw new Error(`${command}.yml is not a workflow to call`);
  const names = INPUT_NAMES.filter((name) => name !== 'command' && declared[name].usedBy.includes(command));
  const own = (job.steps ?? []).find(({ id }) => id === 'action');

  test('has every input of the action for that command, no secret among them, and those of the job', () => {
    const open = names.filter((name) => declared[name].secret !== true);
    expect(Object.keys(call.inputs)).toEqual([...OF_THE_JOB, ...open]);
  });

  test('with the type and the default of action.yml', () => {
    for (const name of names.filter((one) => declared[one].secret !== true)) {
      const given = action.inputs[name]?.default;
      const boolean = given === 'true' || given === 'false';
      expect({ name, ...call.inputs[name] }).toEqual({
        name,
        type: boolean ? 'boolean' : 'string',
        ...(given === '' ? {} : { default: boolean ? given === 'true' : given }),
      });
    }
  });

  test('declares the secrets one by one', () => {
    const expected = names.map((name) => SECRETS[name]).filter((name) => name !== undefined);
    expect(Object.keys(call.secrets).sort()).toEqual(expected.sort());
    for (const name of names.filter((one) => declared[one].secret)) expect(SECRETS).toHaveProperty(name);
  });

  test('passes each of them on, and nothing else', () => {
    const expected = names.map((name) => {
      const secret = SECRETS[name];
      if (secret === undefined) return [name, `\${{ inputs.${name} }}`];
      return [
        name,
        declared[name].secret ? `\${{ secrets.${secret} }}` : `\${{ inputs.${name} || secrets.${secret} }}`,
      ];
    });
    expect(own?.with).toEqual({ command, ...Object.fromEntries(expected) });
  });

  test('passes on every output that the command sets', () => {
    const expected = Object.keys(action.outputs).filter((name) => !NOT_OF[command].includes(name));
    const from = (of: string) => Object.fromEntries(expected.map((name) => [name, `\${{ ${of}.outputs.${name} }}`]));
    // a gate has to know of which attempt the backup is
    const attempt = (value: string) => (command === 'backup' ? { 'run-attempt': `\${{ ${value} }}` } : {});
    expect(Object.fromEntries(Object.entries(call.outputs).map(([name, { value }]) => [name, value]))).toEqual({
      ...from(`jobs.${command}`),
      ...attempt('jobs.backup.outputs.run-attempt'),
    });
    expect(job.outputs).toEqual({ ...from('steps.action'), ...attempt('github.run_attempt') });
  });

  test('runs our action at its own commit, an action that is pinned, and no script', () => {
    expect((job.steps ?? []).map(({ uses }) => uses)).toEqual([
      expect.stringMatching(/^aws-actions\/configure-aws-credentials@[0-9a-f]{40}$/),
      '$/step',
    ]);
    expect(Object.keys(file.jobs)).toEqual([command]);
    expect(job.steps?.some(({ run }) => run !== undefined)).toBe(false);
  });

  test('leaves permissions to the caller, and waits for others of that host and database', () => {
    expect([file.permissions, job.permissions]).toEqual([undefined, undefined]);
    expect(job.concurrency).toEqual({
      group: `db-${command === 'verify' ? 'backup' : command} \${{ inputs.host }} \${{ inputs.name || inputs.database || inputs.directory }}`,
      queue: 'max',
      'cancel-in-progress': false,
    });
    expect(job.environment).toEqual({ name: `\${{ inputs.environment }}`, deployment: false });
    expect(job['timeout-minutes']).toBe(`\${{ inputs.timeout-minutes }}`);
  });
});
