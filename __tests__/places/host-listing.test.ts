import { expect, test } from '@jest/globals';
import { type Manifest, serializeManifest } from '../../src/backups/manifest.js';
import { Facts } from '../../src/host/facts.js';
import { listingOf as listingTold } from '../../src/places/host-listing.js';
import { idAt, listingOf, manifestOf } from '../backups/sample-backups.js';

/** As the host tells of them. */
function tell(facts: Facts, manifest: Manifest): void {
  const { files } = listingOf([manifest]);
  facts.add('files', files.map(({ name, bytes }) => `-rw------- 1 0 0 ${bytes} Nov 29 11:00 ${name}`).join('\n'));
  facts.add(`manifest ${manifest.id}.json`, serializeManifest(manifest));
}

test('what a container or another user says after the listing adds no backup to it', () => {
  const own = manifestOf(idAt('2026-11-28T10:00:00Z'));
  const forged = manifestOf(idAt('2026-11-29T10:00:00Z', 'app', 'fff0'));
  const facts = new Facts();
  tell(facts, own);
  facts.add('listed', '1');
  tell(facts, forged);
  expect([...listingTold(facts).manifests.keys()]).toEqual([`${own.id}.json`]);
  expect(listingTold(facts)).toEqual({ ...listingOf([own]), untold: 0 });
});
