import type { PostgresSource } from './url.js';

/**
 * `dbname='...' host='...'` for the tools of PostgreSQL, each value quoted as libpq reads it, the name of the database
 * always first: given alone, a name like `x=y` or `-x` would be taken for something else, and another database be dumped.
 * Never with a password: arguments can be seen by everybody on the host.
 * https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE
 */
export function connectionString({ database, parameters }: Pick<PostgresSource, 'database' | 'parameters'>): string {
  const quoted = (value: string): string => `'${value.replace(/[\\']/g, '\\$&')}'`;
  return [['dbname', database], ...parameters].map(([keyword, value = '']) => `${keyword}=${quoted(value)}`).join(' ');
}
