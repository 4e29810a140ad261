import { randomBytes } from 'node:crypto';
import * as v from 'valibot';
import { faultInIdentity, formatOf, type Identity } from '../backups/format.js';
import { formatId } from '../backups/names.js';
import type { SigningKeys } from '../backups/signature.js';
import type { HostRequest } from '../host/session.js';
import type { Connection } from '../run/connect.js';
import type { Run } from '../run/run.js';
import { isObject, object, oneOf, whole } from '../schemas.js';
import { LONGEST_TIMER_MS } from '../settings/value-rules.js';

export const PHASES = ['begun', 'loading', 'swapping', 'swapped', 'rolling-back'] as const;

const JOURNAL = object({
  schema: oneOf([1]),
  id: v.string(),
  way: v.string(),
  /** Where the database is that is replaced, as the run was told, without a password. */
  target: v.string(),
  /** What that database is. */
  identity: v.custom<Identity>(isObject),
  /** A path means another file in another container. */
  container: v.nullable(v.string()),
  /** What is restored, for messages. */
  backup: v.string(),
  phase: oneOf(PHASES),
  /** Id of the safety backup, or null. */
  safety: v.nullable(v.string()),
  checkCommand: v.nullable(v.string()),
  /** after-restore-command was begun and has not come to its end. */
  afterBegun: v.boolean(),
  /** check-command was begun by a run that finished the restore, and is not begun again. */
  checkBegun: v.boolean(),
  /** How long a command of the user may take. */
  commandTimeoutMs: v.pipe(whole(1000), v.maxValue(LONGEST_TIMER_MS)),
  /** Who began it, and when. */
  by: v.string(),
});
/** What a restore is about to do, written on the host before it does it, so that the next run can bring it to an end. */
export type Journal = v.InferOutput<typeof JOURNAL>;

/** The name of its file in `.work`. */
const FILE = /^restore-([A-Za-z0-9._-]{1,100})$/;

/** Resolves when the host has it on its disk, signed as manifests are when the run has a key. */
export async function writeJournal({ settings }: Run, connection: Connection, journal: Journal): Promise<void> {
  const text = JSON.stringify(settings.signing === null ? journal : settings.signing.sign(journal));
  await connection.send(['job', 'put_journal', [text]]);
}

/** The restore has come to an end. */
export const endJournal: HostRequest = ['job', 'put_journal', ['']];

/** A work folder on the host, for the step of a restore that follows. */
export function work({ settings, now }: Run): HostRequest {
  return ['request', 'expect_work', [formatId(settings.name, now(), randomBytes(2).toString('hex'))]];
}

/** What stands in a file of the work folder; null when this version did not write it, or not with one of these keys. */
export function parseJournal(file: string, text: string, keys: SigningKeys | null): Journal | null {
  try {
    const document: unknown = JSON.parse(text);
    const journal = v.parse(JOURNAL, document);
    // the commands of a person are in it
    if (keys !== null && keys.verdict(document as object) !== 'signed') return null;
    const format = formatOf(journal.identity);
    const isOurs = FILE.exec(file)?.[1] === journal.id && format !== null;
    return isOurs && faultInIdentity(format, journal.identity) === null ? journal : null;
  } catch {
    return null;
  }
}
