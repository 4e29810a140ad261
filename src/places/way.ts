import { BackupError } from '../errors.js';
import { installLine } from '../host/install-line.js';
import type { Connection } from '../run/connect.js';
import type { Run } from '../run/run.js';
import type { Unable } from '../stores/object-store.js';

const WORDS = {
  upload: {
    itself: 'the host uploads directly',
    can: 'the upload goes through the runner, because the host cannot upload',
  },
  fetch: {
    itself: 'the host downloads directly',
    can: 'the download goes through the runner, because the host cannot download',
  },
};

/**
 * By `s3-upload-via`, whether the bytes go between host and store without the runner: what `ask` found out of the host then, else null. Throws
 * E_TOOL_MISSING, E_S3_UNAVAILABLE when there is no other way.
 */
export async function chooseWay<T extends object>(
  { settings, log }: Run,
  { hello }: Connection,
  what: keyof typeof WORDS,
  ask: () => Promise<T | Unable>,
): Promise<T | null> {
  const via = settings.s3?.uploadVia ?? 'auto';
  if (via === 'runner') return null;
  if (via === 'auto' && settings.transport.transport === 'local') {
    log.info(`the ${what} goes through the runner, which is also the host (transport: local)`);
    return null;
  }
  const found = await ask();
  if (!('why' in found)) {
    log.info(`${WORDS[what].itself} (s3-upload-via)`);
    return found;
  }
  if (via === 'auto') {
    log.info(`${WORDS[what].can}: ${found.why}`);
    return null;
  }
  const { why, lacking } = found;
  const todo =
    lacking === null
      ? 'Let the host reach the store (firewall, proxy, DNS).'
      : `On the host: ${installLine(lacking, (await hello).get('system') ?? '')}.`;
  throw new BackupError(
    lacking === null ? 'E_S3_UNAVAILABLE' : 'E_TOOL_MISSING',
    `the host cannot ${what} directly (s3-upload-via: host): ${why}`,
    `${todo} Or use \`s3-upload-via: auto\`, which falls back to the runner.`,
  );
}
