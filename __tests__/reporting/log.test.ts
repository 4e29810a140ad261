import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { actionsLog } from '../../src/reporting/log.js';
import { HOSTILE } from './sample-report.js';

let printed = '';
const write = process.stdout.write;

beforeEach(() => {
  process.env.GITHUB_ACTIONS = 'true';
  printed = '';
  process.stdout.write = (chunk: string | Uint8Array) => {
    printed += String(chunk);
    return true;
  };
});
afterEach(() => {
  process.stdout.write = write;
});

/** Commands that are ours to give. */
const OURS = /^::(error|warning|debug|group|endgroup)( title=Database backup)?::/;

describe('actionsLog', () => {
  test('warnings and errors are annotations with a title', () => {
    actionsLog().warning('space is short');
    actionsLog().error('two\nlines');
    expect(printed).toBe(
      '::warning title=Database backup::space is short\n::error title=Database backup::two%0Alines\n',
    );
  });

  test('no text gives the runner a command, whichever way it is printed', async () => {
    const log = actionsLog();
    for (const text of HOSTILE) {
      log.info(text);
      log.warning(text);
      log.error(text);
      log.debug(text);
      await log.group(text, async () => undefined);
    }
    expect(printed).not.toContain('##[');
    const commands = printed.split('\n').filter((line) => line.trim().startsWith('::'));
    expect(commands).toHaveLength(5 * HOSTILE.length);
    expect(commands.filter((line) => !OURS.test(line))).toEqual([]);
  });

  test('a group returns what its work returns and tells the time', async () => {
    const result = await actionsLog().group('Dump', async () => {
      actionsLog().info('working');
      return 42;
    });
    expect(result).toBe(42);
    expect(printed).toMatch(/^::group::Dump\nworking\nDump: done in [\d.]+ s\n::endgroup::\n$/);
  });

  test('a group passes a failure on, and is closed', async () => {
    const failure = new Error('no');
    const work = actionsLog().group('Dump', () => Promise.reject(failure));
    await expect(work).rejects.toBe(failure);
    expect(printed).toMatch(/^::group::Dump\nDump: failed after [\d.]+ s\n::endgroup::\n$/);
  });

  test('a stdout that is gone fails nothing', async () => {
    let tried = 0;
    process.stdout.write = () => {
      tried++;
      throw new Error('EPIPE');
    };
    const log = actionsLog();
    log.info('a');
    log.warning('b');
    log.error('c');
    log.debug('d');
    await expect(log.group('e', async () => 'result')).resolves.toBe('result');
    expect(tried).toBe(7);
  });

  test('annotations are bounded', () => {
    actionsLog().error('x'.repeat(1_000_000));
    expect(printed.length).toBeLessThan(4_100);
  });
});
