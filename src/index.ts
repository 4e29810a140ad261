import './esm-globals.js';
import './cancel.js'; // listens to signals before all that takes time to load

import { cancel } from './cancel.js';
import { main } from './main.js';
import { platform } from './platform/platform.js';
import { post } from './post.js';

// The runner starts this file for `main`, and dist/post.js for `post`, which imports it when main saved that it started, and
// not that it finished. dist/cli.js imports it for the command line. Both say so here before.
const { dbBackupEntry: entry } = globalThis as { dbBackupEntry?: string };
/** A link that died silently keeps the process for minutes; nothing that is still open by then matters. */
const EXIT_MS = 1_000;

if (entry === 'command-line') {
  const { commandLine } = await import('./command-line/command-line.js');
  await commandLine(process.argv.slice(2));
} else if (entry === 'post') {
  await post(cancel.signal);
} else {
  platform().saveState('started', 'true');
  if ((await main(cancel)).isClean) platform().saveState('finished', 'true');
}
setTimeout(() => process.exit(), EXIT_MS).unref();
