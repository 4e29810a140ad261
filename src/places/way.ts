import { BackupError } from '../errors.js';
import { installLine } from '../host/install-line.js';
import type { Connection } from '../run/connect.js';
import type { Run } from '../run/run.js';

const WORDS = {
  upload: {
    itself: 'the host uploads by itself',
    can: 'the upload goes through the runner, since the host can not do it',
  },
  fetch: { itself: 'the host fetches by itself', can: 'it comes through the runner, since the host can not fetch it' },
};

/**
 * By `s3-upload-via`, whether the bytes go between host and store without the runner: what `ask` found out of the host then, else null. It
 * is a text when the host can not. `left`: what is left as it was. Throws E_TOOL_MISSING, E_S3_UNAVAILABLE when there is no other way.
 */
export async function chooseWay<T extends object>(
  { settings, log }: Run,
  { hello }: Connection,
  what: keyof typeof WORDS,
  left: string,
  ask: () => Promise<T | string>,
): Promise<T | null> {
  const via = settings.s3?.uploadVia ?? 'auto';
  if (via === 'runner') return null;
  if (via === 'auto' && settings.transport.transport === 'local') {
    log.info(`the ${what} goes through the runner, which is the host itself (transport: local)`);
    return null;
  }
  const found = await ask();
  if (typeof found !== 'string') {
    log.info(`${WORDS[what].itself} (s3-upload-via)`);
    return found;
  }
  if (via === 'auto') {
    log.info(`${WORDS[what].can}: ${found}`);
    return null;
  }
  const lacking = /^it has no (\w+)$/.exec(found)?.[1];
  const todo =
    lacking === undefined
      ? 'Let it out to the store (firewall, proxy, name service).'
      : `On the host: ${installLine(lacking, (await hello).get('system') ?? '')}.`;
  throw new BackupError(
    lacking === undefined ? 'E_S3_UNAVAILABLE' : 'E_TOOL_MISSING',
    `the host is to ${what} by itself (s3-upload-via: host), and ${found}`,
    `${todo} Or use \`s3-upload-via: auto\`, which then goes through the runner. ${left}`,
  );
}
