/** Where notifications go: what a line of `notify-urls`, or `ping-url`, means. Every rule thrown here holds nothing of the value. */
import { tokensOf } from './url-parts.js';
import { isLoopback, parseHost } from './value-rules.js';

/** A service that takes one POST. */
export interface Webhook {
  service: 'Slack' | 'Discord' | 'Teams' | 'Mattermost' | 'Telegram' | 'ntfy' | 'Gotify' | 'JSON';
  /** Where the POST goes. */
  url: string;
  headers: Record<string, string>;
  /** The chat of Telegram, the topic of ntfy; else empty. */
  to: string;
}

export interface MailServer {
  service: 'mail';
  host: string;
  port: number;
  /** TLS from the first byte; else STARTTLS, without which nothing is sent. */
  secure: boolean;
  login: { user: string; password: string } | null;
  from: string;
  to: string[];
}

export type Destination = Webhook | MailServer;

export interface PingTarget {
  service: 'Uptime Kuma' | 'healthchecks';
  url: string;
}

/** `secrets`: what may be in nothing that is shown, besides the text itself. */
export interface Secretly<T> {
  target: T;
  secrets: string[];
}

const RULE =
  'expected the webhook URL of Slack, Discord, Teams (a Workflow), Mattermost or Gotify, or one of ntfys://host/topic, tgram://TOKEN/CHAT, json+https://host/path, smtps://user:password@host/?from=...&to=...';
const PLAIN = 'expected https, because the URL is a secret; http is for loopback only';
const ADDRESS = /^[^\s@<>"(),:;[\]\\\p{Cc}]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?$/iu;
const MOST_RECIPIENTS = 20;
/** Shorter parts of a ping URL may be the name that somebody gave to the check. */
const SHORTEST_KEY = 16;

export function parseNotifyUrl(text: string): Secretly<Destination> {
  const scheme = /^([a-z+]+):\/\//i.exec(text)?.[1]?.toLowerCase() ?? '';
  const rest = text.slice(scheme.length);
  switch (scheme) {
    case 'https':
    case 'http':
      return webhook(urlOf(text));
    case 'tgram':
      return telegram(rest);
    case 'ntfys':
    case 'ntfy':
      return ntfy(urlOf((scheme === 'ntfys' ? 'https' : 'http') + rest));
    case 'json+https':
    case 'json+http':
      return json(urlOf(scheme.slice('json+'.length) + rest));
    case 'smtps':
    case 'smtp':
      return mail(urlOf(text), scheme === 'smtps');
    default:
      throw new Error(RULE);
  }
}

function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.hash !== '')
    throw new Error('it is malformed: encode `#`, `/`, `?` and `%` in it as in any URL');
  return url;
}

const isPlain = (url: URL): boolean => url.protocol === 'http:' && !isLoopback(url.hostname);

function webhook(url: URL): Secretly<Webhook> {
  if (isPlain(url)) throw new Error(PLAIN);
  if (url.username !== '' || url.password !== '')
    throw new Error('expected no user or password in the URL of a webhook');
  const { hostname: host, pathname: path, searchParams: query } = url;
  const to = (service: Webhook['service'], ...secrets: string[]) => ({
    target: { service, url: url.href, headers: {}, to: '' },
    secrets: [url.href, ...secrets],
  });
  if (/^hooks\.slack(?:-gov)?\.com$/.test(host)) {
    const [, token] = /^\/services\/T[A-Z0-9]+\/B[A-Z0-9]+\/(\w+)\/?$/.exec(path) ?? [];
    if (token === undefined) {
      throw new Error(
        'expected an incoming webhook of Slack: https://hooks.slack.com/services/T.../B.../..., not a workflow',
      );
    }
    return to('Slack', token);
  }
  if (/^(?:(?:canary|ptb)\.)?discord(?:app)?\.com$/.test(host)) {
    const [, own, token] =
      /^(\/api(?:\/v\d+)?\/webhooks\/\d{17,20}\/([\w-]+))(?:\/(?:slack|github))?\/?$/.exec(path) ?? [];
    if (own === undefined || token === undefined) {
      throw new Error('expected a webhook of Discord, https://discord.com/api/webhooks/ID/TOKEN');
    }
    url.pathname = own;
    query.set('wait', 'true'); // without it, a message that was not kept is no error
    return to('Discord', token);
  }
  if (/(?:^|\.)(?:webhook\.office\.com|outlook\.office(?:365)?\.com)$/.test(host)) {
    throw new Error(
      'it is a Teams connector, which Microsoft has retired: create a Workflow "when a webhook request is received"',
    );
  }
  if (/\.(?:logic\.azure\.com|api\.powerplatform\.com|powerautomate\.com)$/.test(host)) {
    const sig = query.get('sig');
    if (!sig || !/\/workflows\/[\w-]+\/triggers\/manual\/paths\/invoke\/?$/.test(path)) {
      throw new Error('expected the whole URL of a Teams Workflow, including `sig`');
    }
    return to('Teams', sig);
  }
  const [, hook] = /\/hooks\/([a-z0-9]{26})\/?$/.exec(path) ?? [];
  if (hook !== undefined) return to('Mattermost', hook);
  if (host === 'ntfy.sh') return ntfy(url);
  const token = query.get('token');
  if (path.endsWith('/message') && token && /^[\x21-\x7e]+$/.test(token)) {
    url.search = '';
    return {
      target: { service: 'Gotify', url: url.href, headers: { 'x-gotify-key': token }, to: '' },
      secrets: [token],
    };
  }
  throw new Error(`${RULE}; any other receiver as json+https://`);
}

function telegram(rest: string): Secretly<Webhook> {
  const [, token, chat] = /^:\/\/(?:bot)?(\d{5,20}:[\w-]{30,100})\/(-?\d{1,20}|@\w{4,64})\/?$/.exec(rest) ?? [];
  if (token === undefined || chat === undefined) {
    throw new Error(
      'expected tgram://TOKEN/CHAT: the token as @BotFather gives it, and the id of the chat or the @name of a channel',
    );
  }
  const url = `https://api.telegram.org/bot${token}/sendMessage`;
  return {
    target: { service: 'Telegram', url, headers: {}, to: chat },
    secrets: [token, token.slice(token.indexOf(':') + 1)],
  };
}

/** The topic alone is no secret to be masked: it may be a word that stands anywhere. */
function ntfy(url: URL): Secretly<Webhook> {
  const [, topic] = /^\/([\w-]{1,64})\/?$/.exec(url.pathname) ?? [];
  if (topic === undefined || url.search !== '')
    throw new Error('expected ntfys://host/topic, or ntfys://TOKEN@host/topic');
  const { headers, secrets } = takeCredentials(url);
  if (secrets.length > 0 && isPlain(url)) {
    throw new Error(
      'expected ntfys, because it contains a password or token; ntfy is for loopback and for topics without one',
    );
  }
  secrets.push(`${url.host}/${topic}`);
  return { target: { service: 'ntfy', url: `${url.origin}/`, headers, to: topic }, secrets };
}

function json(url: URL): Secretly<Webhook> {
  if (isPlain(url)) throw new Error(PLAIN.replaceAll('http', 'json+http'));
  const { headers, secrets } = takeCredentials(url);
  secrets.push(url.href, ...tokensOf(url));
  return { target: { service: 'JSON', url: url.href, headers, to: '' }, secrets };
}

/** Takes `user:password@`, or `token@`, out of the URL, which fetch refuses with it. A user with a password is no secret. */
function takeCredentials(url: URL): { headers: Record<string, string>; secrets: string[] } {
  const [user, password] = [decoded(url.username), decoded(url.password)];
  url.username = '';
  url.password = '';
  const token = user === '' ? password : password === '' ? user : null;
  if (token === '') return { headers: {}, secrets: [] };
  if (token === null) {
    const basic = Buffer.from(`${user}:${password}`).toString('base64');
    return { headers: { authorization: `Basic ${basic}` }, secrets: [password, basic] };
  }
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Error('expected a token of ASCII letters, digits and symbols');
  return { headers: { authorization: `Bearer ${token}` }, secrets: [token] };
}

function decoded(text: string): string {
  try {
    const plain = decodeURIComponent(text);
    if (!/\p{Cc}/u.test(plain)) return plain;
  } catch {
    // said below
  }
  throw new Error('user or password is malformed: encode `%`, `@`, `:`, `/`, `?` and `#` in it as in any URL');
}

function mail(url: URL, secure: boolean): Secretly<MailServer> {
  const form = 'smtps://user:password@host[:port]/?from=ADDRESS&to=ADDRESS';
  if (!['', '/'].includes(url.pathname)) throw new Error(`expected ${form}`);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  parseHost(host);
  const [user, password] = [decoded(url.username), decoded(url.password)];
  if ((user === '') !== (password === '')) throw new Error(`expected ${form}, or neither user nor password`);
  // a "+" is part of many addresses, and not the blank that forms make of it
  const query = new URLSearchParams(url.search.replaceAll('+', '%2B'));
  const unknown = [...query.keys()].filter((name) => name !== 'from' && name !== 'to');
  if (unknown.length > 0) throw new Error(`expected ${form}, and nothing else after "?"`);
  const from = query.get('from') ?? user;
  const to = query
    .getAll('to')
    .flatMap((list) => list.split(','))
    .map((one) => one.trim());
  if (!ADDRESS.test(from)) throw new Error(`expected from=ADDRESS, in ${form}`);
  if (to.length === 0 || to.length > MOST_RECIPIENTS || !to.every((one) => ADDRESS.test(one))) {
    throw new Error(`expected to=ADDRESS, or up to ${MOST_RECIPIENTS} with commas between them, in ${form}`);
  }
  const port = url.port === '' ? (secure ? 465 : 587) : Number(url.port);
  const login = user === '' ? null : { user, password };
  const secrets =
    login === null
      ? []
      : [
          password,
          url.password,
          Buffer.from(`\0${user}\0${password}`).toString('base64'),
          Buffer.from(password).toString('base64'),
        ];
  return { target: { service: 'mail', host, port, secure, login, from, to }, secrets };
}

export function parsePingUrl(text: string): Secretly<PingTarget> {
  const rule = 'expected the ping URL of healthchecks, https://hc-ping.com/UUID, or the push URL of Uptime Kuma';
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !['https:', 'http:'].includes(url.protocol) || url.pathname === '/') throw new Error(rule);
  if (isPlain(url)) throw new Error(PLAIN);
  if (url.username !== '' || url.password !== '' || url.hash !== '')
    throw new Error(`${rule}, without user and fragment`);
  url.pathname = url.pathname.replace(/\/+$/, '');
  const [, token] = /\/api\/push\/([\w-]+)$/.exec(url.pathname) ?? [];
  if (token !== undefined) {
    url.search = ''; // it is copied with an example of what is to be told
    return { target: { service: 'Uptime Kuma', url: url.href }, secrets: [url.href, token] };
  }
  return { target: { service: 'healthchecks', url: url.href }, secrets: [url.href, ...tokensOf(url, SHORTEST_KEY)] };
}
