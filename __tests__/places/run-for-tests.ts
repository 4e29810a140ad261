import { runOf } from '../../src/main.js';
import type { Log } from '../../src/reporting/log.js';
import { newReport } from '../../src/reporting/report.js';
import type { Run } from '../../src/run/run.js';
import { PATH } from '../backups/sample-backups.js';
import { accepted, type Given } from '../settings/given-inputs.js';

/** A run, and what it has told. */
export interface ToldRun extends Run {
  told: string[];
}

/** A run on this machine with these inputs, of the database of the sample backups, that has nobody to tell. */
export async function runForTests(inputs: Given = {}, now = new Date()): Promise<ToldRun> {
  const given = { transport: 'local', database: PATH, ...inputs };
  const { settings } = await accepted(given);
  const told: string[] = [];
  const tell = (text: string) => void told.push(text);
  const log: Log = {
    info: tell,
    result: tell,
    live: () => false,
    warning: tell,
    error: tell,
    debug: () => {},
    group: (_, work) => work(),
  };
  const run = runOf(settings, log, newReport(now), new AbortController().signal);
  return Object.assign(run, { now: () => now, noteUpload: () => {}, told });
}
