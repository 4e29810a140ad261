import type { Source } from '../engine.js';
import type { PostgresSource } from '../postgres/url.js';

/** A whole cluster, by the stanza under which pgBackRest knows it, and a database of it, which is asked about the cluster. */
export interface PhysicalSource extends Source {
  engine: 'pgbackrest';
  stanza: string;
  postgres: PostgresSource;
}

/** What `database` names, as a part of the cluster of a stanza. */
export function takeStanza(source: Source, stanza: string): PhysicalSource {
  return { engine: 'pgbackrest', given: source.given, stanza, postgres: source as PostgresSource };
}
