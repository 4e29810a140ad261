import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from '@aws-sdk/client-s3';

const run = promisify(execFile);

const ACCESS_KEY = 'AKRADOSGW';
const SECRET_KEY = 'secret/of+radosgw';

export interface Radosgw {
  endpoint: string;
  /** Of its administrator; buckets are made and looked into by it. */
  client: S3Client;
  /** The inputs that fit, but for the bucket. */
  inputs: Record<string, string>;
  makeBucket(name: string, how?: 'plain' | 'versioned' | 'locking'): Promise<void>;
  /** Ends its daemons and removes what they keep. */
  stop(): Promise<void>;
}

/**
 * Starts a Ceph of its own with the S3 gateway of Debian (packages radosgw, ceph-mon, ceph-osd, ceph-common), on loopback, with all
 * that is stored in memory: a real store, ready after some 10 s.
 */
export async function startRadosgw(): Promise<Radosgw> {
  const dir = mkdtempSync(join(tmpdir(), 'dbb-rgw-'));
  for (const name of ['mon', 'osd0', 'run', 'log']) mkdirSync(join(dir, name));
  const [port, monPort] = [await freePort(), await freePort()];
  const fsid = randomUUID();
  writeFileSync(join(dir, 'ceph.conf'), configuration(dir, fsid, port, monPort));
  writeFileSync(join(dir, 'keyring'), '');
  const ceph = (program: string, ...args: string[]) => run(program, args, { cwd: dir, timeout: 60_000 });
  const key = (name: string, ...caps: string[]) =>
    ceph('ceph-authtool', 'keyring', '--gen-key', '-n', name, ...caps.flatMap((cap) => ['--cap', ...cap.split('=')]));
  const stop = async (): Promise<void> => {
    await endDaemons(join(dir, 'run'));
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await ceph('monmaptool', '--create', '--fsid', fsid, '--addv', 'a', `[v2:127.0.0.1:${monPort}]`, 'monmap');
    await key('mon.', 'mon=allow *');
    await key('client.admin', 'mon=allow *', 'osd=allow *', 'mgr=allow *');
    await key('client.rgw.a', 'mon=allow *', 'osd=allow *');
    await key('osd.0', 'mon=allow profile osd', 'osd=allow *');
    const conf = ['-c', 'ceph.conf'];
    await ceph('ceph-mon', ...conf, '--mkfs', '-i', 'a', '--monmap', 'monmap', '--keyring', 'keyring');
    await ceph('ceph-mon', ...conf, '-i', 'a');
    const osd = randomUUID();
    await ceph('ceph', ...conf, 'osd', 'new', osd);
    await ceph('ceph-osd', ...conf, '-i', '0', '--mkfs', '--osd-uuid', osd);
    await ceph('ceph-osd', ...conf, '-i', '0');
    const gateway = [...conf, '-n', 'client.rgw.a'];
    const keys = [`--access-key=${ACCESS_KEY}`, `--secret=${SECRET_KEY}`];
    await ceph('radosgw-admin', ...gateway, 'user', 'create', '--uid=t', '--display-name=t', ...keys);
    await ceph('radosgw', ...gateway);
    const endpoint = `http://127.0.0.1:${port}`;
    await answers(endpoint);
    return { endpoint, ...accessTo(endpoint), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function accessTo(endpoint: string): Pick<Radosgw, 'client' | 'inputs' | 'makeBucket'> {
  const client = new S3Client({
    ...{ endpoint, region: 'us-east-1', forcePathStyle: true },
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  return {
    client,
    inputs: { 's3-endpoint': endpoint, 's3-access-key-id': ACCESS_KEY, 's3-secret-access-key': SECRET_KEY },
    async makeBucket(name, how = 'plain') {
      await client.send(new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: how === 'locking' }));
      if (how !== 'versioned') return;
      const VersioningConfiguration = { Status: 'Enabled' } as const;
      await client.send(new PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration }));
    },
  };
}

function configuration(dir: string, fsid: string, port: number, monPort: number): string {
  return `[global]
fsid = ${fsid}
mon host = v2:127.0.0.1:${monPort}
public network = 127.0.0.0/8
run dir = ${dir}/run
log file = ${dir}/log/$name.log
admin socket = ${dir}/run/$name.asok
pid file = ${dir}/run/$name.pid
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
mon pg warn min per osd = 0
mon max pg per osd = 1000
osd objectstore = memstore
memstore device bytes = 2147483648
osd data = ${dir}/osd0
mon data = ${dir}/mon
keyring = ${dir}/keyring
ms bind ipv6 = false
[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:${port}
rgw enable usage log = false
rgw dns name = localhost
`;
}

async function answers(endpoint: string): Promise<void> {
  for (const end = Date.now() + 60_000; ; await sleep(100)) {
    try {
      await fetch(endpoint);
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}

/** The daemons have left us; each has noted its number. */
async function endDaemons(folder: string): Promise<void> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.pid'));
  const pids = files.map((name) => Number(readFileSync(join(folder, name), 'utf8'))).filter((pid) => pid > 1);
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
  await sleep(200);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
