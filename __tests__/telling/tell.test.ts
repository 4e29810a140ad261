import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Report } from '../../src/reporting/report.js';
import type { Telling } from '../../src/settings/notify-inputs.js';
import { Teller } from '../../src/telling/tell.js';
import { type Receiver, startReceiver } from '../helpers/receiver.js';
import { failedReport, sampleReport } from '../reporting/sample-report.js';

let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.stop());

function telling(changes: Partial<Telling> = {}): Telling {
  const url = `http://127.0.0.1:${receiver.port}/json`;
  const json = { service: 'JSON', url, headers: {}, to: '' } as const;
  const ping = { service: 'healthchecks', url: `http://127.0.0.1:${receiver.port}/ping` } as const;
  return { destinations: [{ line: 3, to: json }], ping, when: 'failure', withLog: false, ...changes };
}
const ended = (report: Report) => ({ report, github: null, previous: null, log: [] });

test('a monitor that does not answer when a run begins costs half of the time of its end, and is told it', async () => {
  receiver.answer = ({ path }, response) => {
    if (!path.startsWith('/ping/start')) response.end('ok');
  };
  const teller = new Teller(telling(), 'r');
  teller.begin();
  const warnings = await teller.end(ended(sampleReport()), 4_000);
  expect(warnings).toEqual([
    'ping-url (healthchecks): the ping at the start of the run was not delivered: no answer in time',
  ]);
  expect(receiver.received.map(({ path }) => path).filter((path) => !path.startsWith('/ping/start'))).toEqual([
    '/ping?rid=r',
  ]);
}, 30_000);

test('one that is silent to all ends with the time', async () => {
  receiver.answer = () => {};
  const warnings = await new Teller(telling({ ping: null }), 'r').end(ended(failedReport()), 100);
  expect(warnings).toEqual(['notify-urls, line 3 (JSON): the notification was not delivered: no answer in time']);
});

test('an error of ours is a warning, too', async () => {
  const warnings = await new Teller(telling(), 'r').end(ended({ ok: false } as Report));
  expect(warnings).toEqual(['no notification was sent: unexpected error']);
});

test('whether there is anybody to tell', () => {
  const has = (changes: Partial<Telling>) => new Teller(telling(changes), 'r').hasSomebody;
  expect(has({ ping: null })).toBe(true);
  expect(has({ ping: null, when: 'never' })).toBe(false);
  expect(has({ when: 'never' })).toBe(true);
  expect(has({ ping: null, destinations: [] })).toBe(false);
});
