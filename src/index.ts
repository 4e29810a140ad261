import './esm-globals.js';
import './cancel.js'; // listens to signals before all that takes time to load

import { basename } from 'node:path';
import { cancel } from './cancel.js';
import { main } from './main.js';
import { platform } from './platform/platform.js';
import { post } from './post.js';

// The runner starts this file for `main`, and dist/post.js for `post`, which imports it when main saved that it started, and
// not that it finished.
/** A link that died silently keeps the process for minutes; nothing that is still open by then matters. */
const EXIT_MS = 1_000;

if (basename(process.argv[1] ?? '') !== 'post.js') {
  platform().saveState('started', 'true');
  if (await main(cancel)) platform().saveState('finished', 'true');
} else {
  await post(cancel.signal);
}
setTimeout(() => process.exit(), EXIT_MS).unref();
