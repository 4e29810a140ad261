import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from '@aws-sdk/client-s3';

type Inputs = Record<string, string>;

/** A policy as IAM writes it. */
export interface Policy {
  Version: string;
  Statement: object[];
}

/** An S3 store that others have written, started for the tests. */
export interface S3Server {
  endpoint: string;
  /** Of its administrator; buckets are made and looked into by it. */
  client: S3Client;
  /** The inputs that fit, but for the bucket. */
  inputs: Inputs;
  makeBucket(name: string, how?: 'plain' | 'versioned' | 'locking'): Promise<void>;
  /** For each policy the inputs of somebody who may do what it says in that bucket, and nothing else. */
  grant<Role extends string>(bucket: string, policies: Record<Role, Policy>): Promise<Record<Role, Inputs>>;
  /** Ends it and removes what it keeps. */
  stop(): Promise<void>;
}

/** What the keys of the administrator give. */
export function accessTo(
  endpoint: string,
  accessKeyId: string,
  secretAccessKey: string,
): Pick<S3Server, 'endpoint' | 'client' | 'inputs' | 'makeBucket'> {
  const inputs = inputsOf(endpoint, accessKeyId, secretAccessKey);
  const client = clientOf(inputs);
  return {
    ...{ endpoint, client, inputs },
    async makeBucket(name, how = 'plain') {
      await client.send(new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: how === 'locking' }));
      if (how !== 'versioned') return;
      const VersioningConfiguration = { Status: 'Enabled' } as const;
      await client.send(new PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration }));
    },
  };
}

export function inputsOf(endpoint: string, accessKeyId: string, secretAccessKey: string, sessionToken = ''): Inputs {
  return {
    ...{ 's3-endpoint': endpoint, 's3-access-key-id': accessKeyId, 's3-secret-access-key': secretAccessKey },
    ...(sessionToken === '' ? {} : { 's3-session-token': sessionToken }),
  };
}

/** A client with the endpoint and the keys of these inputs. */
export function clientOf(inputs: Inputs): S3Client {
  const { 's3-endpoint': endpoint = '', 's3-session-token': sessionToken } = inputs;
  const { 's3-access-key-id': accessKeyId = '', 's3-secret-access-key': secretAccessKey = '' } = inputs;
  return new S3Client({
    ...{ endpoint, region: 'us-east-1', forcePathStyle: true },
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}

/** Waits until it answers so; `isOver` says why it never will. */
export async function answers(
  url: string,
  isRight = (_: Response) => true,
  isOver = (): string | null => null,
): Promise<void> {
  for (const end = Date.now() + 60_000; ; await sleep(50)) {
    const over = isOver();
    if (over !== null) throw new Error(over);
    try {
      if (isRight(await fetch(url))) return;
      if (Date.now() > end) throw new Error(`${url} does not answer as it should`);
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
