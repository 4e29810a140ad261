import * as core from '@actions/core';
import type { Platform } from './platform.js';
import { Secrets } from './secrets.js';

const secrets = new Secrets();
const title = 'Database backup';

/** A step of a job, on GitHub's runner or one of its kind. */
export const actions: Platform = {
  input: (name) => core.getInput(name),
  secret(text) {
    secrets.add(text);
    core.setSecret(text);
  },
  hidden: (text) => secrets.hidden(text),
  info: (text) => core.info(text),
  warning: (message) => core.warning(message, { title }),
  error: (message) => core.error(message, { title }),
  debug: (text) => core.debug(text),
  startGroup: (name) => core.startGroup(name),
  endGroup: () => core.endGroup(),
  fail: (message) => core.setFailed(message),
  output: (name, value) => core.setOutput(name, value),
  saveState: (name, value) => core.saveState(name, value),
  state: (name) => core.getState(name),
  async summary(markdown) {
    try {
      await core.summary.addRaw(markdown).write();
    } finally {
      // A write that failed keeps its text, and the next one would write both.
      core.summary.emptyBuffer();
    }
  },
};
