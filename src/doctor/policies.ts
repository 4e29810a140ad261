import type { SetUp } from '../reporting/report.js';
import type { S3Settings } from '../settings/settings.js';

/**
 * The policies of IAM for the bucket, for this database alone: who adds, who reads, and where copies are rotated by us, who deletes.
 * docs/off-site.md has them for a whole prefix, with what follows from each.
 */
export function policies(
  { bucket, prefix, region, endpoint, sse, objectLock, keep }: S3Settings,
  name: string,
): SetUp[] {
  const partition = region.startsWith('cn-') ? 'aws-cn' : region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
  const path = [...(prefix === '' ? [] : [prefix]), name].join('/');
  const where =
    endpoint === null
      ? 'Attach this policy to an IAM role or user.'
      : 'Attach this policy to a user, if the store has policies.';
  const kms = sse?.startsWith('aws:kms')
    ? ' It also needs `kms:Decrypt` on the KMS key, and `kms:GenerateDataKey` to upload.'
    : '';
  const policy = (title: string, why: string, actions: string[]): SetUp => ({
    title: `S3: ${title}`,
    why: `${where} ${why}${kms}`,
    language: 'json',
    text: policyText({ resource: `arn:${partition}:s3:::${bucket}`, path, actions }),
  });
  const lock = objectLock === null ? [] : ['s3:PutObjectRetention', 's3:GetObjectRetention'];
  return [
    policy('the writer', 'For `command: backup` with `s3-keep: none`: it uploads and reads, and deletes nothing.', [
      ...['s3:PutObject', 's3:GetObject', 's3:AbortMultipartUpload'],
      ...lock,
    ]),
    policy('the reader', 'For `restore`, `verify`, `list`, `health` and `doctor`.', ['s3:GetObject']),
    ...(keep === null
      ? []
      : [
          policy(
            'the role that rotates',
            "For `command: prune`. A `backup` that also rotates the store needs the writer's rights as well.",
            [...['s3:GetObject', 's3:GetObjectRetention', 's3:GetObjectLegalHold', 's3:DeleteObject']],
          ),
        ]),
  ];
}

function policyText({ resource, path, actions }: { resource: string; path: string; actions: string[] }): string {
  return JSON.stringify(
    {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: 's3:ListBucket',
          Resource: resource,
          Condition: { StringLike: { 's3:prefix': `${path}/*` } },
        },
        { Effect: 'Allow', Action: actions.length === 1 ? actions[0] : actions, Resource: `${resource}/${path}/*` },
      ],
    },
    null,
    2,
  );
}
