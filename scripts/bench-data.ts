import { execFileSync } from 'node:child_process';
import type { Postgres } from '../__tests__/helpers/postgres.js';

// Rows of text and JSON that compress as those of applications do, an index, and many narrow rows: so many megabytes of them.

const WORDS = ['the', 'order', 'of', 'customer', 'was', 'shipped', 'to', 'street', 'and', 'paid', 'by', 'card'];

/** The database `bench` on that server. */
export async function fillPostgres(server: Postgres, megabytes: number): Promise<void> {
  await server.createDatabase('bench');
  const documents = Math.round((megabytes * 1e6) / 2 / 1100);
  const events = Math.round((megabytes * 1e6) / 2 / 120);
  await server.sql(
    'bench',
    `CREATE TABLE documents (id int PRIMARY KEY, body text, attributes jsonb);
     INSERT INTO documents SELECT i,
       (SELECT string_agg(w || ' ' || substr(md5((i::bigint * 31 + k)::text), 1, 6), ' ') FROM unnest('{${WORDS.join()}}'::text[]) WITH ORDINALITY AS words (w, k), generate_series(1, 5)),
       jsonb_build_object('sku', md5(i::text), 'price', i % 977, 'tags', ARRAY['new', 'sale'])
     FROM generate_series(1, ${documents}) AS i;
     CREATE TABLE events (id bigint PRIMARY KEY, account int, at timestamptz, amount numeric, note text);
     INSERT INTO events SELECT i, (i::bigint * 7919) % 100003, '2026-01-01'::timestamptz + i * interval '7 seconds', (i * 13 % 9973) / 100.0, 'transfer ' || i % 100
     FROM generate_series(1, ${events}) AS i;
     CREATE INDEX ON events (account);
     VACUUM ANALYZE;`,
  );
}

/** A new database of SQLite. */
export function fillSqlite(path: string, megabytes: number): void {
  const rows = Math.round((megabytes * 1e6) / 830);
  const body = WORDS.map((word) => `'${word} ' || lower(hex(randomblob(3)))`).join(" || ' ' || ");
  execFileSync('sqlite3', ['-batch', '-init', '/dev/null', '-bail', path], {
    input: `PRAGMA journal_mode = wal;
      CREATE TABLE documents (id INTEGER PRIMARY KEY, body TEXT, attributes TEXT);
      WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
      INSERT INTO documents SELECT i, ${[body, body, body, body].join(" || ' ' || ")}, json_object('sku', hex(randomblob(16)), 'price', i % 977) FROM n;
      CREATE TABLE events (id INTEGER PRIMARY KEY, account INTEGER, at TEXT, note TEXT);
      WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows * 3})
      INSERT INTO events SELECT i, (i * 7919) % 100003, datetime(1767225600 + i * 7, 'unixepoch'), 'transfer ' || i % 100 FROM n;
      CREATE INDEX events_account ON events (account);`,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
}
