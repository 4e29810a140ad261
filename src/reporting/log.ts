import { platform } from '../platform/platform.js';
import { clip, formatDuration } from './format.js';
import { neutralise } from './neutralise.js';

/** Where a run tells what it does. No method throws on its own account: a log that fails must not fail a backup. */
export interface Log {
  info(text: string): void;
  /** A line of what the command was asked for. */
  result(text: string): void;
  /** How far something is, as `Platform.live`. */
  live(text: string, share: number | null): boolean;
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

/** How many lines are kept for those who are told with `notify-log`. */
const LINES_KEPT = 40;

/** The log of a run. Everything passes `neutralise` here, so that no caller can forget it. The last lines are kept in `last`, when it is given. */
export function actionsLog(last?: string[]): Log {
  const kept = (text: string): string => {
    if (last !== undefined) last.splice(0, Math.max(0, last.push(...text.split('\n')) - LINES_KEPT));
    return text;
  };
  const annotation = (message: string) => kept(clip(neutralise(message), MAX_ANNOTATION));
  const info = (text: string) => quietly(() => platform().info(kept(neutralise(text))));
  return {
    info,
    result: (text) => quietly(() => platform().result(kept(neutralise(text)))),
    live(text, share) {
      try {
        return platform().live(neutralise(text), share);
      } catch {
        return false; // the terminal is gone
      }
    },
    warning: (message) => quietly(() => platform().warning(annotation(message))),
    error: (message) => quietly(() => platform().error(annotation(message))),
    debug: (text) => quietly(() => platform().debug(neutralise(text))),
    async group(title, work) {
      const started = performance.now();
      const took = () => formatDuration(performance.now() - started);
      quietly(() => platform().startGroup(kept(neutralise(title))));
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
