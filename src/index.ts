import './esm-globals.js';
import './cancel.js'; // listens to signals before all that takes time to load

import { basename } from 'node:path';
import * as core from '@actions/core';
import { cancel } from './cancel.js';
import { main } from './main.js';
import { post } from './post.js';

// The runner starts this file for `main`, and dist/post.js, which imports it, for `post`; what main saved goes to post.
// The state alone does not tell the two apart: a main that was killed early saved nothing, and its post would be a backup.
const STARTED = 'started';
const FINISHED = 'finished';
/** A link that died silently keeps the process for minutes; nothing that is still open by then matters. */
const EXIT_MS = 1_000;

if (basename(process.argv[1] ?? '') !== 'post.js') {
  core.saveState(STARTED, 'true');
  if (await main(cancel)) core.saveState(FINISHED, 'true');
} else if (core.getState(STARTED) !== '' && core.getState(FINISHED) === '') {
  await post(cancel.signal);
}
setTimeout(() => process.exit(), EXIT_MS).unref();
