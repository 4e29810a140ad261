import { describe, expect, test } from '@jest/globals';
import { parseNotifyUrl, parsePingUrl } from '../../src/settings/notify-urls.js';
import { accepted, type Given, problems, reading } from './given-inputs.js';

const LOCAL: Given = { transport: 'local', database: '/srv/app.db' };
const HOOK = 'abcdefghijklmnopqrstuvwxyz';
const [SLACK, SLACK_TOKEN] = ['https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXX', 'XXXXXXXXXXXX'];
const [BOT, BOT_TOKEN] = ['123456789:AAabcdefghijklmnopqrstuvwxyz0123456', 'AAabcdefghijklmnopqrstuvwxyz0123456'];
const TEAMS =
  'https://prod-161.westeurope.logic.azure.com/workflows/643e69f8/triggers/manual/paths/invoke?api-version=1&sig=Ktoken-x';
const POWER =
  'https://default0123.5d.environment.api.powerplatform.com/powerautomate/automations/direct/workflows/ab12/triggers/manual/paths/invoke?api-version=1&sig=Ktoken-x';
const UUID = '5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278';

describe('a line is recognised', () => {
  /** The line, what it is, where it goes, to whom; what is masked besides the line. */
  const SHAPES: [line: string, service: string, url: string, to: string, secrets: string[]][] = [
    [SLACK, 'Slack', SLACK, '', [SLACK_TOKEN]],
    [
      'https://hooks.slack-gov.com/services/T0/B0/xyz',
      'Slack',
      'https://hooks.slack-gov.com/services/T0/B0/xyz',
      '',
      ['xyz'],
    ],
    [
      'https://discord.com/api/webhooks/417429632418316298/JHZ7-Qml',
      'Discord',
      'https://discord.com/api/webhooks/417429632418316298/JHZ7-Qml?wait=true',
      '',
      ['JHZ7-Qml'],
    ],
    [
      'https://ptb.discordapp.com/api/v10/webhooks/417429632418316298/JHZ7/slack?thread_id=5',
      'Discord',
      'https://ptb.discordapp.com/api/v10/webhooks/417429632418316298/JHZ7?thread_id=5&wait=true',
      '',
      ['JHZ7'],
    ],
    [TEAMS.replace('.com/', '.com:443/'), 'Teams', TEAMS, '', [TEAMS, 'Ktoken-x']],
    [POWER, 'Teams', POWER, '', ['Ktoken-x']],
    [`https://mm.example/chat/hooks/${HOOK}`, 'Mattermost', `https://mm.example/chat/hooks/${HOOK}`, '', [HOOK]],
    [`http://127.0.0.1:8065/hooks/${HOOK}`, 'Mattermost', `http://127.0.0.1:8065/hooks/${HOOK}`, '', [HOOK]],
    [
      `tgram://${BOT}/-1001234`,
      'Telegram',
      `https://api.telegram.org/bot${BOT}/sendMessage`,
      '-1001234',
      [BOT, BOT_TOKEN],
    ],
    [`tgram://bot${BOT}/@backups/`, 'Telegram', `https://api.telegram.org/bot${BOT}/sendMessage`, '@backups', [BOT]],
    ['ntfys://ntfy.example:8443/ops', 'ntfy', 'https://ntfy.example:8443/', 'ops', ['ntfy.example:8443/ops']],
    ['ntfy://192.168.1.5/ops', 'ntfy', 'http://192.168.1.5/', 'ops', ['192.168.1.5/ops']],
    ['https://ntfy.sh/ops-x', 'ntfy', 'https://ntfy.sh/', 'ops-x', ['ntfy.sh/ops-x']],
    ['ntfys://me:p%40ss@ntfy.example/ops', 'ntfy', 'https://ntfy.example/', 'ops', ['p@ss', 'bWU6cEBzcw==']],
    ['ntfys://tk_1@ntfy.example/ops', 'ntfy', 'https://ntfy.example/', 'ops', ['tk_1']],
    ['ntfys://:tk_1@ntfy.example/ops', 'ntfy', 'https://ntfy.example/', 'ops', ['tk_1']],
    [
      'https://gotify.example/push/message?token=Atoken',
      'Gotify',
      'https://gotify.example/push/message',
      '',
      ['Atoken'],
    ],
    [
      'json+https://example.org/a/b?key=0123456789',
      'JSON',
      'https://example.org/a/b?key=0123456789',
      '',
      ['https://example.org/a/b?key=0123456789', '0123456789'],
    ],
    [
      'json+http://127.0.0.1/pa%C3%BCth/sec%2Fret9',
      'JSON',
      'http://127.0.0.1/pa%C3%BCth/sec%2Fret9',
      '',
      ['/pa%C3%BCth/sec%2Fret9', '/paüth/sec/ret9', 'sec%2Fret9', 'sec/ret9'],
    ],
    ['json+http://[::1]:80/a', 'JSON', 'http://[::1]/a', '', []],
    ['JSON+HTTPS://u:p@example.org/', 'JSON', 'https://example.org/', '', ['p']],
  ];
  test.each(SHAPES)('%s', (line, service, url, to, secrets) => {
    const parsed = parseNotifyUrl(line);
    expect(parsed.target).toMatchObject({ service, url, to });
    expect(parsed.secrets).toEqual(expect.arrayContaining(secrets));
  });

  test('how one is logged in', () => {
    const headers = (line: string) => (parseNotifyUrl(line).target as { headers: object }).headers;
    expect(headers('ntfys://me:p%40ss@ntfy.example/ops')).toEqual({ authorization: 'Basic bWU6cEBzcw==' });
    expect(headers('ntfys://tk_1@ntfy.example/ops')).toEqual({ authorization: 'Bearer tk_1' });
    expect(headers('json+https://example.org/')).toEqual({});
    expect(headers('https://gotify.example/message?token=Atoken')).toEqual({ 'x-gotify-key': 'Atoken' });
  });
});

describe('a mail server', () => {
  test('with user and password, on TLS', () => {
    const { target, secrets } = parseNotifyUrl(
      'smtps://me%40example.com:p%40s%2Fs@mail.example.com?to=a@b.c,%20d+e@f.g&to=h@i.j',
    );
    expect(target).toEqual({
      service: 'mail',
      host: 'mail.example.com',
      port: 465,
      secure: true,
      login: { user: 'me@example.com', password: 'p@s/s' },
      from: 'me@example.com',
      to: ['a@b.c', 'd+e@f.g', 'h@i.j'],
    });
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    expect(secrets).toEqual(
      expect.arrayContaining(['p@s/s', 'p%40s%2Fs', base64('p@s/s'), base64('\0me@example.com\0p@s/s')]),
    );
  });

  test('without them, by STARTTLS', () => {
    const { target } = parseNotifyUrl('smtp://[::1]:2525/?from=a@b.c&to=d@e.f');
    expect(target).toMatchObject({ host: '::1', port: 2525, secure: false, login: null, from: 'a@b.c', to: ['d@e.f'] });
    expect(parseNotifyUrl('smtp://mail/?from=a@b.c&to=d@e.f').target).toMatchObject({ port: 587 });
  });

  test.each([
    'smtps://me:secret1@mail/?to=a@b.c',
    'smtps://me:secret1@mail/?from=a@b.c',
    'smtps://me@mail/?from=a@b.c&to=secret1@b.c',
    'smtps://mail/secret1?from=a@b.c&to=a@b.c',
    'smtps://mail/?from=a@b.c&to=a@b.c&bcc=secret1@b.c',
    'smtps://mail/?from=a@b.c&to=secret1',
    'smtps://mail/?from=a@b.c&to=secret1@b.c%3E%0D%0ARCPT%20TO:%3Ce@f.g',
    'smtps://mail/?from=secret1%0D%0ABcc:a@b.c&to=a@b.c',
    'smtps://me:secret1%@mail/?from=a@b.c&to=a@b.c',
    'smtps://me:secret1%0D@mail/?from=a@b.c&to=a@b.c',
    'smtps://me:secret1#x@mail/?from=a@b.c&to=a@b.c',
    `smtps://mail/?from=a@b.c&to=${Array.from({ length: 21 }, (_, i) => `secret1${i}@b.c`).join()}`,
  ])('is refused, and not shown: %s', (line) => {
    refused(() => parseNotifyUrl(line), 'secret1');
  });
});

const refused = (parse: () => unknown, ...hidden: string[]): string => {
  let rule = '';
  try {
    parse();
  } catch (error) {
    rule = (error as Error).message;
  }
  expect(rule).toMatch(/^(?:expected|it is|user or) /);
  for (const text of hidden) expect(rule).not.toContain(text);
  return rule;
};

test.each([
  ['any other receiver', 'https://example.org/secret1', 'json\\+https'],
  ['a host that only looks like one', 'https://hooks.slack.com.evil.example/services/T0/B0/secret1', 'json\\+https'],
  ['a workflow of Slack', 'https://hooks.slack.com/triggers/T0/1/secret1', 'incoming webhook'],
  ['a connector of Teams', 'https://x.webhook.office.com/webhookb2/a@b/IncomingWebhook/secret1/d', 'retired'],
  [
    'a Workflow without its signature',
    'https://x.logic.azure.com/workflows/secret1/triggers/manual/paths/invoke',
    'sig',
  ],
  ['half of a webhook of Discord', 'https://discord.com/api/webhooks/secret1', 'ID/TOKEN'],
  ['Slack on plain HTTP', 'http://hooks.slack.com/services/T0/B0/secret1', 'https'],
  ['Mattermost on plain HTTP', `http://mm.example/hooks/${HOOK}`, 'https'],
  ['JSON on plain HTTP', 'json+http://example.org/secret1', 'json\\+https'],
  ['ntfy with a token on plain HTTP', 'ntfy://secret1@ntfy.example/ops', 'ntfys'],
  ['ntfy without a topic', 'ntfys://secret1.example/', 'topic'],
  ['a token that is no header', 'ntfys://secret1%0A@ntfy.example/ops', 'malformed'],
  ['a token of other letters', 'ntfys://secret1%C3%A4@ntfy.example/ops', 'ASCII'],
  ['a webhook with a password', `https://me:secret1@mm.example/hooks/${HOOK}`, 'no user'],
  ['a bot without its chat', `tgram://${BOT}`, 'CHAT'],
  ['another scheme', 'slack://secret1', 'expected the webhook'],
  ['no URL', 'secret1', 'expected the webhook'],
  ['a fragment', 'json+https://example.org/#secret1', 'malformed'],
])('is refused, and not shown: %s', (_, line, says) => {
  expect(refused(() => parseNotifyUrl(line), 'secret1', HOOK, BOT_TOKEN)).toMatch(new RegExp(says));
});

describe('a monitor', () => {
  test.each([
    [`https://hc-ping.com/${UUID}`, 'healthchecks', `https://hc-ping.com/${UUID}`, [UUID]],
    [
      `https://hc-ping.com/pingkeypingkeypingkey0/app?create=1`,
      'healthchecks',
      'https://hc-ping.com/pingkeypingkeypingkey0/app?create=1',
      ['pingkeypingkeypingkey0'],
    ],
    [`http://127.0.0.1:8000/ping/${UUID}/`, 'healthchecks', `http://127.0.0.1:8000/ping/${UUID}`, [UUID]],
    [
      'https://kuma.example/api/push/abcdEFGH12?status=up&msg=OK&ping=',
      'Uptime Kuma',
      'https://kuma.example/api/push/abcdEFGH12',
      ['abcdEFGH12'],
    ],
  ])('%s', (text, service, url, secrets) => {
    const parsed = parsePingUrl(text);
    expect(parsed.target).toEqual({ service, url });
    expect(parsed.secrets).toEqual(expect.arrayContaining([url, ...secrets]));
  });

  test.each([
    'secret1',
    'ftp://secret1/',
    `http://hc-ping.com/secret1`,
    'https://secret1/',
    'https://u:secret1@hc/x',
    'https://hc/x#secret1',
  ])('is refused, and not shown: %s', (text) => {
    refused(() => parsePingUrl(text), 'secret1');
  });
});

describe('the inputs', () => {
  test('blank lines count, and every bad line is named', async () => {
    const given = {
      ...LOCAL,
      'notify-urls': `${SLACK}\r\n\n  nonsense \nhttps://example.org/secret1`,
      'ping-url': 'nonsense',
    };
    const all = await problems(given);
    expect(all.map((text) => text.slice(0, 20))).toEqual([
      'notify-urls: line 3:',
      'notify-urls: line 4:',
      'ping-url: expected t',
    ]);
    expect(all.join()).not.toMatch(/secret1|nonsense/);
    const many = await problems({ ...LOCAL, 'notify-urls': Array(21).fill(SLACK).join('\n') });
    expect(many).toEqual(['notify-urls: expected at most 20 lines']);
  });

  test('what is secret is masked, by line and by part', async () => {
    const ping = `https://hc-ping.com/${UUID}`;
    const { masks } = await reading({
      ...LOCAL,
      'notify-urls': `${SLACK}\n ntfys://me:p%40ss@h/ops`,
      'ping-url': ping,
    });
    expect(masks).toEqual(
      expect.arrayContaining([SLACK, SLACK_TOKEN, 'ntfys://me:p%40ss@h/ops', 'p@ss', 'bWU6cEBzcw==', ping, UUID]),
    );
    expect(masks).not.toContain('ops');
    expect(masks).not.toContain('me');
  });

  test('what is too short to be a secret is not masked alone', async () => {
    const { masks, error } = await reading({
      ...LOCAL,
      keep: 'banana',
      'notify-urls': `json+https://me:a@h/\na\nsmtp://me:abc@h/?from=a@b.c&to=d@e.f\nntfys://a1b2@h/ops`,
    });
    expect(masks.filter((mask) => mask.length < 4)).toEqual([]);
    expect(masks).toContain('a1b2');
    expect(error?.message).toContain('got "banana"');
  });

  test('those that have nobody to tell are warned of', async () => {
    const { warnings } = await accepted({ ...LOCAL, notify: 'always', 'notify-log': 'true' });
    expect(warnings).toEqual([
      'notify: it has no effect without notify-urls',
      'notify-log: it has no effect without notify-urls',
    ]);
  });

  test('a dry run tells nobody', async () => {
    const { settings } = await accepted({
      ...LOCAL,
      'dry-run': 'true',
      'notify-urls': SLACK,
      'ping-url': `https://hc-ping.com/${UUID}`,
    });
    expect(settings.telling).toEqual({ destinations: [], ping: null, when: 'never', withLog: false });
  });
});
