import type { Platform } from './platform.js';
import { Secrets } from './secrets.js';

const secrets = new Secrets();

const say = (stream: NodeJS.WriteStream, text: string): boolean => stream.write(`${secrets.hidden(text)}\n`);

/** A shell, cron, systemd: whoever reads gets plain text, from which the secrets are taken here, since no runner does it. */
export const terminal: Platform = {
  input: (name) => (process.env[`INPUT_${name.toUpperCase()}`] ?? '').trim(),
  secret: (text) => secrets.add(text),
  hidden: (text) => secrets.hidden(text),
  info: (text) => void say(process.stdout, text),
  warning: (message) => void say(process.stderr, `warning: ${message}`),
  error: (message) => void say(process.stderr, `error: ${message}`),
  debug(text) {
    if (process.env.RUNNER_DEBUG === '1') say(process.stderr, text);
  },
  startGroup: (title) => void say(process.stdout, title),
  endGroup: () => {},
  fail(message) {
    process.exitCode = 1;
    terminal.error(message);
  },
  // The exit status tells; there is no later step.
  output: () => {},
  saveState: () => {},
  state: () => '',
  summary: async () => {},
};
