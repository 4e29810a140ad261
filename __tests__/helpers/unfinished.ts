import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './outcome.js';
import type { Scene } from './scene.js';

/** The files of the journals of restores that were cut off, in the work folder. */
export const journals = (directory: string): string[] =>
  readdirSync(join(directory, '.work')).filter((name) => name.startsWith('restore-'));

/** A restore whose runner is lost in its check; what it replaced is still there. `clean` is its step `post`, which comes late. */
export async function lostInCheck(
  scene: Scene,
  inputs: Record<string, string>,
  directory = scene.directory,
): Promise<{ journal: string; clean: () => Promise<void> }> {
  const once = join(scene.user.home, 'lost-in-check');
  const check = `[ -e '${once}' ] || { touch '${once}'; echo checking; sleep 600; }; sleep 1; rm -f '${once}'`;
  const action = scene.start({ command: 'restore', 'check-command': check, ...inputs });
  await action.line(/^ {2}checking/);
  const [journal = ''] = journals(directory);
  action.kill('SIGKILL');
  await action.main;
  await until(() => scene.processes().length === 0);
  const clean = async (): Promise<void> => {
    await action.result();
  };
  return { journal, clean };
}
