import { cancel } from '../cancel.js';
import { describe } from '../errors.js';
import { platform, usePlatform } from '../platform/platform.js';
import { Secrets } from '../platform/secrets.js';
import { terminal } from '../platform/terminal.js';
import type { Serving } from '../server/http-server.js';
import { INPUT_NAMES } from '../settings/declared-inputs.js';
import { collect, type Others, optionsOf } from './arguments.js';
import { EXIT } from './exit-status.js';
import { NOT_OPTIONS, readServeOptions, type ServeOptions, TOKEN } from './serve-options.js';

/** `db-backup serve`: the commands over HTTP, each carried out by this program as a process of its own. */
export const serve: Others = (root, done) => {
  const command = root
    .command('serve')
    .description('answer calls over HTTP: health, list, backup, restore, delete, storage (docs/api.md)')
    .exitOverride()
    .option('--port <number>', 'where it listens; 0: any that is free', '8470')
    .option('--listen <address>', 'on which address; any but loopback wants --allowed-host', '127.0.0.1')
    .option(
      '--allowed-host <name>',
      'a name by which it is called, besides localhost; may be given several times',
      collect,
    )
    .option('--behind-proxy', 'a proxy is in front, which says in X-Forwarded-For who calls')
    .option('--token-file <file>', `the file that holds the bearer token; without it the variable ${TOKEN} has it`)
    .option('--stop-timeout <duration>', 'how long SIGTERM waits for what runs, before that is asked to end', '60s')
    .option('--config <file>', 'the configuration; default: db-backup.yml here, then /etc/db-backup/db-backup.yml')
    .addHelpText(
      'after',
      '\nInputs of the commands are options here as well, such as --database; the port of SSH is the variable DB_BACKUP_PORT.',
    );
  const [token] = command.option('--token [text]').options.slice(-1);
  token?.hideHelp();
  for (const name of INPUT_NAMES) {
    if (NOT_OPTIONS.includes(name)) continue;
    for (const option of optionsOf(name, new Map())) command.addOption(option.hideHelp());
  }
  command.action(async (options: ServeOptions) => done(await carryOut(options)));
};

/** Until a signal ends it. The exit status. */
async function carryOut(options: ServeOptions): Promise<number> {
  const secrets = new Secrets();
  usePlatform(terminal({ secrets }));
  const { served, graceMs, wrong } = await readServeOptions(options, process.env);
  secrets.add(served.token);
  for (const message of wrong) platform().error(`E_INPUT: ${message}`);
  if (wrong.length > 0) return EXIT.input;
  const { listen } = served;
  const at = listen.includes(':') ? `[${listen}]` : listen;
  const { startServer } = await import('../server/http-server.js');
  const { namesOf } = await import('../server/target.js');
  let serving: Serving;
  try {
    serving = await startServer(served);
  } catch (error) {
    platform().error(`${at}:${served.port} can not be listened on: ${describe(error).message}`);
    return EXIT.failed;
  }
  const names = namesOf(served);
  const of = names.length === 0 ? '' : `, for ${names.join(', ')}`;
  platform().info(`listening on http://${at}:${serving.port}${of}`);
  if (!served.isLoopback) {
    platform().warning(
      `others can reach ${at}, and what passes is not encrypted: put a proxy with TLS in front (docs/api.md)`,
    );
  }
  await cancelled();
  const { code, message } = describe(cancel.signal.reason);
  const isAsked = code === 'E_CANCELLED';
  if (!isAsked) platform().error(`${code}: ${message}`);
  platform().info('stopping: no more calls are taken, and what runs is waited for');
  await serving.stop(graceMs);
  return isAsked ? EXIT.done : EXIT.failed;
}

/** By a signal, or by an error of ours. */
const cancelled = (): Promise<void> =>
  new Promise((resolve) => {
    if (cancel.signal.aborted) resolve();
    else cancel.signal.addEventListener('abort', () => resolve(), { once: true });
  });
