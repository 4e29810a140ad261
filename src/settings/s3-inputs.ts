import { isIPv4 } from 'node:net';
import type { KeepRules } from '../backups/retention.js';
import { declared, INPUT_NAMES, type InputName } from './declared-inputs.js';
import type { InputReader } from './input-reader.js';
import { parseKeep } from './keep-rules.js';
import type { Command, S3Settings } from './settings.js';
import { parseDuration } from './units.js';
import { oneOf } from './value-rules.js';

/** What stores without a region of their own take. */
const ANY_REGION = 'us-east-1';
/** S3 counts the days of a lock in whole days, and refuses more than 100 years. */
const LONGEST_LOCK_MS = 36_500 * 86_400_000;

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
  if (command === undefined || !declared['s3-bucket'].usedBy.includes(command)) return null; // what is given was warned about
  const given = reader.read('s3-bucket', parseBucket);
  if (given === null && named === null) {
    refuseAlone(reader);
    return null;
  }
  const bucket = given === null ? named : given;
  const prefix = reader.read('s3-prefix', parsePrefix);
  const place = reader.read('s3-region', parseRegion);
  const endpoint = reader.read('s3-endpoint', parseEndpoint);
  const region = place === null ? usualRegion(endpoint) : place;
  if (region === null) {
    reader.missing(
      's3-region',
      'required without s3-endpoint: the region of the bucket, for example eu-central-1; AWS_REGION, as aws-actions/configure-aws-credentials sets it, does as well',
    );
  }
  const credentials = readCredentials(reader);
  const uploadVia = reader.require('s3-upload-via', oneOf(['auto', 'host', 'runner']));
  const storageClass = reader.read('s3-storage-class', parseStorageClass);
  const sse = reader.read('s3-sse', oneOf(['AES256', 'aws:kms', 'aws:kms:dsse']));
  const kmsKeyId = reader.read('s3-kms-key-id', parseKeyId);
  if (kmsKeyId && (sse === null || sse === 'AES256')) {
    reader.problem('s3-kms-key-id', 'expected nothing unless s3-sse is aws:kms or aws:kms:dsse');
  }
  const objectLock = reader.read('s3-object-lock', parseObjectLock);
  const ownKeep = reader.read('s3-keep', (text) => (text === 'none' ? text : parseKeep(text)), 'as-is');
  const rules = ownKeep === null ? keep : ownKeep === 'none' ? null : ownKeep;
  const settings = { bucket, region, endpoint, credentials, uploadVia, storageClass, sse, kmsKeyId, objectLock };
  const all = { ...settings, onlyNamed: given === null, prefix: prefix === null ? '' : prefix, keep: rules };
  return Object.values(all).includes(undefined) || region === null ? undefined : (all as S3Settings);
}

/** A bucket whose variable is not set must not turn the off-site copy off without a word. */
function refuseAlone(reader: InputReader): void {
  const other = INPUT_NAMES.find((name) => name.startsWith('s3-') && reader.isChanged(name));
  if (other === undefined) return;
  reader.missing(
    's3-bucket',
    `required, since ${other} is given; the secret or variable that fills it is probably not set (for example vars.S3_BUCKET)`,
  );
}

function usualRegion(endpoint: string | null | undefined): string | null {
  return process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION || (endpoint === null ? null : ANY_REGION);
}

function readCredentials(reader: InputReader): S3Settings['credentials'] | undefined {
  const names = ['s3-access-key-id', 's3-secret-access-key', 's3-session-token'] as const;
  const [accessKeyId, secretAccessKey, sessionToken] = names.map((name) => reader.read(name, parseToken));
  if (accessKeyId === undefined || secretAccessKey === undefined || sessionToken === undefined) return undefined;
  if (accessKeyId !== null && secretAccessKey !== null) {
    if (sessionToken !== null) reader.mask(encodeURIComponent(sessionToken)); // as it stands in URLs
    reader.mask(encodeURIComponent(secretAccessKey));
    return { accessKeyId, secretAccessKey, sessionToken };
  }
  const lacking = (name: InputName, because: InputName): undefined => {
    reader.missing(
      name,
      `required with ${because}; without both, the credentials of the AWS default chain are taken (for example of aws-actions/configure-aws-credentials)`,
    );
  };
  if (accessKeyId !== null) return lacking('s3-secret-access-key', 's3-access-key-id');
  if (secretAccessKey !== null) return lacking('s3-access-key-id', 's3-secret-access-key');
  if (sessionToken !== null) return lacking('s3-access-key-id', 's3-session-token');
  return null;
}

/** The rule of all stores; those who allow more do so for buckets of long ago. */
export const isBucket = (text: string): boolean =>
  /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(text) && !text.includes('..');

function parseBucket(text: string): string {
  if (isBucket(text)) return text;
  throw new Error(
    'expected the name of a bucket alone, 3 to 63 lower-case letters, digits, "." or "-"; what follows it goes into s3-prefix',
  );
}

function parsePrefix(text: string): string {
  const prefix = text.replace(/^\/+|\/+$/g, '');
  const segments = prefix.split('/');
  const isPlain = (segment: string): boolean => /^[A-Za-z0-9._=-]+$/.test(segment) && !/^\.+$/.test(segment);
  if (prefix.length <= 500 && segments.every(isPlain)) return prefix;
  throw new Error(
    'expected folders of letters, digits, ".", "_", "=" or "-" separated by "/", at most 500 characters, such as backups/production',
  );
}

function parseRegion(text: string): string {
  if (/^[a-z0-9][a-z0-9-]{0,62}$/i.test(text)) return text;
  throw new Error('expected the name of a region, such as eu-central-1');
}

/** Whoever reads along on plain HTTP gets the backup, so it is for this very machine. */
function parseEndpoint(text: string): string {
  const rule = 'expected an https:// URL such as https://s3.example.com, or http:// to loopback alone';
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !['https:', 'http:'].includes(url.protocol)) throw new Error(rule);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new Error(`${rule}, without user, query or fragment`);
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) throw new Error(rule);
  return url.href.replace(/\/+$/, '');
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'));

function parseToken(text: string): string {
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  throw new Error('expected letters, digits and signs of ASCII without blanks');
}

/** Stores have classes of their own; whether it has this one, the store says. */
function parseStorageClass(text: string): string {
  if (/^[A-Z][A-Z0-9_]{0,63}$/.test(text)) return text;
  throw new Error('expected a storage class in capitals, such as STANDARD_IA');
}

/** An id, an alias or an ARN. */
function parseKeyId(text: string): string {
  if (/^[A-Za-z0-9:/_-]{1,2048}$/.test(text)) return text;
  throw new Error('expected the id, the ARN or the alias (alias/name) of a KMS key');
}

function parseObjectLock(text: string): S3Settings['objectLock'] {
  const rule = 'expected a duration in days such as 30d, or with its mode: governance 30d, compliance 30d';
  const [, mode = 'governance', days = ''] = /^(?:(governance|compliance) +)?(\d+d)$/i.exec(text) ?? [];
  if (days === '') throw new Error(rule);
  const ms = parseDuration(days);
  if (ms === 0 || ms > LONGEST_LOCK_MS) throw new Error(`${rule}, from 1d to 36500d`);
  return { mode: mode.toLowerCase() === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE', ms };
}
