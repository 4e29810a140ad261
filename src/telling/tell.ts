import { setTimeout as sleep } from 'node:timers/promises';
import { platform } from '../platform/platform.js';
import { neutralise } from '../reporting/neutralise.js';
import type { Report } from '../reporting/report.js';
import { reportJson } from '../reporting/report-json.js';
import type { GitHubRun } from '../run/run.js';
import type { Telling } from '../settings/notify-inputs.js';
import type { MailServer, Webhook } from '../settings/notify-urls.js';
import { type Attempts, deliver, NotDelivered } from './deliver.js';
import type { Delivery } from './delivery.js';
import { discord } from './discord.js';
import { gotify } from './gotify.js';
import { json } from './json.js';
import { sendMail } from './mail.js';
import { mattermost } from './mattermost.js';
import { type Message, messageOf } from './message.js';
import { ntfy } from './ntfy.js';
import { endPing, startPing } from './ping.js';
import { slack } from './slack.js';
import { teams } from './teams.js';
import { telegram } from './telegram.js';
import { isTold, levelOf } from './when.js';

/** For everything that is told at the end of a run. */
const LIMIT_MS = 60_000;
/** The runner kills a cancelled run 10 s after it has asked it to end, and the host needs some of them. */
const CANCELLED_MS = 4_000;
const LONGEST_REASON = 300;

const BUILDERS: Record<Exclude<Webhook['service'], 'JSON'>, (message: Message, to: Webhook) => Delivery> = {
  Slack: slack,
  Discord: discord,
  Teams: teams,
  Mattermost: mattermost,
  Telegram: telegram,
  ntfy,
  Gotify: gotify,
};

export interface Ended {
  report: Report;
  github: GitHubRun | null;
  previous: 'ok' | 'failed' | null;
  log: readonly string[];
}

/** Tells how one run goes. Nothing of it throws; what was not delivered comes back as warnings, which name no URL. */
export class Teller {
  private begun: Promise<string[]> = Promise.resolve([]);
  private readonly beginning = new AbortController();

  constructor(
    private readonly telling: Telling,
    /** Of this run: the same in its pings. */
    readonly rid: string,
  ) {}

  get hasSomebody(): boolean {
    return this.telling.ping !== null || (this.telling.destinations.length > 0 && this.telling.when !== 'never');
  }

  /** Pings that it begins; nobody waits for that. */
  begin(): void {
    const { ping } = this.telling;
    const delivery = ping === null ? null : startPing(ping, this.rid);
    if (ping === null || delivery === null) return;
    const attempts = { signal: this.beginning.signal };
    this.begun = warned(`ping-url (${ping.service}): the ping at the start of the run`, () =>
      deliver(delivery, attempts),
    );
  }

  /** Tells all that are to be told how it ended. */
  end(ended: Ended, limitMs = ended.report.errorCode === 'E_CANCELLED' ? CANCELLED_MS : LIMIT_MS): Promise<string[]> {
    // an error of ours, here of all places, must not make a good run fail
    return this.tellAll(ended, limitMs).catch(() => ['no notification was sent: unexpected error']);
  }

  private async tellAll({ report, github, previous, log }: Ended, limitMs: number): Promise<string[]> {
    const { destinations, ping, when } = this.telling;
    const level = levelOf(report, previous);
    const message = messageOf({ report, github, level, log, now: new Date(), clean });
    const attempts = { signal: AbortSignal.timeout(limitMs) };
    const told = (isTold(when, level) ? destinations : []).map(({ line, to }) =>
      warned(`notify-urls, line ${line} (${to.service}): the notification`, () =>
        to.service === 'mail' ? mail(message, to, attempts) : deliver(deliveryOf(message, to, report), attempts),
      ),
    );
    const pinged = ping === null ? [] : [this.pingEnd(message, report.durationMs, attempts, limitMs / 2)];
    return (await Promise.all([...told, ...pinged])).flat();
  }

  /** After the ping of the beginning, which would else be the last word; it has so long to come to its end. */
  private async pingEnd(message: Message, durationMs: number, attempts: Attempts, beginMs: number): Promise<string[]> {
    const { ping } = this.telling;
    if (ping === null) return [];
    await Promise.race([this.begun, sleep(beginMs, undefined, { ref: false })]);
    this.beginning.abort();
    const begun = await this.begun;
    const what = `ping-url (${ping.service}): the ping at the end of the run`;
    return [...begun, ...(await warned(what, () => deliver(endPing(ping, this.rid, message, durationMs), attempts)))];
  }
}

const clean = (text: string): string => platform().hidden(neutralise(text));

function deliveryOf(message: Message, to: Webhook, report: Report): Delivery {
  return to.service === 'JSON' ? json(message, to, cleanReport(report)) : BUILDERS[to.service](message, to);
}

/** Text by text: what is no text may look like a secret, and would be no JSON without it. */
const cleanReport = (report: Report): object =>
  JSON.parse(reportJson(report), (_, value: unknown) => (typeof value === 'string' ? clean(value) : value)) as object;

async function mail(message: Message, to: MailServer, attempts: Attempts): Promise<void> {
  const refused = await sendMail(message, to, attempts);
  if (refused > 0) throw new NotDelivered(`${refused} of ${to.to.length} recipients were refused`);
}

async function warned(what: string, work: () => Promise<void>): Promise<string[]> {
  try {
    await work();
    return [];
  } catch (error) {
    // another error is one of ours, and may hold anything
    const reason = error instanceof NotDelivered ? error.message : 'unexpected error';
    return [`${what} was not delivered: ${clean(reason).replaceAll(/\s+/g, ' ').slice(0, LONGEST_REASON)}`];
  }
}
