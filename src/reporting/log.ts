import { platform } from '../platform/platform.js';
import { clip, formatDuration } from './format.js';
import { neutralise } from './neutralise.js';

/** Where a run tells what it does. No method throws on its own account: a log that fails must not fail a backup. */
export interface Log {
  info(text: string): void;
  /** Also an annotation on the run. */
  warning(message: string): void;
  /** Also an annotation on the run; does not fail the step. */
  error(message: string): void;
  /** Shown when the step is debugged. */
  debug(text: string): void;
  /** A foldable part of the log, closed by a line with the time it took. Passes on what `work` returns or throws. */
  group<T>(title: string, work: () => Promise<T>): Promise<T>;
}

/** GitHub cuts annotations, and shows them where there is little room. */
const MAX_ANNOTATION = 4000;

/** The log of a run. Everything passes `neutralise` here, so that no caller can forget it. */
export function actionsLog(): Log {
  const annotation = (message: string) => clip(neutralise(message), MAX_ANNOTATION);
  const info = (text: string) => quietly(() => platform().info(neutralise(text)));
  return {
    info,
    warning: (message) => quietly(() => platform().warning(annotation(message))),
    error: (message) => quietly(() => platform().error(annotation(message))),
    debug: (text) => quietly(() => platform().debug(neutralise(text))),
    async group(title, work) {
      const started = performance.now();
      const took = () => formatDuration(performance.now() - started);
      quietly(() => platform().startGroup(neutralise(title)));
      try {
        const result = await work();
        info(`${title}: done in ${took()}`);
        return result;
      } catch (error) {
        info(`${title}: failed after ${took()}`);
        throw error;
      } finally {
        quietly(() => platform().endGroup());
      }
    },
  };
}

function quietly(print: () => void): void {
  try {
    print();
  } catch {
    // stdout is gone: there is nobody to tell.
  }
}
