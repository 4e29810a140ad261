import { expect, test } from '@jest/globals';
import { readCatalogue } from '../../src/backups/catalogue.js';
import type { Manifest } from '../../src/backups/manifest.js';
import { payloadFile } from '../../src/backups/names.js';
import { youngEnough } from '../../src/making/young-enough.js';
import { idAt, listingOf, manifestOf, PATH } from '../backups/sample-backups.js';
import { runForTests } from '../places/run-for-tests.js';
import type { Given } from '../settings/given-inputs.js';

// skip-if-younger-than: which backup is enough, so that none is taken.

const NOW = new Date('2026-03-20T12:00:00Z');
const HOUR = 3_600_000;
const agoId = (hours: number): string => idAt(new Date(NOW.getTime() - hours * HOUR).toISOString());
const ago = (hours: number, change: Partial<Manifest> = {}): Manifest =>
  manifestOf(agoId(hours), { ...change, file: payloadFile(agoId(hours), 'sqlite', 'zstd', change.encryption) });

const SUSPECT: Partial<Manifest> = { state: 'suspect', suspicion: { limit: 'shrink-limit', why: 'it shrank' } };
const LOGS: Partial<Manifest> = { coverage: { excludeTable: ['logs'], excludeTableData: [], schema: [] } };
const proven = (level: Manifest['verified']['level']): Partial<Manifest> => ({
  verified: { level, at: '2026-03-20T10:00:00Z' },
});
const RECIPIENT = 'age1s8cx4t574mf7c36u8w3zzczka87v329fz7hflu9rgzs9x6uyqyks4hp6lj';
const AGE: Given = { encrypt: 'age', 'encryption-recipients': RECIPIENT };
const encrypted = (recipient: string): Partial<Manifest> => ({
  encryption: { method: 'age', recipients: [recipient.slice(0, 20)] },
});
const POSTGRES = { database: 'postgresql://shop@localhost/shop', name: 'app' };
const WITHOUT_LOGS: Given = { ...POSTGRES, 'exclude-table': 'logs' };

test.each<[string, Manifest[], Given, number | null]>([
  ['none', [], {}, null],
  ['the newest that is young', [ago(3), ago(2)], {}, 2],
  ['one of just that age', [ago(5)], {}, 5],
  ['none that is older', [ago(5.01)], {}, null],
  ['none that is suspect', [ago(1, SUSPECT)], {}, null],
  ['none before one that is suspect', [ago(2), ago(1, SUSPECT)], {}, null],
  ['one after one that is suspect', [ago(2, SUSPECT), ago(1)], {}, 1],
  ['no safety backup', [ago(1, { reason: 'safety' })], {}, null],
  ['one behind a safety backup', [ago(2), ago(1, { reason: 'safety' })], {}, 2],
  ['none that was never verified', [ago(1, proven('none'))], {}, null],
  ['none from the future', [ago(-2)], {}, null],
  ['none proven less than asked for', [ago(1, proven('checksum'))], {}, null],
  ['one that is, behind it', [ago(2), ago(1, proven('checksum'))], {}, 2],
  ['one proven more than asked for', [ago(1, proven('restore'))], { verify: 'checksum' }, 1],
  ['none that leaves out what is wanted', [ago(1, LOGS)], POSTGRES, null],
  ['one that leaves out the same', [ago(1, LOGS)], WITHOUT_LOGS, 1],
  ['a whole one for one that leaves something out', [ago(1)], WITHOUT_LOGS, 1],
  ['a suspect one that is not of use for this says nothing', [ago(2), ago(1, { ...SUSPECT, ...LOGS })], POSTGRES, 2],
  ['none that is not encrypted where that is asked for', [ago(1)], AGE, null],
  ['none that is encrypted where that is not', [ago(1, encrypted(RECIPIENT))], {}, null],
  ['none that is encrypted for another key', [ago(1, encrypted('age1another-key-that-is'))], AGE, null],
  ['one that is encrypted for the same', [ago(1, encrypted(RECIPIENT))], AGE, 1],
])('%s', async (_, manifests, inputs, expected) => {
  const run = await runForTests({ command: 'backup', ...inputs }, NOW);
  const { backups } = readCatalogue(listingOf(manifests), { name: 'app', identity: { path: PATH } }, NOW);
  expect(youngEnough(run, backups, 5 * HOUR)?.id ?? null).toBe(expected === null ? null : agoId(expected));
});
