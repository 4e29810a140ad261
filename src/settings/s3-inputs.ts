import type { KeepRules } from '../backups/retention.js';
import { INPUT_NAMES, type InputName, isUsedBy } from './declared-inputs.js';
import { type InputReader, unset } from './input-reader.js';
import type { Command, S3Settings } from './settings.js';

/** What stores without a region of their own take. */
const ANY_REGION = 'us-east-1';

/**
 * The inputs of the off-site copy; null when none is wanted. `keep`: how many backups are kept on the host; `named`: the bucket of a backup
 * that is named by `s3://`.
 */
export function readS3(
  reader: InputReader,
  command: Command | undefined,
  keep: KeepRules | undefined,
  named: string | null = null,
): S3Settings | null | undefined {
  if (command === undefined || !isUsedBy('s3-bucket', command)) return null; // what is given was warned about
  const given = reader.read('s3-bucket');
  if (given === null && named === null) {
    refuseAlone(reader);
    return null;
  }
  const bucket = given === null ? named : given;
  const prefix = reader.read('s3-prefix');
  const place = reader.read('s3-region');
  const endpoint = reader.read('s3-endpoint');
  const region = place === null ? usualRegion(endpoint) : place;
  if (region === null) {
    reader.missing(
      's3-region',
      'required without s3-endpoint: the region of the bucket, for example eu-central-1; AWS_REGION, as aws-actions/configure-aws-credentials sets it, works as well',
    );
  }
  const credentials = readCredentials(reader);
  const uploadVia = reader.require('s3-upload-via');
  const storageClass = reader.read('s3-storage-class');
  const sse = reader.read('s3-sse');
  const kmsKeyId = reader.read('s3-kms-key-id');
  if (kmsKeyId && (sse === null || sse === 'AES256')) {
    reader.problem('s3-kms-key-id', 'expected nothing unless s3-sse is aws:kms or aws:kms:dsse');
  }
  const objectLock = reader.read('s3-object-lock');
  const ownKeep = reader.read('s3-keep');
  const rules = ownKeep === null ? keep : ownKeep === 'none' ? null : ownKeep;
  const settings = { bucket, region, endpoint, credentials, uploadVia, storageClass, sse, kmsKeyId, objectLock };
  const all = { ...settings, onlyNamed: given === null, prefix: prefix === null ? '' : prefix, keep: rules };
  return Object.values(all).includes(undefined) || region === null ? undefined : (all as S3Settings);
}

/** A bucket whose variable is not set must not turn the off-site copy off without a word. */
function refuseAlone(reader: InputReader): void {
  const other = INPUT_NAMES.find((name) => name.startsWith('s3-') && reader.isChanged(name));
  if (other === undefined) return;
  reader.missing('s3-bucket', `required, because ${other} is given${unset('vars.S3_BUCKET')}`);
}

function usualRegion(endpoint: string | null | undefined): string | null {
  return process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION || (endpoint === null ? null : ANY_REGION);
}

function readCredentials(reader: InputReader): S3Settings['credentials'] | undefined {
  const names = ['s3-access-key-id', 's3-secret-access-key', 's3-session-token'] as const;
  const [accessKeyId, secretAccessKey, sessionToken] = names.map((name) => reader.read(name));
  if (accessKeyId === undefined || secretAccessKey === undefined || sessionToken === undefined) return undefined;
  if (accessKeyId !== null && secretAccessKey !== null) {
    if (sessionToken !== null) reader.mask(encodeURIComponent(sessionToken)); // as it stands in URLs
    reader.mask(encodeURIComponent(secretAccessKey));
    return { accessKeyId, secretAccessKey, sessionToken };
  }
  const lacking = (name: InputName, because: InputName): undefined => {
    reader.missing(
      name,
      `required with ${because}; without both, the credentials of the AWS default chain are used (for example from aws-actions/configure-aws-credentials)`,
    );
  };
  if (accessKeyId !== null) return lacking('s3-secret-access-key', 's3-access-key-id');
  if (secretAccessKey !== null) return lacking('s3-access-key-id', 's3-secret-access-key');
  if (sessionToken !== null) return lacking('s3-access-key-id', 's3-session-token');
  return null;
}
