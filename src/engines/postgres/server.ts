import { named } from '../common.js';
import type { Server } from '../engine.js';
import { connectionString } from './connection-string.js';
import { askingUrl, namingUrl, type PostgresSource } from './url.js';

/** All databases of a PostgreSQL server, as programs/postgres-databases.sh tells them. */
export const postgresServer: Server<PostgresSource> = {
  asking: askingUrl,
  naming: namingUrl,
  request: (source, { container, runAs }) => [
    'job',
    'databases_postgres',
    named({
      container: container ?? '',
      run_as: runAs ?? '',
      connection: connectionString(source),
      password: source.password ?? '',
    }),
  ],
  names: (facts) =>
    facts
      .all('on_server')
      .map((hex) => Buffer.from(hex, 'hex'))
      .toSorted(Buffer.compare),
};
