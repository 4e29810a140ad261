import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { policies } from '../../src/doctor/policies.js';
import type { S3Settings } from '../../src/settings/settings.js';

const S3: S3Settings = {
  ...{ bucket: 'shop-backups', prefix: 'production', region: 'eu-central-1', endpoint: null, credentials: null },
  ...{ uploadVia: 'auto', storageClass: null, sse: null, kmsKeyId: null },
  ...{ objectLock: { mode: 'GOVERNANCE', ms: 1 }, keep: { last: 5 } },
};
const of = (change: Partial<S3Settings> = {}) =>
  policies({ ...S3, ...change }, 'shop').map(({ text }) => JSON.parse(text));

test('are those of docs/off-site.md, for one database instead of a whole prefix', () => {
  const page = readFileSync(new URL('../../docs/off-site.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json = '']) => JSON.parse(json));
  const [writer, rotating, reader] = blocks.filter(({ Statement: [{ Action }] }) => Action === 's3:ListBucket');
  const whole = (policy: unknown) => JSON.parse(JSON.stringify(policy).replaceAll('production/shop/*', 'production/*'));
  expect(of().map(whole)).toEqual([writer, reader, rotating]);
});

describe('what they depend on', () => {
  test('no prefix, another partition', () => {
    const [writer] = of({ prefix: '', region: 'cn-north-1' });
    expect(writer.Statement[0]).toMatchObject({
      Resource: 'arn:aws-cn:s3:::shop-backups',
      Condition: { StringLike: { 's3:prefix': 'shop/*' } },
    });
    expect(writer.Statement[1].Resource).toBe('arn:aws-cn:s3:::shop-backups/shop/*');
  });

  test('without locks the writer gets no right to them, and without a rotation nobody may delete', () => {
    const made = of({ objectLock: null, keep: null });
    expect(made).toHaveLength(2);
    expect(JSON.stringify(made)).not.toMatch(/Retention|Delete/);
  });

  test('KMS is told', () => {
    expect(policies({ ...S3, sse: 'aws:kms' }, 'shop')[0]?.why).toContain('kms:GenerateDataKey');
  });
});
