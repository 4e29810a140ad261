import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const TOKEN = 'cache-token-0123456789';

interface Entry {
  key: string;
  version: string;
  blob: string;
  done: boolean;
  /** In the order of their making. */
  at: number;
}

export interface CacheService {
  /** What the runner gives to a JavaScript action. */
  env: Record<string, string>;
  /** Method and path of each call. */
  calls: string[];
  /** Keys that were saved, oldest first. */
  keys(): string[];
  /** What was saved, as it was uploaded, oldest first. */
  archives(): Buffer[];
  /** Puts an archive there as if a workflow had saved it, under the version of the last question that was asked. */
  forge(key: string, archive: Buffer): void;
  /** From now on: as it should be; every call fails with this status; calls are never answered. */
  behave(how: 'well' | 'silent' | number): void;
  stop(): Promise<void>;
}

/**
 * The cache service of GitHub (v2: twirp as JSON, and a block blob for the bytes), with which `@actions/cache` works as it does with the
 * real one. It knows no branches, and forgets nothing.
 */
export async function startCacheService(): Promise<CacheService> {
  const entries: Entry[] = [];
  const blobs = new Map<string, Buffer>();
  const calls: string[] = [];
  let behaviour: 'well' | 'silent' | number = 'well';
  let asked = '';
  const address = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const server = createServer((request, response) => void answer(request, response));

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const { pathname } = new URL(request.url ?? '', address());
    calls.push(`${request.method} ${pathname.replace(/[0-9a-f-]{36}$/, 'BLOB')}`);
    if (behaviour === 'silent') return;
    const json = (value: object, status = 200) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(value));
    };
    if (behaviour !== 'well') return json({ code: 'unavailable', msg: 'come back later' }, behaviour);
    const method = /CacheService\/(\w+)$/.exec(pathname)?.[1];
    if (method === undefined) return blob(request, response, pathname.replace('/blob/', ''), body);
    if (request.headers.authorization !== `Bearer ${TOKEN}`) {
      return json({ code: 'unauthenticated', msg: 'bad token' }, 401);
    }
    const { key, version, restore_keys: beginnings = [] } = JSON.parse(body.toString());
    asked = version;
    const own = entries.filter((entry) => entry.version === version);
    if (method === 'CreateCacheEntry') {
      if (own.some((entry) => entry.key === key)) return json({ code: 'already_exists', msg: 'it is there' }, 409);
      const entry = { key, version, blob: randomUUID(), done: false, at: entries.length };
      entries.push(entry);
      return json({ ok: true, signed_upload_url: `${address()}blob/${entry.blob}?sig=secret-signature` });
    }
    if (method === 'FinalizeCacheEntryUpload') {
      for (const entry of own) entry.done ||= entry.key === key;
      return json({ ok: true, entry_id: '1' });
    }
    const done = own.filter((entry) => entry.done).sort((one, other) => other.at - one.at);
    const found =
      done.find((entry) => entry.key === key) ??
      beginnings.map((text: string) => done.find((entry) => entry.key.startsWith(text))).find(Boolean);
    if (found === undefined) return json({ ok: false });
    const url = `${address()}blob/${found.blob}?sig=secret-signature`;
    json({ ok: true, signed_download_url: url, matched_key: found.key });
  }

  function blob(request: IncomingMessage, response: ServerResponse, id: string, body: Buffer): void {
    const head = {
      etag: '"0x1"',
      'last-modified': new Date().toUTCString(),
      'x-ms-version': '2020-10-02',
      'x-ms-request-server-encrypted': 'true',
    };
    if (request.method === 'PUT') {
      blobs.set(id, body);
      response.writeHead(201, head).end();
      return;
    }
    const data = blobs.get(id) ?? Buffer.alloc(0);
    const range = /bytes=(\d+)-(\d*)/.exec(String(request.headers.range ?? request.headers['x-ms-range'] ?? ''));
    const from = Number(range?.[1] ?? 0);
    const to = Math.min(range?.[2] ? Number(range[2]) : data.length - 1, data.length - 1);
    response.writeHead(range === null ? 200 : 206, {
      ...head,
      'content-length': to - from + 1,
      'accept-ranges': 'bytes',
      ...(range === null ? {} : { 'content-range': `bytes ${from}-${to}/${data.length}` }),
    });
    response.end(request.method === 'HEAD' ? undefined : data.subarray(from, to + 1));
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const done = () => entries.filter((entry) => entry.done);
  return {
    env: {
      ACTIONS_CACHE_SERVICE_V2: 'true',
      ACTIONS_RESULTS_URL: address(),
      ACTIONS_RUNTIME_TOKEN: TOKEN,
      GITHUB_SERVER_URL: 'https://github.com',
    },
    calls,
    keys: () => done().map(({ key }) => key),
    archives: () => done().map((entry) => blobs.get(entry.blob) ?? Buffer.alloc(0)),
    forge(key, archive) {
      const entry = { key, version: asked, blob: randomUUID(), done: true, at: entries.length };
      entries.push(entry);
      blobs.set(entry.blob, archive);
    },
    behave(how) {
      behaviour = how;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
