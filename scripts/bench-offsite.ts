/**
 * The upload of one large backup to an S3 server on this machine: what one would type by hand, and this action in both ways. Both
 * ends, the server and SSH share the processors of this machine: ratios count.
 * By itself: node --experimental-transform-types --import ./scripts/typescript.mjs scripts/bench-offsite.ts [MEBIBYTES [RUNS]]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { DeleteObjectsCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { minioProgram, startMinio } from '../__tests__/helpers/minio.js';
import { startRadosgw } from '../__tests__/helpers/radosgw.js';
import type { S3Server } from '../__tests__/helpers/s3-server.js';
import { createDatabase } from '../__tests__/helpers/sqlite.js';
import { startSshd } from '../__tests__/helpers/sshd.js';
import { act, byHand, type Measured, median, mega } from './bench-tools.js';

const BUCKET = 'bench';

/** One that others have written: MinIO when it was built, else Ceph, which keeps all in memory. */
async function startServer(mebibytes: number): Promise<[string, S3Server]> {
  const minio = minioProgram();
  const server = await (minio === null ? startRadosgw({ megabytes: 2048 + 6 * mebibytes }) : startMinio(minio));
  await server.makeBucket(BUCKET);
  return [minio === null ? 'Ceph' : 'MinIO', server];
}

export async function benchOffsite(mebibytes: number, runs: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'db-backup-bench-'));
  const [sshd, [name, server]] = await Promise.all([startSshd(), startServer(mebibytes)]);
  try {
    const database = join(folder, 'app.db');
    await createDatabase(database, { mb: mebibytes });
    const inputs = {
      ...{ host: '127.0.0.1', port: String(sshd.port), username: userInfo().username },
      ...{ key: sshd.clientKey, 'known-hosts': sshd.knownHosts, database, directory: join(folder, 'db-backups') },
      ...{ compression: 'none', verify: 'checksum' },
    };
    const { backup } = (await act(inputs)).report;
    if (backup === null) throw new Error('no backup');
    const { path: file, bytes } = backup;

    writeFileSync(join(folder, 'key'), sshd.clientKey, { mode: 0o600 });
    writeFileSync(join(folder, 'known_hosts'), sshd.knownHosts);
    const known = `-o UserKnownHostsFile=${folder}/known_hosts -o GlobalKnownHostsFile=/dev/null`;
    const ssh = `ssh -F none -q -o BatchMode=yes -i ${folder}/key ${known} -p ${sshd.port} ${inputs.username}@127.0.0.1`;
    const url = await getSignedUrl(server.client, new PutObjectCommand({ Bucket: BUCKET, Key: 'by-hand' }));
    const hand = (way: string, script: string) => byHand(way, script, { runs, uri: url, file });
    const curl = 'curl -q -sS -f -o /dev/null';
    const streamed = await hand(
      'ssh host cat f | curl -T - URL',
      `${ssh} cat ${file} | ${curl} -T - -H 'Transfer-Encoding:' -H 'Content-Length: ${bytes}' "$URI"`,
    );
    const direct = await hand('ssh host curl -T f URL', `${ssh} "${curl} -T ${file} '$URI'"`);

    const measured: [Measured, Measured, string][] = [
      [streamed, streamed, ''],
      [direct, direct, ''],
    ];
    for (const [via, against] of [
      ['runner', streamed],
      ['host', direct],
    ] as const) {
      const one: Measured = { name: `this action, s3-upload-via: ${via}`, seconds: [], bytes };
      let memory = 0;
      for (let run = 0; run < runs; run++) {
        const copying = { ...server.inputs, 's3-bucket': BUCKET, 's3-upload-via': via, 'skip-if-younger-than': '1d' };
        const { report, peak } = await act({ ...inputs, ...copying });
        const upload = report.stages.find((stage) => stage.name === 'upload');
        if (upload === undefined || report.offsite?.via !== via) throw new Error(`not uploaded through the ${via}`);
        one.seconds.push(upload.ms / 1000);
        memory = Math.max(memory, peak);
        await empty(server);
      }
      measured.push([one, against, mega(memory)]);
    }

    console.log(`| upload of ${mega(bytes)} to ${name} | seconds | MB/s | runner's memory | against by hand |`);
    console.log('| --- | ---: | ---: | ---: | ---: |');
    for (const [one, against, memory] of measured) {
      const time = median(one.seconds);
      const row = [
        one.name.replaceAll('|', '\\|'),
        time.toFixed(2),
        (bytes / 1e6 / time).toFixed(0),
        memory,
        `${(time / median(against.seconds)).toFixed(2)} of its time`,
      ];
      console.log(`| ${row.join(' | ')} |`);
    }
  } finally {
    await Promise.all([server.stop(), sshd.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function empty({ client }: S3Server): Promise<void> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: 'app/' }));
  const Objects = Contents.map(({ Key }) => ({ Key }));
  await client.send(new DeleteObjectsCommand({ Bucket: BUCKET, Delete: { Objects } }));
}

if (process.argv[1] === import.meta.filename) {
  await benchOffsite(Number(process.argv[2] ?? 1024), Number(process.argv[3] ?? 1));
}
