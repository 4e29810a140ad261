import { BackupError } from '../errors.js';
import { quoteOutside } from '../reporting/neutralise.js';
import type { Run } from '../run/run.js';

/**
 * What only those can cause who may write to the repository, or run its workflows. A called workflow has the event of its caller. All others
 * are refused, also those that are yet to come: anybody may open an issue, comment, fork, star or send a pull request.
 */
export const TRUSTED_EVENTS: readonly string[] = [
  'workflow_dispatch',
  'repository_dispatch',
  'schedule',
  'push',
  'release',
  'deployment',
];

/** Whether people who cannot write to the repository may have started this run, also by the command line in a step of a job. Throws E_EVENT. */
export function refuseEvent({ github, settings }: Pick<Run, 'github' | 'settings'>, env = process.env): void {
  const name = github?.event ?? (env.GITHUB_ACTIONS === 'true' ? (env.GITHUB_EVENT_NAME ?? '') : null);
  if (name === null || [...TRUSTED_EVENTS, ...settings.restore.allowEvents].includes(name)) return;
  const event = quoteOutside(name, 60);
  throw new BackupError(
    'E_EVENT',
    name === ''
      ? 'GITHUB_EVENT_NAME is empty, so nobody can tell who started this run, and a restore replaces the live database'
      : `the event \`${event}\` started this run: people who cannot write to the repository may be able to cause it, and a restore replaces the live database`,
    `Start the restore from a workflow with \`on: workflow_dispatch\`, behind an environment with reviewers.${
      /^[a-z_]{1,60}$/.test(name)
        ? ` If only people you trust can start this workflow by that event, set \`allow-event: ${event}\`.`
        : ''
    }`,
  );
}
