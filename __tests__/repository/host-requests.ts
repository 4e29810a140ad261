import type { Database } from '../../src/engines/database.js';
import { databaseOf, engineOf } from '../../src/engines/lookup.js';
import type { Dump } from '../../src/engines/restoring.js';
import { Facts } from '../../src/host/facts.js';
import type { HostRequest } from '../../src/host/session.js';
import type { Settings } from '../../src/settings/settings.js';
import { idAt, manifestOf } from '../backups/sample-backups.js';

/** Every request that an engine sends with named arguments, as it would with these settings. */
export function engineRequests(settings: Settings): HostRequest[] {
  const database = databaseOf(settings.database, settings.dump);
  const manifest = manifestOf(idAt('2026-11-20T10:15:00Z'));
  const { file, kind, compression, encryption, sha256, bytes, databaseBytes } = manifest;
  const dump: Dump = { file, kind, compression, encryption, sha256, bytes, databaseBytes, manifest };
  const { restoring } = database;
  const { id } = manifest;
  const { server } = engineOf(settings.database);
  return [
    ...(server === undefined ? [] : [server.request(settings.database, settings)]),
    database.backup(settings, id, 'holder'),
    database.verify(settings, dump),
    ...(database.tools === undefined ? [] : [database.tools.request(settings)]),
    database.inspect(settings),
    ...repositoryRequests(database, settings),
    database.health.request(settings, 'examine'),
    restoring.look(settings, dump),
    ...extractRequests(database, settings, dump),
    ...(restoring.saveDamaged === undefined ? [] : [restoring.saveDamaged(settings, id)]),
    // a way of one engine may be no way of another: what is sent is the same for all
    ...['swap', 'in-place', 'create', 'replace'].flatMap((way) => {
      const step = { id, way };
      const about = { target: restoring.target, identity: manifest.identity };
      return [
        restoring.load(settings, dump, step),
        restoring.swap(settings, dump, step),
        restoring.back(settings, step, dump),
        restoring.back(settings, step, null),
        restoring.settle(settings, step),
        restoring.recover(settings, step, about),
      ];
    }),
  ];
}

function repositoryRequests({ repository }: Database, settings: Settings): HostRequest[] {
  if (repository === undefined) return [];
  const facts = new Facts();
  facts.add('sets', '[]');
  return [repository.look(settings), repository.remove(settings, facts, [{ label: 'a', dependents: ['b'] }], 1)];
}

function extractRequests({ extracting }: Database, settings: Settings, dump: Dump): HostRequest[] {
  if (extracting === undefined) return [];
  const asked = { table: 't', format: 'sql', dataOnly: false, output: null } as const;
  const facts = new Facts();
  // as SQLite tells them, and PostgreSQL
  for (const key of ['extract_name', 'extract_column']) facts.add(key, '74');
  facts.add('extract_definition', Buffer.from('CREATE TABLE t (t)').toString('hex'));
  facts.add('extract_table', 'public t owner');
  return [extracting.open(settings, dump, asked), extracting.rows(settings, dump, asked, facts)];
}

/** The names of its arguments, in order of the alphabet. */
export const argumentNames = ([, , args]: HostRequest): string[] => args.filter((_, at) => at % 2 === 0).toSorted();
