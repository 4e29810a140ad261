import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** What an S3 store answers instead of doing what was asked. */
export class S3Error extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message = code,
    readonly headers: Record<string, string> = {},
  ) {
    super(message);
  }
}

export interface Keys {
  /** Secrets by access key. */
  secrets: Record<string, string>;
  region: string;
  /** The store's clock. */
  now: () => number;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

interface Signature {
  accessKey: string;
  scope: string[];
  signed: string[];
  signature: string;
  date: string;
  payload: string;
  presigned: boolean;
}

const MAX_SKEW_MS = 15 * 60_000;

/** Checks the signature of a request, in its headers or its URL, and says what it says of the body. Throws what S3 would answer. */
export function authenticate(request: IncomingMessage, url: URL, keys: Keys): { payload: string; presigned: boolean } {
  const found = url.searchParams.has('X-Amz-Signature') ? inUrl(url) : inHeaders(request);
  const secret = keys.secrets[found.accessKey];
  if (secret === undefined) {
    throw new S3Error(403, 'InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.');
  }
  checkTime(found, url, keys.now());
  const region = found.scope[1];
  if (region !== keys.region) {
    throw new S3Error(
      400,
      'AuthorizationHeaderMalformed',
      `The authorization header is malformed; the region '${region}' is wrong; expecting '${keys.region}'`,
    );
  }
  for (const name of Object.keys(request.headers)) {
    if (name.startsWith('x-amz-') && !found.signed.includes(name)) {
      throw new S3Error(
        403,
        'AccessDenied',
        `There were headers present in the request which were not signed: ${name}`,
      );
    }
  }
  if (found.signature !== expected(request, url, found, secret)) {
    throw new S3Error(
      403,
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided.',
    );
  }
  return found;
}

function inUrl({ searchParams }: URL): Signature {
  const get = (name: string): string => searchParams.get(name) ?? '';
  const [accessKey = '', ...scope] = get('X-Amz-Credential').split('/');
  return {
    ...{ accessKey, scope, presigned: true },
    signed: get('X-Amz-SignedHeaders').split(';'),
    signature: get('X-Amz-Signature'),
    date: get('X-Amz-Date'),
    payload: searchParams.get('X-Amz-Content-Sha256') ?? 'UNSIGNED-PAYLOAD',
  };
}

function inHeaders({ headers }: IncomingMessage): Signature {
  const [, accessKey, scope = '', signed = '', signature] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=(\w+)$/.exec(
      headers.authorization ?? '',
    ) ?? [];
  if (accessKey === undefined || signature === undefined) throw new S3Error(403, 'AccessDenied', 'Access Denied');
  return {
    ...{ accessKey, signature, presigned: false },
    scope: scope.split('/'),
    signed: signed.split(';'),
    date: String(headers['x-amz-date']),
    payload: String(headers['x-amz-content-sha256']),
  };
}

function checkTime({ date, presigned }: Signature, { searchParams }: URL, now: number): void {
  const signedAt = Date.parse(date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (presigned && now > signedAt + 1000 * Number(searchParams.get('X-Amz-Expires'))) {
    throw new S3Error(403, 'AccessDenied', 'Request has expired');
  }
  if (Number.isNaN(signedAt) || Math.abs(now - signedAt) > (presigned ? 7 * 86_400_000 : MAX_SKEW_MS)) {
    throw new S3Error(
      403,
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
    );
  }
}

function expected(request: IncomingMessage, url: URL, found: Signature, secret: string): string {
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const pairs = query
    .split('&')
    .filter((pair) => pair !== '' && !pair.startsWith('X-Amz-Signature='))
    .map((pair) => {
      const [name = '', value = ''] = pair.split(/=(.*)/s);
      return [name, value].map((part) => encode(decodeURIComponent(part.replace(/\+/g, ' '))));
    })
    .sort(([a = '', x = ''], [b = '', y = '']) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : 1));
  const canonical = [
    request.method,
    path || url.pathname,
    pairs.map((pair) => pair.join('=')).join('&'),
    ...found.signed.map(
      (name) =>
        `${name}:${String(request.headers[name] ?? '')
          .trim()
          .replace(/\s+/g, ' ')}`,
    ),
    '',
    found.signed.join(';'),
    found.payload,
  ].join('\n');
  const [day = '', region = ''] = found.scope;
  const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(
    (made, part) => hmac(made, part),
    `AWS4${secret}`,
  );
  const text = ['AWS4-HMAC-SHA256', found.date, found.scope.join('/'), sha256(canonical)].join('\n');
  return hmac(key, text).toString('hex');
}

const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`);
