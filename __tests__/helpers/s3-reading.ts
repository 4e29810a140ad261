import type { ServerResponse } from 'node:http';
import type { S3Request } from './s3-double.js';
import type { S3Object } from './s3-objects.js';
import { S3Error } from './s3-signature.js';

/** An answer that breaks off after so many bytes; `before` is called before. */
export interface Interrupted {
  after: number;
  before?: () => void;
  /** It does not break off, and nothing comes any more. */
  stays?: boolean;
}

/** Answers GET and HEAD of an object, with `Range: bytes=N-` and `bytes=N-M`, and `If-Match`. */
export function read(
  { method, headers }: S3Request,
  object: S3Object,
  response: ServerResponse,
  told: Record<string, string>,
  interrupted: Interrupted | null = null,
): void {
  const { body, etag } = object;
  const condition = headers['if-match'];
  if (condition !== undefined && condition !== `"${etag}"`) {
    throw new S3Error(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold');
  }
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? [];
  const from = Number(first ?? 0);
  if (first !== undefined && from >= object.bytes) throw new S3Error(416, 'InvalidRange');
  const to = last === undefined || last === '' ? object.bytes : Math.min(object.bytes, Number(last) + 1);
  response.writeHead(first === undefined ? 200 : 206, {
    ...told,
    'content-length': to - from,
    ...(first === undefined ? {} : { 'content-range': `bytes ${from}-${to - 1}/${object.bytes}` }),
  });
  if (interrupted === null) {
    response.end(method === 'HEAD' ? undefined : body.subarray(from, to));
    return;
  }
  interrupted.before?.();
  response.write(body.subarray(from, from + interrupted.after), () => {
    if (!interrupted.stays) response.socket?.destroy();
  });
}
