import { isIP } from 'node:net';
import type { Facts } from '../host/session.js';
import type { SetUp } from '../reporting/report.js';
import { ownLine } from '../run/explain.js';
import type { Run } from '../run/run.js';
import { userInSudoers } from './command-checks.js';
import type { HostFacts } from './host-checks.js';
import { policies } from './policies.js';

/** What this run could do with, and no more, for exactly this host, database and bucket. `onGitHub`: of a runner whose address changes. */
export function setUpOf(
  run: Run,
  { hello, facts }: HostFacts,
  told: { database: Facts | null; sudo: readonly string[]; onGitHub: boolean },
): SetUp[] {
  const { settings, database } = run;
  const user = userInSudoers(hello.get('user') ?? '', hello.get('uid') ?? '');
  return [
    ...keyLines(run, facts, told.onGitHub),
    ...directoryLines(run, hello),
    ...sudoLines(run, user, told.sudo),
    ...(told.database === null ? [] : (database.rights?.toSet(told.database) ?? [])),
    ...(database.setUp?.(told.database, settings) ?? []),
    ...(settings.s3 === null ? [] : policies(settings.s3, settings.name)),
  ];
}

/** One line of authorized_keys for each machine that is logged in to. */
function keyLines({ settings: { transport } }: Run, facts: Facts, onGitHub: boolean): SetUp[] {
  if (transport.transport === 'local') return [];
  const { key, jump, username, host, port } = transport;
  const client = facts.get('client') ?? '';
  const from = isIP(client) === 0 ? '' : `,from="${client}"`;
  // through a jump host the address is that one's, which does not change
  const isFixed = from !== '' && (jump !== null || !onGitHub);
  const line = (more: string, publicLine: string): string => `restrict,command="sh -s"${more} ${publicLine}`;
  const lines: SetUp[] = [
    {
      title: `~${username}/.ssh/authorized_keys on the host`,
      why: isFixed
        ? `Replaces the line that has this key. The key can then start \`sh -s\` and nothing else, and only from ${client}.`
        : `Replaces the line that has this key. The key can then start \`sh -s\` and nothing else. GitHub's runners change their address. If you use your own runner, add \`,from="ADDRESS"\` after \`sh -s"\`${from === '' ? '' : ` (the address is now ${client})`}.`,
      language: 'text',
      text: line(isFixed ? from : '', key.publicLine),
    },
  ];
  if (jump !== null) {
    const target = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    lines.push({
      title: `~${jump.username}/.ssh/authorized_keys on the jump host`,
      why: 'The key can connect onward to that one host, and can do nothing on the jump host itself.',
      language: 'text',
      text: `restrict,port-forwarding,permitopen="${target}",command="/bin/false" ${jump.key.publicLine}`,
    });
  }
  return lines;
}

function directoryLines({ settings, report }: Run, hello: Facts): SetUp[] {
  if (report.directory === '') return [];
  return [
    {
      title: 'The backup directory',
      why: 'Run this on the host. Only the login user can write to this directory.',
      language: 'sh',
      text: ownLine(hello.get('user') ?? '', report.directory, settings),
    },
  ];
}

function sudoLines({ settings: { runAs, container } }: Run, user: string, sudo: readonly string[]): SetUp[] {
  const shell =
    runAs === null || container !== null ? [] : [`${user} ALL=(${runAs}) NOPASSWD: /bin/sh -s, /usr/bin/sh -s`];
  const lines = [...new Set([...shell, ...sudo])];
  if (lines.length === 0) return [];
  return [
    {
      title: '/etc/sudoers.d/db-backup',
      why: 'As root, run `visudo -f /etc/sudoers.d/db-backup`. This allows these commands without a password, and no others.',
      language: 'text',
      text: lines.join('\n'),
    },
  ];
}
