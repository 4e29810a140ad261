/** What single values about an S3 store may be; as value-rules.ts. */
import type { S3Settings } from './settings.js';
import { parseDuration } from './units.js';
import { isLoopback } from './value-rules.js';

/** S3 counts the days of a lock in whole days, and refuses more than 100 years. */
const LONGEST_LOCK_MS = 36_500 * 86_400_000;

/** The rule of all stores; those who allow more do so for buckets of long ago. */
export const isBucket = (text: string): boolean =>
  /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(text) && !text.includes('..');

export function parseBucket(text: string): string {
  if (isBucket(text)) return text;
  throw new Error(
    'expected only the name of a bucket, 3 to 63 lower-case letters, digits, "." or "-"; the rest goes into s3-prefix',
  );
}

export function parsePrefix(text: string): string {
  const prefix = text.replace(/^\/+|\/+$/g, '');
  const segments = prefix.split('/');
  const isPlain = (segment: string): boolean => /^[A-Za-z0-9._=-]+$/.test(segment) && !/^\.+$/.test(segment);
  if (prefix.length <= 500 && segments.every(isPlain)) return prefix;
  throw new Error(
    'expected folders of letters, digits, ".", "_", "=" or "-" separated by "/", at most 500 characters, such as backups/production',
  );
}

export function parseRegion(text: string): string {
  if (/^[a-z0-9][a-z0-9-]{0,62}$/i.test(text)) return text;
  throw new Error('expected the name of a region, such as eu-central-1');
}

/** Whoever reads along on plain HTTP gets the backup, so it is for this very machine. */
export function parseEndpoint(text: string): string {
  const rule = 'expected an https:// URL such as https://s3.example.com, or http:// for loopback only';
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !['https:', 'http:'].includes(url.protocol)) throw new Error(rule);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new Error(`${rule}, without user, query or fragment`);
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) throw new Error(rule);
  return url.href.replace(/\/+$/, '');
}

export function parseToken(text: string): string {
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  throw new Error('expected ASCII letters, digits and symbols without blanks');
}

/** Stores have classes of their own; whether it has this one, the store says. */
export function parseStorageClass(text: string): string {
  if (/^[A-Z][A-Z0-9_]{0,63}$/.test(text)) return text;
  throw new Error('expected a storage class in capitals, such as STANDARD_IA');
}

/** An id, an alias or an ARN. */
export function parseKeyId(text: string): string {
  if (/^[A-Za-z0-9:/_-]{1,2048}$/.test(text)) return text;
  throw new Error('expected the id, the ARN or the alias (alias/name) of a KMS key');
}

export function parseObjectLock(text: string): S3Settings['objectLock'] {
  const rule = 'expected a duration in days such as 30d, or with its mode: governance 30d, compliance 30d';
  const [, mode = 'governance', days = ''] = /^(?:(governance|compliance) +)?(\d+d)$/i.exec(text) ?? [];
  if (days === '') throw new Error(rule);
  const ms = parseDuration(days);
  if (ms === 0 || ms > LONGEST_LOCK_MS) throw new Error(`${rule}, from 1d to 36500d`);
  return { mode: mode.toLowerCase() === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE', ms };
}
