import * as v from 'valibot';
import { describe } from '../errors.js';
import { warn } from '../run/connect.js';
import type { Run } from '../run/run.js';
import { object, text } from '../schemas.js';
import { type ObjectStore, type UnfinishedUpload, withStore } from '../stores/object-store.js';

/** What main leaves for post. */
const NOTE = object({ key: text(1), id: text(1) });

/** Removes from the store what was sent of an upload that will not be completed. */
export async function giveUp(run: Run, store: ObjectStore, upload: UnfinishedUpload): Promise<void> {
  if (await store.giveUp(upload)) {
    run.noteUpload(null);
    run.log.info('removed the unfinished upload from the bucket');
    return;
  }
  warn(
    run,
    `the unfinished upload ${upload.id} of ${store.uriOf(upload.key)} could not be removed from the bucket; a lifecycle rule (AbortIncompleteMultipartUpload) removes such uploads`,
  );
}

/** The same of what a run that was killed had begun: `noted` is what it left of it, empty when there is none. Never throws. */
export async function giveUpNoted(run: Run, noted: string): Promise<void> {
  if (noted === '') return;
  const { settings, signal } = run;
  const { s3 } = settings;
  if (s3 === null) return;
  try {
    const upload = v.parse(NOTE, JSON.parse(noted));
    await withStore({ settings: { ...settings, s3 }, signal }, async (open) => giveUp(run, await open(), upload));
  } catch (error) {
    warn(run, `could not remove an unfinished upload from the bucket: ${describe(error).message}`);
  }
}
