import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { accessTo, answers, freePort, inputsOf, type Policy, type S3Server } from './s3-server.js';

const SCRIPT = fileURLToPath(new URL('../../scripts/minio.sh', import.meta.url));
const ACCESS_KEY = 'minio-of-the-tests';
const SECRET_KEY = 'secret/of+minio';
/** The one key that its own key management has. */
export const KMS_KEY = 'backups';

/** The program that scripts/minio.sh has built, or that is on the PATH; null when there is none. */
export function minioProgram(): string | null {
  const { status, stdout } = spawnSync('sh', [SCRIPT, 'find'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

/** Starts a MinIO of its own on loopback, with all that is stored in a directory of its own: a real store, ready after a second. */
export async function startMinio(program: string): Promise<S3Server> {
  const dir = mkdtempSync(join(tmpdir(), 'dbb-minio-'));
  const port = await freePort();
  const child = spawn(program, ['server', '--quiet', '--address', `127.0.0.1:${port}`, join(dir, 'data')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...{ PATH: process.env.PATH, HOME: dir },
      ...{ MINIO_ROOT_USER: ACCESS_KEY, MINIO_ROOT_PASSWORD: SECRET_KEY },
      ...{ MINIO_BROWSER: 'off', MINIO_UPDATE: 'off' },
      MINIO_CI_CD: 'on', // the disk of the system will do
      MINIO_KMS_SECRET_KEY: `${KMS_KEY}:${Buffer.alloc(32, 7).toString('base64')}`,
    },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
  const ended = once(child, 'close');
  const isOver = () => (child.exitCode === null ? null : `MinIO ended with ${child.exitCode}: ${said}`);
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    rmSync(dir, { recursive: true, force: true });
  };
  const endpoint = `http://127.0.0.1:${port}`;
  try {
    await answers(`${endpoint}/minio/health/ready`, ({ ok }) => ok, isOver);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ...accessTo(endpoint, ACCESS_KEY, SECRET_KEY),
    grant: async (_, policies) =>
      Object.fromEntries(
        Object.entries<Policy>(policies).map(([role, policy]) => [role, assumeRole(endpoint, policy)]),
      ) as Record<keyof typeof policies, Record<string, string>>,
    stop,
  };
}

/** Keys for an hour, which may do what the policy says. */
function assumeRole(endpoint: string, policy: Policy): Record<string, string> {
  const form = { Action: 'AssumeRole', Version: '2011-06-15', DurationSeconds: '3600', Policy: JSON.stringify(policy) };
  const signed = ['--aws-sigv4', 'aws:amz:us-east-1:sts', '--user', `${ACCESS_KEY}:${SECRET_KEY}`];
  const options = ['-q', '-sS', '--fail-with-body', ...signed, '--data', `${new URLSearchParams(form)}`];
  const answer = execFileSync('curl', [...options, `${endpoint}/`], { encoding: 'utf8' });
  const field = (name: string): string => new RegExp(`<${name}>([^<]+)<`).exec(answer)?.[1] ?? '';
  return inputsOf(endpoint, field('AccessKeyId'), field('SecretAccessKey'), field('SessionToken'));
}
