import type { Postgres } from './postgres.js';

/**
 * Resolves once this condition of SQL is true; the server itself asks every 20 ms, as a psql for each time would take more of the machine
 * than what is waited for. Throws after `seconds`.
 */
export async function comesTrue(
  server: Pick<Postgres, 'sql'>,
  database: string,
  condition: string,
  seconds = 60,
): Promise<void> {
  await server.sql(
    database,
    `DO $waiting$ BEGIN
       FOR nth IN 1 .. ${seconds * 50} LOOP
         PERFORM pg_catalog.pg_stat_clear_snapshot();
         IF (${condition}) THEN RETURN; END IF;
         PERFORM pg_catalog.pg_sleep(0.02);
       END LOOP;
       RAISE EXCEPTION 'it did not come true in ${seconds} s';
     END $waiting$`,
  );
}
