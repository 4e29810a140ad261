import { expect, test } from '@jest/globals';
import { readPage } from './yaml-blocks.js';

const page = readPage('docs/off-site.md');
const NEW = 'repo:my-org@123456/my-app@456789';
const OLD = 'repo:my-org/my-app';

test('a role without stored keys: both forms of the subject, on a branch and in an environment, and how to see which is sent', () => {
  for (const form of [NEW, OLD]) {
    expect(page).toMatch(
      new RegExp(`^\\| [^|]+ \\| \`${form}:ref:refs/heads/main\` \\| \`${form}:environment:production\` \\|$`, 'm'),
    );
  }
  expect(page).toContain('\ngh api repos/my-org/my-app/actions/oidc/customization/sub\n');
});

test('the trust policy is JSON, and expects the subject that new repositories send', () => {
  const [trust] = [...page.matchAll(/^```json\n([\s\S]*?)^```$/gm)]
    .map(([, text = '']) => JSON.parse(text))
    .filter(({ Statement: [{ Action }] }) => Action === 'sts:AssumeRoleWithWebIdentity');
  expect(trust.Statement[0].Condition.StringEquals).toEqual({
    'token.actions.githubusercontent.com:aud': 'sts.amazonaws.com',
    'token.actions.githubusercontent.com:sub': `${NEW}:ref:refs/heads/main`,
  });
});
