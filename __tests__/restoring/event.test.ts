import { expect, test } from '@jest/globals';
import type { BackupError } from '../../src/errors.js';
import { refuseEvent } from '../../src/restoring/event.js';
import type { Run } from '../../src/run/run.js';

/** What it throws for a run of that event; null: nothing. */
function refusalOf(event: string, allowEvents: string[] = []): BackupError | null {
  const run = { github: { event }, settings: { restore: { allowEvents } } } as unknown as Run;
  try {
    refuseEvent(run);
    return null;
  } catch (error) {
    return error as BackupError;
  }
}

test.each(['workflow_dispatch', 'repository_dispatch', 'schedule', 'push', 'release', 'deployment'])(
  'the event %s is caused by who may write alone',
  (event) => {
    expect(refusalOf(event)).toBeNull();
  },
);

test.each([
  ...['pull_request', 'pull_request_target', 'pull_request_review', 'pull_request_review_comment', 'issue_comment'],
  ...['issues', 'discussion', 'discussion_comment', 'workflow_run', 'fork', 'watch', 'check_run', 'check_suite'],
  ...[
    'create',
    'delete',
    'deployment_status',
    'merge_group',
    'public',
    'status',
    'workflow_call',
    'pushed',
    'Push',
    '',
  ],
])('every other one, as %j, is refused, unless it is allowed by its name', (event) => {
  const refusal = refusalOf(event);
  expect(refusal).toMatchObject({ code: 'E_EVENT', message: expect.stringContaining(event) });
  expect(refusal?.hint).toContain('workflow_dispatch');
  expect(refusalOf(event, ['push_request', 'pull'])).toMatchObject({ code: 'E_EVENT' });
  expect(refusalOf(event, ['other', event])).toBeNull();
});

test('it says why, and how to allow it; what stands in no workflow is not suggested', () => {
  expect(refusalOf('issue_comment')).toMatchObject({
    message: expect.stringContaining(
      'the event `issue_comment` started this run: people who cannot write to the repository may be able to cause it',
    ),
    hint: expect.stringContaining('`allow-event: issue_comment`'),
  });
  expect(refusalOf('')?.message).toContain('GITHUB_EVENT_NAME is empty');
  expect(refusalOf('')?.hint).not.toContain('allow-event');
  expect(refusalOf('x::error::y')?.hint).not.toContain('allow-event');
});

test('outside of GitHub there is no event', () => {
  expect(() =>
    refuseEvent({ github: null, settings: { restore: { allowEvents: [] } } } as unknown as Run, {}),
  ).not.toThrow();
});

test('a job counts as one, with whatever else it has or has not', () => {
  const refusal = (event: string | undefined, allowEvents: string[] = []) => {
    const env = { GITHUB_ACTIONS: 'true', ...(event === undefined ? {} : { GITHUB_EVENT_NAME: event }) };
    return () => refuseEvent({ github: null, settings: { restore: { allowEvents } } } as unknown as Run, env);
  };
  expect(refusal('issues')).toThrow(expect.objectContaining({ code: 'E_EVENT' }));
  expect(refusal(undefined)).toThrow(expect.objectContaining({ code: 'E_EVENT' }));
  expect(refusal('issues', ['issues'])).not.toThrow();
  expect(refusal('push')).not.toThrow();
});
