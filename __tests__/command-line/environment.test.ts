import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { fromEnvironment, unknownIn, unusedOf, variableOf } from '../../src/command-line/environment.js';
import { INPUT_NAMES } from '../../src/settings/declared-inputs.js';

const textsOf = (env: NodeJS.ProcessEnv) =>
  Object.fromEntries([...fromEnvironment(env)].map(([name, given]) => [name, given()]));

describe('inputs from variables', () => {
  test('each has one, and no two the same', () => {
    const variables = INPUT_NAMES.map(variableOf);
    expect(new Set(variables).size).toBe(variables.length);
    const env = Object.fromEntries(variables.map((name) => [name, `of ${name}`]));
    expect(textsOf({ ...env })).toEqual(
      Object.fromEntries(INPUT_NAMES.map((name) => [name, `of ${variableOf(name)}`])),
    );
    expect(variableOf('known-hosts')).toBe('DB_BACKUP_KNOWN_HOSTS');
  });

  test.each<[string, NodeJS.ProcessEnv, Record<string, string>]>([
    ['nothing', {}, {}],
    ['empty ones, as compose files have them', { DB_BACKUP_HOST: '', DATABASE_URL: ' ' }, {}],
    [
      'of the scripts before',
      {
        ...{ DATABASE_URL: 'file:./app.db', BACKUP_DIR: '/b', BACKUP_RETENTION_DAYS: '30' },
        ...{ BACKUP_S3_BUCKET: 'one', AWS_S3_BUCKET: 'two', AWS_REGION: 'eu-west-1', SLACK_WEBHOOK_URL: 'https://x' },
      },
      {
        ...{ database: 'file:./app.db', directory: '/b', keep: 'within=30d' },
        ...{ 's3-bucket': 'one', 's3-region': 'eu-west-1', 'notify-urls': 'https://x' },
      },
    ],
    ['a region without a bucket, as machines of a cloud have it', { AWS_REGION: 'eu-west-1' }, {}],
    [
      'daily, weekly and monthly ones',
      {
        BACKUP_RETENTION_DAILY: '7',
        BACKUP_RETENTION_WEEKS: '4',
        BACKUP_RETENTION_WEEKLY: '5',
        BACKUP_RETENTION_MONTHS: '12',
      },
      { keep: 'daily=7 weekly=5 monthly=12' },
    ],
    [
      'our own before those',
      { DATABASE_URL: 'a', DB_BACKUP_DATABASE: 'b', BACKUP_RETENTION_DAYS: '3', DB_BACKUP_KEEP: 'last=9' },
      { database: 'b', keep: 'last=9' },
    ],
    [
      'the passphrase of the backups, which asks for encryption',
      { DB_BACKUP_PASSPHRASE: 'p', DB_BACKUP_KEY_PASSPHRASE: 'q' },
      { 'encryption-passphrase': 'p', 'decryption-passphrase': 'p', encrypt: 'gpg', passphrase: 'q' },
    ],
  ])('%s', (_, env, expected) => {
    expect(textsOf({ ...env })).toEqual(expected);
  });

  test('from a file, or from both, which is a mistake', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dbb-environment-'));
    try {
      const file = join(folder, 'key');
      writeFileSync(file, 'hunter2\n');
      expect(textsOf({ DB_BACKUP_KEY_FILE: file })).toEqual({ key: 'hunter2' });
      const both = fromEnvironment({ DB_BACKUP_KEY_FILE: file, DB_BACKUP_KEY: 'x' }).get('key');
      expect(both).toThrow('DB_BACKUP_KEY and DB_BACKUP_KEY_FILE are both set');
      expect(fromEnvironment({ DB_BACKUP_KEY_FILE: '/nowhere' }).get('key')).toThrow('/nowhere cannot be read: ENOENT');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('no number of days', () => {
    expect(fromEnvironment({ BACKUP_RETENTION_DAYS: '7 days' }).get('keep')).toThrow(
      'expected a number of 1 or more in BACKUP_RETENTION_DAYS',
    );
  });

  test('what may be secret is taken out, for those that are started later', () => {
    const env: NodeJS.ProcessEnv = {
      ...{ PATH: '/bin', DB_BACKUP_KEY: 'a', DATABASE_URL: 'b', DB_BACKUP_DATABASE: 'c', SLACK_WEBHOOK_URL: 'd' },
      ...{ DB_BACKUP_PASSPHRASE: 'e', DB_BACKUP_HOST: 'f' },
    };
    fromEnvironment(env);
    expect(env).toEqual({ PATH: '/bin', DB_BACKUP_HOST: 'f' });
  });

  test('a name that is mistyped is wrong, and those of others are not', () => {
    const env = {
      DB_BACKUP_ENCYPT: 'gpg',
      DB_BACKUP_KEY_FILE: 'x',
      DB_BACKUP_CONFIG: 'y',
      DB_BACKUP_PASSPHRASE: 'z',
      DB_BACKUPS: '1',
      PATH: '/',
    };
    expect(unknownIn(env)).toEqual([expect.stringMatching(/^DB_BACKUP_ENCYPT: there is no such variable/)]);
  });

  test('an address alone sends no mail', () => {
    expect(unusedOf({ NOTIFICATION_EMAIL: 'a@b.example' })).toEqual([expect.stringContaining('NOTIFICATION_EMAIL')]);
    expect(unusedOf({ NOTIFICATION_EMAIL: 'a@b.example', DB_BACKUP_NOTIFY_URLS: 'smtps://x' })).toEqual([]);
    expect(unusedOf({})).toEqual([]);
  });
});
