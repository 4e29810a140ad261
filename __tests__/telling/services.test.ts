import { describe, expect, test } from '@jest/globals';
import { neutralise } from '../../src/reporting/neutralise.js';
import type { Report } from '../../src/reporting/report.js';
import type { Webhook } from '../../src/settings/notify-urls.js';
import type { Delivery } from '../../src/telling/delivery.js';
import { discord } from '../../src/telling/discord.js';
import { gotify } from '../../src/telling/gotify.js';
import { htmlOf } from '../../src/telling/mail.js';
import { mattermost } from '../../src/telling/mattermost.js';
import { type Message, messageOf } from '../../src/telling/message.js';
import { ntfy } from '../../src/telling/ntfy.js';
import { slack } from '../../src/telling/slack.js';
import { teams } from '../../src/telling/teams.js';
import { telegram } from '../../src/telling/telegram.js';
import {
  wrongForDiscord,
  wrongForGotify,
  wrongForMattermost,
  wrongForNtfy,
  wrongForSlack,
  wrongForTeams,
  wrongForTelegram,
} from '../helpers/notification-formats.js';
import { failedReport, HOSTILE, sampleBackup, sampleReport, sampleRestore } from '../reporting/sample-report.js';

const github = {
  repository: 'owner/repo',
  sha: '0'.repeat(40),
  ref: 'refs/heads/main',
  runId: '1',
  runUrl: 'https://github.com/owner/repo/actions/runs/1',
  actor: 'octocat',
  event: 'push',
};
const messageFrom = (report: Report, log: string[] = [], changes: Partial<Message> = {}): Message => ({
  ...messageOf({ report, github, level: report.ok ? 'ok' : 'failed', log, now: new Date(0), clean: neutralise }),
  ...changes,
});

const EVIL = `@everyone <!channel> <@U123|x> <https://evil.example|click> [a](https://evil.example) </b><a href="x"> \u202egnp &amp; ${HOSTILE.join(' ')}`;
const LONG = EVIL.repeat(40);
const hostile = failedReport({
  name: EVIL,
  host: LONG,
  database: LONG,
  backup: sampleBackup(0, { id: LONG, sha256: LONG }),
  restore: sampleRestore({ from: LONG, safetyBackupId: LONG }),
  offsite: { uri: LONG, versionId: LONG, via: 'host', lockedUntil: null },
  error: { message: LONG, hint: LONG, left: 'nothing-kept' },
  problems: Array.from({ length: 40 }, (_, i) => ({ level: 'warning' as const, message: `${i}${LONG}`, todo: LONG })),
});
const emoji = failedReport({
  name: 'a',
  error: { message: '🐘'.repeat(9000), hint: '\u4e2d'.repeat(9000), left: 'nothing-kept' },
});
const MESSAGES: [string, Message][] = [
  ['a good run', messageFrom(sampleReport())],
  ['a failed run, with its log', messageFrom(failedReport(), ['one line', 'another'])],
  [
    'hostile text in all of it',
    messageFrom(
      hostile,
      Array.from({ length: 40 }, () => neutralise(LONG).replaceAll('\n', ' ')),
    ),
  ],
  ['characters of several bytes', messageFrom(emoji, ['\u4e2d'.repeat(5000)])],
  [
    'a run outside of GitHub of which nothing is known',
    messageFrom(
      sampleReport({
        name: '',
        database: '',
        host: '',
        backup: null,
        durationMs: 0,
        retention: [],
        newestAgeSeconds: null,
      }),
      [],
      { link: null, facts: [] },
    ),
  ],
];

const to = (changes: Partial<Webhook> = {}): Webhook => ({
  service: 'JSON',
  url: 'https://example.com/',
  headers: {},
  to: '-100123',
  ...changes,
});
const SERVICES: [string, (message: Message, to: Webhook) => Delivery, (body: unknown) => string[]][] = [
  ['Slack', slack, wrongForSlack],
  ['Discord', discord, wrongForDiscord],
  ['Teams', teams, wrongForTeams],
  ['Mattermost', mattermost, wrongForMattermost],
  ['Telegram', telegram, wrongForTelegram],
  ['ntfy', ntfy, wrongForNtfy],
  ['Gotify', gotify, wrongForGotify],
];

describe.each(SERVICES)('%s', (service, build, wrong) => {
  test.each(MESSAGES)('takes %s', (_, message) => {
    const { url, headers, body } = build(message, to({ headers: { authorization: 'a' } }));
    expect(url).toBe('https://example.com/');
    expect(headers['content-type']).toBe('application/json');
    if (service === 'ntfy' || service === 'Gotify') expect(headers.authorization).toBe('a');
    expect(wrong(JSON.parse(body))).toEqual([]);
    expect(body).not.toMatch(/\\u0000|\u202e|\\u001b/);
  });

  test('says what a failure is, what to do, and where the run is', () => {
    const { body } = build(messageFrom(failedReport(), ['the last line']), to());
    for (const text of [
      'E_NOSPACE',
      '333 MB',
      'Free 213 MB',
      'Nothing was kept',
      'https://github.com/owner/repo/actions/runs/1',
      'the last line',
      'owner',
    ]) {
      expect(plain(body)).toContain(text);
    }
  });

  test('says what a good run has made', () => {
    const { body } = build(messageFrom(sampleReport()), to());
    const said = [
      'Backup of app is good',
      '302 MB',
      '83 MB',
      '14 s',
      sampleBackup().sha256,
      '6 kept, 1 deleted',
      'db.example.org',
      sampleBackup().id,
    ];
    for (const text of said) expect(plain(body)).toContain(text);
  });
});

/** Without the backslashes of JSON and of Markdown. */
const plain = (body: string): string => JSON.stringify(JSON.parse(body)).replaceAll('\\', '');

test('the levels differ where a service knows of any', () => {
  const [ok, failed] = [messageFrom(sampleReport()), messageFrom(failedReport())];
  const priorities = [ok, failed].map((message) => JSON.parse(ntfy(message, to()).body).priority);
  expect(priorities).toEqual([2, 4]);
  const silent = [ok, failed].map((message) => JSON.parse(telegram(message, to()).body).disable_notification);
  expect(silent).toEqual([true, false]);
});

test('the link is the one of the run, whatever is in it', () => {
  const link = 'https://ghe.example/a|b>&c"d<e';
  const message = messageFrom(sampleReport(), [], { link });
  expect(wrongForSlack(JSON.parse(slack(message, to()).body))).toEqual([]);
  expect(wrongForTelegram(JSON.parse(telegram(message, to()).body))).toEqual([]);
});

test('in the HTML of a mail there is no mark from outside', () => {
  const html = htmlOf(messageFrom(hostile, [LONG]));
  const ours =
    /<\/?(?:!doctype html|html|head|meta|body|h2|p|b|br|table|tr|td|pre|a)(?: (?:lang|charset|style|href)="[^"<>]*")*>/g;
  expect(html.replaceAll(ours, '')).not.toMatch(/[<>]|&(?!(?:amp|lt|gt|quot);)/);
  expect(html).toContain('href="https://github.com/owner/repo/actions/runs/1"');
});
