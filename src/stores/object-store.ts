import { BackupError, ERRORS } from '../errors.js';
import type { Facts, HostRequest } from '../host/session.js';
import type { S3Settings, Settings } from '../settings/settings.js';

/** What a store says of an object, read back. */
export interface Stored {
  bytes: number;
  /** Ours, from the metadata of the object; null when it has none. */
  sha256: string | null;
  etag: string;
  /** null: the bucket keeps no versions. */
  versionId: string | null;
  /** Until then nobody may delete it. */
  lock: { mode: string; until: Date } | null;
  legalHold: boolean;
}

export interface Listed {
  key: string;
  bytes: number;
}

/** An upload that was begun, as the store knows it. */
export interface UnfinishedUpload {
  key: string;
  id: string;
}

/** An object that is to be read, as the store described it. */
export interface Wanted {
  key: string;
  bytes: number;
  /** null: nobody has told what it should be. */
  sha256: string | null;
  etag: string;
}

/** What is to become an object, and who is told of it on the way. */
export interface Sending {
  bytes: number;
  sha256: string;
  /** From here on there is something to give up. */
  onBegun: (upload: UnfinishedUpload) => void;
  onSent: (bytes: number) => void;
  /** It is an object now, which has still to be read back. */
  onWhole: () => void;
}

/** The host that a store lends the right to one object: what it is asked, and what it tells while it answers. */
export interface HostLink {
  send(...requests: HostRequest[]): Promise<Facts>;
  said(key: string): string[];
}

/** A host that has shown that it can send a file of its backup directory, and that these are the bytes. */
export interface HostSender {
  link: HostLink;
  file: string;
  /** Of each part. How many there are is the store's own matter. */
  md5s: string[];
}

/** Why the host can not do it by itself; `lacking`: for want of this tool. */
export interface Unable {
  why: string;
  lacking: string | null;
}

/** How a store lets the host send and fetch by itself, without its credentials. */
export interface Lending {
  /** What it will send, or why it can not. */
  prepare(
    key: string,
    payload: { file: string; bytes: number; sha256: string },
    link: HostLink,
  ): Promise<HostSender | Unable>;
  /** Why it can not fetch, or null. */
  whyNotFetch(key: string, link: HostLink): Promise<Unable | null>;
  /** Into the file of that name, in the folder that the session has for it. */
  fetch(wanted: Wanted, file: string, link: HostLink, onRead: (bytes: number) => void): Promise<void>;
}

/**
 * A store of objects by name. Every failure is a BackupError in words; nothing that is there is ever overwritten; what was written is read
 * back; credentials never get to the host.
 */
export interface ObjectStore {
  /** How far the clock of the store was ahead of the runner's in its last answer; null: it has told no time. */
  readonly clockAheadMs: number | null;
  /** `<prefix>/<name>/<file>` */
  keyOf(name: string, file: string): string;
  uriOf(key: string): string;
  /** Every object whose key begins so. Half a list is a failure. */
  list(prefix: string): Promise<Listed[]>;
  /** null when there is no such object. */
  head(key: string): Promise<Stored | null>;
  /** A small object as text; null when there is none. Throws E_TOO_LARGE. */
  get(key: string): Promise<string | null>;
  /** The bytes as fast as they are taken. Comes to its end only when size and SHA-256 are right; else throws E_CHECKSUM. */
  read(wanted: Wanted, onRead: (bytes: number) => void, signal?: AbortSignal): AsyncIterable<Buffer>;
  /** A small text, unless it is there already. */
  put(key: string, text: string): Promise<void>;
  /** A payload from a stream that ends well only when all its bytes came, or by the host. What was begun is not given up here. */
  upload(key: string, sending: Sending, from: AsyncIterable<Buffer> | HostSender): Promise<Stored>;
  /** What is there under that name is what should be there: size, SHA-256, and how it is stored. */
  readBack(key: string, expected: { bytes: number; sha256: string }): Promise<Stored>;
  /** Also when the run was cancelled. False when the store did not say that it is gone. */
  giveUp(upload: UnfinishedUpload): Promise<boolean>;
  /** Of an object that may be gone already. `hidden`: the bucket keeps versions, so the bytes stay. `locked`: it must not. */
  remove(key: string): Promise<'deleted' | 'hidden' | 'locked'>;
  readonly lending: Lending;
  /** Ends its connections. */
  close(): void;
}

/** Loads the store of a run when it is asked for. */
export type OpenStore = () => Promise<ObjectStore>;

/**
 * Lends `work` the store of these settings, and closes it on every path. `bucket`: another one than theirs. The kinds of stores are known
 * here alone, and loaded when used: an SDK takes as long as all the rest.
 */
export async function withStore<T>(
  { settings, signal }: { settings: Pick<Settings, 'idleTimeoutMs'> & { s3: S3Settings }; signal: AbortSignal },
  work: (open: OpenStore) => Promise<T>,
  bucket = settings.s3.bucket,
): Promise<T> {
  let opened: Promise<ObjectStore> | null = null;
  const open = async (): Promise<ObjectStore> => {
    const { S3Store } = await import('./s3/store.js');
    return new S3Store({ ...settings.s3, bucket }, signal, settings.idleTimeoutMs);
  };
  try {
    return await work(() => {
      opened ??= open();
      return opened;
    });
  } finally {
    (await (opened as Promise<ObjectStore> | null)?.catch(() => null))?.close();
  }
}

/** As messages name what is in the store of these settings. */
export const addressOf = ({ bucket, prefix }: S3Settings, name: string, file = ''): string =>
  `s3://${[bucket, prefix, name].filter((part) => part !== '').join('/')}/${file}`;

/** It is the store that failed, not the run around it. */
export const isOfStore = (error: unknown): error is BackupError =>
  error instanceof BackupError && ERRORS[error.code].class === 'store';

/** The copy in the store is not the backup that it is said to be. */
export const changed = (uri: string, why: string): BackupError =>
  new BackupError(
    'E_CHECKSUM',
    `${uri} is not the object that was uploaded: ${why}`,
    'Do not rely on that copy. Find out who can write to the bucket, and take another backup. The fetched file was removed before anything read it.',
  );
