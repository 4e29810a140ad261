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
    .option('--port <number>', 'the port to listen on; 0: any free port', '8470')
    .option(
      '--listen <address>',
      'the address to listen on; any other than loopback requires --allowed-host',
      '127.0.0.1',
    )
    .option(
      '--allowed-host <name>',
      'a name that clients use to reach it, besides localhost; may be given several times',
      collect,
    )
    .option('--behind-proxy', 'there is a proxy in front, which names the client in X-Forwarded-For')
    .option('--token-file <file>', `the file with the bearer token (default: the variable ${TOKEN})`)
    .option(
      '--stop-timeout <duration>',
      'how long to wait after SIGTERM for running commands, before they are stopped',
      '60s',
    )
    .option('--config <file>', 'the configuration; default: db-backup.yml here, then /etc/db-backup/db-backup.yml')
    .addHelpText(
      'after',
      '\nThe inputs of the commands, such as --database, are options here too. Set the SSH port with the variable DB_BACKUP_PORT.',
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
    platform().error(`cannot listen on ${at}:${served.port}: ${describe(error).message}`);
    return EXIT.failed;
  }
  const names = namesOf(served);
  const of = names.length === 0 ? '' : `, for ${names.join(', ')}`;
  platform().info(`listening on http://${at}:${serving.port}${of}`);
  if (!served.isLoopback) {
    platform().warning(
      `other machines can reach ${at}, and the traffic is not encrypted: put a proxy with TLS in front (docs/api.md)`,
    );
  }
  await cancelled();
  const { code, message } = describe(cancel.signal.reason);
  const isAsked = code === 'E_CANCELLED';
  if (!isAsked) platform().error(`${code}: ${message}`);
  platform().info('stopping: no new calls are accepted; waiting for running commands');
  await serving.stop(graceMs);
  return isAsked ? EXIT.done : EXIT.failed;
}

/** By a signal, or by an error of ours. */
const cancelled = (): Promise<void> =>
  new Promise((resolve) => {
    if (cancel.signal.aborted) resolve();
    else cancel.signal.addEventListener('abort', () => resolve(), { once: true });
  });
