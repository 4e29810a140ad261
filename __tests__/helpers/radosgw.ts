import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { accessTo, answers, freePort, inputsOf, type Policy, type S3Server } from './s3-server.js';

const run = promisify(execFile);

const ACCESS_KEY = 'AKRADOSGW';
const SECRET_KEY = 'secret/of+radosgw';

/**
 * Starts a Ceph of its own with the S3 gateway of Debian (packages radosgw, ceph-mon, ceph-osd, ceph-common), on loopback, with all
 * that is stored in memory, as much as there is room for: a real store, ready after some 10 s.
 */
export async function startRadosgw({ megabytes = 2048 } = {}): Promise<S3Server> {
  const dir = mkdtempSync(join(tmpdir(), 'dbb-rgw-'));
  for (const name of ['mon', 'osd0', 'run', 'log']) mkdirSync(join(dir, name));
  const [port, monPort] = [await freePort(), await freePort()];
  const fsid = randomUUID();
  writeFileSync(join(dir, 'ceph.conf'), configuration(dir, fsid, port, monPort, megabytes));
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
    const makeUser = async (uid: string, accessKey: string, secretKey: string): Promise<void> => {
      const keys = [`--access-key=${accessKey}`, `--secret=${secretKey}`];
      await ceph('radosgw-admin', ...gateway, 'user', 'create', `--uid=${uid}`, `--display-name=${uid}`, ...keys);
    };
    await makeUser('admin', ACCESS_KEY, SECRET_KEY);
    await ceph('radosgw', ...gateway);
    const endpoint = `http://127.0.0.1:${port}`;
    await answers(endpoint);
    const access = accessTo(endpoint, ACCESS_KEY, SECRET_KEY);
    return {
      ...access,
      // as a policy of the bucket, for users who have no rights of their own
      async grant(bucket, policies) {
        const roles = Object.entries<Policy>(policies);
        for (const [role] of roles) await makeUser(role, role.toUpperCase(), SECRET_KEY);
        const Statement = roles.flatMap(([role, policy]) =>
          policy.Statement.map((one) => ({ ...one, Principal: { AWS: [`arn:aws:iam:::user/${role}`] } })),
        );
        const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
        await access.client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
        return Object.fromEntries(
          roles.map(([role]) => [role, inputsOf(endpoint, role.toUpperCase(), SECRET_KEY)]),
        ) as Record<keyof typeof policies, Record<string, string>>;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function configuration(dir: string, fsid: string, port: number, monPort: number, megabytes: number): string {
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
memstore device bytes = ${megabytes * 2 ** 20}
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
