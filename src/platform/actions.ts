import * as core from '@actions/core';
import type { Platform } from './platform.js';
import { Secrets } from './secrets.js';

const secrets = new Secrets();
const title = 'Database backup';

/** A step of a job, on GitHub's runner or one of its kind. */
export const actions: Platform = {
  input: (name) => core.getInput(name),
  isScheduled: process.env.GITHUB_EVENT_NAME === 'schedule',
  wrong: [],
  advice: {
    wrong: 'Correct what is named here in the workflow.',
    empty:
      'An input that is empty although the workflow fills it: its secret or variable is not set, is set in an environment that the job does not name, or is withheld because a fork or Dependabot started the run.',
  },
  byHand: null,
  secret(text) {
    secrets.add(text);
    core.setSecret(text);
  },
  hidden: (text) => secrets.hidden(text),
  info: (text) => core.info(text),
  result: (text) => core.info(text),
  live: () => false,
  warning: (message) => core.warning(message, { title }),
  error: (message) => core.error(message, { title }),
  debug: (text) => core.debug(text),
  startGroup: (name) => core.startGroup(name),
  endGroup: () => core.endGroup(),
  fail: (message) => core.setFailed(message),
  output: (name, value) => core.setOutput(name, value),
  saveState: (name, value) => core.saveState(name, value),
  state: (name) => core.getState(name),
  async summary(forms) {
    try {
      await core.summary.addRaw(forms.markdown()).write();
    } finally {
      // A write that failed keeps its text, and the next one would write both.
      core.summary.emptyBuffer();
    }
  },
};
