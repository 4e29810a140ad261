import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { BackupError } from '../errors.js';
import { pull, type Wanted } from '../host/download.js';
import type { Connection } from '../run/connect.js';
import type { Run } from '../run/run.js';

/** The bytes of a file of the host, which may be this machine; it comes to its end only when they are those that are wanted. Throws as `pull`. */
export function fromHost({ settings, signal }: Run, { host }: Connection, wanted: Wanted): AsyncIterable<Buffer> {
  if (settings.transport.transport === 'local') return checked(wanted, signal);
  return pull(host, wanted, { signal, idleTimeoutMs: settings.idleTimeoutMs, onProgress: () => {} });
}

/** A file of this machine, compared on the way. Throws E_CHECKSUM. */
async function* checked({ directory, file, bytes, sha256 }: Wanted, signal: AbortSignal): AsyncGenerator<Buffer, void> {
  const path = join(directory, file);
  const hash = createHash('sha256');
  let read = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal })) {
    hash.update(chunk as Buffer);
    read += (chunk as Buffer).length;
    yield chunk as Buffer;
  }
  if (read === bytes && hash.digest('hex') === sha256) return;
  throw new BackupError('E_CHECKSUM', `${path} no longer has the bytes that were backed up`);
}
