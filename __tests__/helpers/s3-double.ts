import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { assemble, type PendingUpload, type ReceivedPart, S3Bucket, type S3Object } from './s3-objects.js';
import { type Interrupted, read } from './s3-reading.js';
import { authenticate, S3Error } from './s3-signature.js';

// A strict stand-in for an S3 store: it checks every signature, length and digest, and keeps nothing that a real one would refuse.
// Real ones are in radosgw.ts and minio.ts; this one starts at once, and fails on demand.

export interface S3Request {
  method: string;
  bucket: string;
  key: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  /** The error that it was answered with, or null. */
  error: string | null;
}

/** What happens to a request instead. `error-in-200` is what S3 does when it fails after it has begun to answer. */
export type Fault =
  | { status: number; code: string; message?: string; headers?: Record<string, string> }
  | 'reset'
  | 'hang'
  | 'error-in-200'
  /** It is done, and the answer is lost. */
  | 'lost-answer'
  | Interrupted;

export interface S3DoubleOptions {
  region?: string;
  versioning?: boolean;
  locking?: boolean;
  /** How far the clock of the store is ahead. */
  clockAheadMs?: number;
  /** `If-None-Match` is overlooked, or refused as unknown. */
  conditions?: 'honoured' | 'ignored' | 'refused';
  /** Storage class, encryption and lock are overlooked. */
  forgetful?: boolean;
  /** It loses the last byte of what it is sent in parts, and does not notice. */
  damaging?: boolean;
  /** Bodies are hashed and thrown away. */
  discard?: boolean;
  /** Most keys in one page of a list. */
  page?: number;
  /** It cuts a list off, and does not say how it goes on. */
  losesToken?: boolean;
}

export interface S3Double {
  endpoint: string;
  bucket: S3Bucket;
  requests: S3Request[];
  uploads: Map<string, PendingUpload>;
  /** The inputs that fit. */
  inputs: Record<string, string>;
  /** The next `times` requests that match get this instead. */
  fail(match: (request: S3Request) => boolean, fault: Fault, times?: number): void;
  /** No faults any more. */
  heal(): void;
  /** Everything is gone: objects, uploads, requests, faults. */
  clear(): void;
  /** What is in the bucket, by key. */
  keys(): string[];
  stop(): Promise<void>;
}

export const BUCKET = 'shop-backups';
const ACCESS_KEY = 'AKIADOUBLE';
const SECRET_KEY = 'double/secret+key';
const LEAST_PART = 5 << 20;
const KEPT_HEADERS =
  /^x-amz-(meta-.*|storage-class|server-side-encryption|server-side-encryption-aws-kms-key-id|object-lock-(mode|retain-until-date))$/;

export async function startS3Double(options: S3DoubleOptions = {}): Promise<S3Double> {
  const region = options.region ?? 'us-east-1';
  const keys = {
    secrets: { [ACCESS_KEY]: SECRET_KEY },
    region,
    now: () => Date.now() + (options.clockAheadMs ?? 0),
  };
  const newBucket = () => new S3Bucket(options.versioning ?? options.locking ?? false, options.locking ?? false);
  const faults: { match: (request: S3Request) => boolean; fault: Fault; left: number }[] = [];
  const double = { bucket: newBucket(), requests: [] as S3Request[], uploads: new Map<string, PendingUpload>() };

  const takeFault = (request: S3Request): Fault | null => {
    const found = faults.find(({ match, left }) => left > 0 && match(request));
    if (found === undefined) return null;
    found.left--;
    return found.fault;
  };

  const server = createServer((incoming, response) => {
    void serve(incoming, response).catch(() => response.destroy());
  });
  server.requestTimeout = 0;

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '/', 'http://double');
    const [, bucket = '', ...path] = url.pathname.split('/').map(decodeURIComponent);
    const request: S3Request = {
      ...{ method: incoming.method ?? '', bucket, key: path.join('/'), query: url.searchParams },
      ...{ headers: incoming.headers, error: null },
    };
    double.requests.push(request);
    response.setHeader('date', new Date(keys.now()).toUTCString());
    try {
      const fault = takeFault(request);
      if (fault === 'hang') return;
      if (fault === 'reset') {
        request.error = 'reset';
        incoming.once('data', () => incoming.socket.resetAndDestroy());
        incoming.once('end', () => incoming.socket.resetAndDestroy());
        return;
      }
      if (fault === 'error-in-200') {
        await received(incoming);
        throw new S3Error(200, 'InternalError', 'We encountered an internal error. Please try again.');
      }
      if (typeof fault === 'object' && fault !== null && 'status' in fault) {
        await received(incoming);
        throw new S3Error(fault.status, fault.code, fault.message, fault.headers);
      }
      const { payload } = authenticate(incoming, url, keys);
      if (bucket !== BUCKET) throw new S3Error(404, 'NoSuchBucket', 'The specified bucket does not exist');
      const body = await receive(incoming, url, payload);
      if (fault === 'lost-answer') {
        answer(request, body, Object.assign(Object.create(response), { end: () => {}, writeHead: () => {} }));
        incoming.socket.resetAndDestroy();
      } else if (typeof fault === 'object' && fault !== null) {
        read(request, double.bucket.need(request.key, null), response, {}, fault);
      } else answer(request, body, response);
    } catch (error) {
      const told = error instanceof S3Error ? error : new S3Error(500, 'InternalError', String(error));
      request.error = `${told.code}: ${told.message}`;
      incoming.resume();
      const text = `<Error><Code>${told.code}</Code><Message>${escapeXml(told.message)}</Message></Error>`;
      send(response, incoming.method === 'HEAD' ? '' : text, told.status, told.headers);
    }
  }

  /** The whole body, when its length and digests are those that the request says. */
  async function receive(incoming: IncomingMessage, url: URL, payload: string): Promise<ReceivedPart> {
    const { headers } = incoming;
    const isUpload = incoming.method === 'PUT';
    if (isUpload && headers['content-length'] === undefined) {
      throw new S3Error(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.');
    }
    if (payload.startsWith('STREAMING-')) throw new S3Error(501, 'NotImplemented', 'aws-chunked');
    const { md5, sha256, chunks, bytes } = await received(incoming, isUpload && options.discard === true);
    if (/^[0-9a-f]{64}$/.test(payload) && payload !== sha256) throw new S3Error(400, 'XAmzContentSHA256Mismatch');
    const given = headers['content-md5'];
    if (given !== undefined && given !== Buffer.from(md5, 'hex').toString('base64')) {
      throw new S3Error(400, 'BadDigest', 'The Content-MD5 you specified did not match what we received.');
    }
    if (isUpload && given === undefined && !url.searchParams.has('retention'))
      throw new S3Error(400, 'InvalidRequest', 'Content-MD5 is required here');
    if (bytes !== Number(headers['content-length'] ?? bytes)) throw new S3Error(400, 'IncompleteBody');
    return { body: Buffer.concat(chunks), bytes, md5 };
  }

  function answer(request: S3Request, received: ReceivedPart, response: ServerResponse): void {
    const { method, query, key } = request;
    const id = query.get('uploadId');
    const upload = id === null ? null : double.uploads.get(id);
    if (id !== null && upload?.key !== key) {
      throw new S3Error(404, 'NoSuchUpload', 'The specified upload does not exist.');
    }
    if (key === '') send(response, list(query));
    else if (method === 'POST' && query.has('uploads')) begin(request, response);
    else if (method === 'PUT' && query.has('retention')) lock(request, received, response);
    else if (upload && id !== null && method !== 'GET' && method !== 'HEAD') {
      answerUpload(request, upload, id, received, response);
    } else answerObject(request, received, response);
  }

  function answerUpload(
    request: S3Request,
    upload: PendingUpload,
    id: string,
    received: ReceivedPart,
    response: ServerResponse,
  ): void {
    if (request.method === 'POST') complete(request, upload, id, received, response);
    else if (request.method === 'PUT') {
      upload.parts.set(Number(request.query.get('partNumber')), received);
      send(response, '', 200, { etag: `"${received.md5}"` });
    } else {
      double.uploads.delete(id);
      send(response, '', 204);
    }
  }

  function answerObject(request: S3Request, received: ReceivedPart, response: ServerResponse): void {
    const { method, query, key } = request;
    if (method === 'PUT') {
      checkCondition(request);
      const object = double.bucket.put(key, received, received.md5, keptHeaders(request));
      send(response, '', 200, headersOf(object));
    } else if (method === 'DELETE') {
      const gone = double.bucket.delete(key, query.get('versionId'));
      const marker = gone?.marker ? { 'x-amz-delete-marker': 'true' } : {};
      send(response, '', 204, gone?.versionId ? { 'x-amz-version-id': gone.versionId, ...marker } : {});
    } else {
      const object = double.bucket.need(key, query.get('versionId'));
      read(request, object, response, headersOf(object));
    }
  }

  function list(query: URLSearchParams): string {
    const prefix = query.get('prefix') ?? '';
    const after = Buffer.from(query.get('continuation-token') ?? '', 'base64url').toString();
    const most = Math.min(Number(query.get('max-keys') ?? 1000), options.page ?? 1000);
    const all = double.bucket.all().filter((object) => object.key.startsWith(prefix) && object.key > after);
    const shown = all.slice(0, most);
    const contents = shown.map(
      ({ key, time, etag, bytes }) =>
        `<Contents><Key>${escapeXml(key)}</Key><LastModified>${time.toISOString()}</LastModified><ETag>&quot;${etag}&quot;</ETag><Size>${bytes}</Size></Contents>`,
    );
    const token = Buffer.from(shown.at(-1)?.key ?? '').toString('base64url');
    const next =
      all.length > most && !options.losesToken ? `<NextContinuationToken>${token}</NextContinuationToken>` : '';
    return `<ListBucketResult><KeyCount>${shown.length}</KeyCount><IsTruncated>${all.length > most}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`;
  }

  function begin(request: S3Request, response: ServerResponse): void {
    const id = randomBytes(12).toString('hex');
    const { bucket, key } = request;
    double.uploads.set(id, { bucket, key, headers: keptHeaders(request), parts: new Map() });
    send(
      response,
      `<InitiateMultipartUploadResult><Bucket>${bucket}</Bucket><Key>${escapeXml(key)}</Key><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
    );
  }

  function complete(
    request: S3Request,
    upload: PendingUpload,
    id: string,
    { body }: ReceivedPart,
    response: ServerResponse,
  ): void {
    checkCondition(request);
    const listed = [...body.toString().matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = '']) => ({
      number: Number(/<PartNumber>(\d+)/.exec(part)?.[1]),
      etag: (/<ETag>(.*?)<\/ETag>/s.exec(part)?.[1] ?? '').replace(/&quot;|"/g, ''),
    }));
    const { object, etag } = assemble(upload, listed, LEAST_PART);
    if (options.damaging === true) {
      object.body = object.body.subarray(0, -1);
      object.bytes -= 1;
    }
    const made = double.bucket.put(upload.key, object, etag, upload.headers);
    double.uploads.delete(id);
    send(
      response,
      `<CompleteMultipartUploadResult><Key>${escapeXml(upload.key)}</Key><ETag>&quot;${etag}&quot;</ETag></CompleteMultipartUploadResult>`,
      200,
      headersOf(made),
    );
  }

  function lock({ key, query }: S3Request, { body }: ReceivedPart, response: ServerResponse): void {
    const object = double.bucket.need(key, query.get('versionId'));
    const [mode, until] = ['Mode', 'RetainUntilDate'].map(
      (tag) => new RegExp(`<${tag}>(.*?)<`).exec(body.toString())?.[1],
    );
    if (mode !== undefined && until !== undefined && !options.forgetful) {
      object.headers['x-amz-object-lock-mode'] = mode;
      object.headers['x-amz-object-lock-retain-until-date'] = until;
    }
    send(response, '');
  }

  function checkCondition({ headers, key }: S3Request): void {
    if (headers['if-none-match'] !== '*' || options.conditions === 'ignored') return;
    if (options.conditions === 'refused') {
      throw new S3Error(501, 'NotImplemented', 'A header you provided implies functionality that is not implemented');
    }
    if (double.bucket.has(key)) {
      throw new S3Error(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold');
    }
  }

  function keptHeaders({ headers }: S3Request): Record<string, string> {
    const kept = Object.entries(headers).filter(([name]) => KEPT_HEADERS.test(name));
    if (kept.some(([name]) => name.includes('object-lock')) && !options.forgetful && !double.bucket.locking) {
      throw new S3Error(400, 'InvalidRequest', 'Bucket is missing Object Lock Configuration');
    }
    const forgotten = ([name]: [string, unknown]) => options.forgetful === true && !name.startsWith('x-amz-meta-');
    return Object.fromEntries(kept.filter((one) => !forgotten(one)).map(([name, value]) => [name, String(value)]));
  }

  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    endpoint,
    get bucket() {
      return double.bucket;
    },
    requests: double.requests,
    uploads: double.uploads,
    inputs: {
      's3-bucket': BUCKET,
      's3-endpoint': endpoint,
      's3-access-key-id': ACCESS_KEY,
      's3-secret-access-key': SECRET_KEY,
    },
    fail: (match, fault, times = Number.POSITIVE_INFINITY) => void faults.push({ match, fault, left: times }),
    heal: () => void faults.splice(0),
    clear() {
      faults.splice(0);
      double.requests.splice(0);
      double.uploads.clear();
      double.bucket = newBucket();
    },
    keys: () => double.bucket.all().map(({ key }) => key),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function received(incoming: IncomingMessage, discard = false) {
  const hashes = { md5: createHash('md5'), sha256: createHash('sha256') };
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming) {
    hashes.md5.update(chunk as Buffer);
    hashes.sha256.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (!discard) chunks.push(chunk as Buffer);
  }
  return { md5: hashes.md5.digest('hex'), sha256: hashes.sha256.digest('hex'), chunks, bytes };
}

function headersOf({ etag, time, versionId, headers }: S3Object): Record<string, string> {
  const version = versionId === null ? {} : { 'x-amz-version-id': versionId };
  return { etag: `"${etag}"`, 'last-modified': time.toUTCString(), ...version, ...headers };
}

function send(response: ServerResponse, text: string, status = 200, headers: Record<string, string> = {}): void {
  const body = Buffer.from(text === '' ? '' : `<?xml version="1.0" encoding="UTF-8"?>\n${text}`);
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': body.length, ...headers });
  response.end(body);
}

const escapeXml = (text: string): string => text.replace(/[<>&"']/g, (found) => `&#${found.charCodeAt(0)};`);
