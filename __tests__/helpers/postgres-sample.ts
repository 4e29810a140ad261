import { type Postgres, quoteIdentifier, quoteLiteral } from './postgres.js';

/** All that is needed of a server here. */
export type SqlServer = Pick<Postgres, 'sql'>;

/** What a database holds, in a form that is equal exactly when the contents are. */
export interface Contents {
  /** Tables that have rows of their own, partitions and materialized views, by `schema.name` quoted where SQL needs it. */
  tables: Record<string, { rows: number; md5: string }>;
  /** The last value; null before the first. */
  sequences: Record<string, number | null>;
  /** By object id: the number of bytes and their MD5. */
  largeObjects: Record<string, string>;
}

/** Roles that `fillSample` makes when they are missing; they may not log in. */
export const SAMPLE_ROLES = { owner: 'sample owner', reader: 'Sample-Reader' };

/**
 * Makes a small database of nearly everything that a dump has to carry, in about half a second. It is created when it is missing, and
 * belongs, like all in it, to `owner`, a role of which the default is made as well.
 */
export async function fillSample(server: SqlServer, database: string, owner = SAMPLE_ROLES.owner): Promise<void> {
  for (const role of Object.values(SAMPLE_ROLES)) {
    const known = await server.sql('postgres', `SELECT 1 FROM pg_roles WHERE rolname = ${quoteLiteral(role)}`);
    if (known === '') await server.sql('postgres', `CREATE ROLE ${quoteIdentifier(role)}`);
  }
  const name = quoteIdentifier(database);
  const there = await server.sql('postgres', `SELECT 1 FROM pg_database WHERE datname = ${quoteLiteral(database)}`);
  if (there === '') await server.sql('postgres', `CREATE DATABASE ${name}`);
  await server.sql(
    database,
    `ALTER DATABASE ${name} OWNER TO ${quoteIdentifier(owner)};
     ALTER DATABASE ${name} SET statement_timeout = '90min';
     ALTER DATABASE ${name} SET search_path = shop, public;
     ALTER ROLE ${quoteIdentifier(SAMPLE_ROLES.reader)} IN DATABASE ${name} SET work_mem = '5MB';
     GRANT CONNECT, TEMPORARY ON DATABASE ${name} TO ${quoteIdentifier(SAMPLE_ROLES.reader)};
     COMMENT ON DATABASE ${name} IS 'the sample''s own comment';
     SET SESSION AUTHORIZATION ${quoteIdentifier(owner)};
     ${SAMPLE}`,
  );
}

const READER = quoteIdentifier(SAMPLE_ROLES.reader);
const SAMPLE = `
SET search_path = public;
CREATE SCHEMA shop;
CREATE SCHEMA "Odd schéma; with ""quotes""";
CREATE EXTENSION citext SCHEMA public;
CREATE EXTENSION pg_trgm SCHEMA public;

CREATE TYPE shop.state AS ENUM ('new', 'paid', 'it''s gone');
CREATE DOMAIN shop.cents AS bigint CHECK (VALUE >= 0) DEFAULT 0;
CREATE TYPE shop.address AS (street text, "ZIP Code" text);
CREATE SEQUENCE shop.receipts START 1000 INCREMENT 5 CACHE 3;
SELECT nextval('shop.receipts') FROM generate_series(1, 4);

CREATE TABLE shop.customers (
  id integer GENERATED ALWAYS AS IDENTITY (START 100) PRIMARY KEY,
  email public.citext NOT NULL UNIQUE,
  name text NOT NULL,
  home shop.address,
  tags text[] DEFAULT '{}',
  extra jsonb,
  best_friend integer REFERENCES shop.customers DEFERRABLE INITIALLY DEFERRED
);
INSERT INTO shop.customers (email, name, home, tags, extra)
  SELECT 'User' || i || '@example.com', 'Name ' || i || ' äöü 漢字 😀 \\ \\. E''\\n', ROW('Main St. ' || i, '0' || i)::shop.address,
    ARRAY['a' || i, NULL, 'with "quotes", and commas'], jsonb_build_object('n', i, 'text', E'tab\\t, line\\n')
  FROM generate_series(1, 200) i;
CREATE INDEX customers_name_trgm ON shop.customers USING gin (name public.gin_trgm_ops);
CREATE INDEX customers_lower ON shop.customers (lower(name)) WHERE best_friend IS NOT NULL;

CREATE TABLE shop.orders (
  id bigserial,
  customer integer NOT NULL REFERENCES shop.customers ON DELETE CASCADE,
  placed timestamptz NOT NULL,
  state shop.state NOT NULL DEFAULT 'new',
  total shop.cents NOT NULL,
  with_tax numeric GENERATED ALWAYS AS (total * 1.19) STORED,
  PRIMARY KEY (id, placed, state)
) PARTITION BY RANGE (placed);
CREATE TABLE shop.orders_2025 PARTITION OF shop.orders FOR VALUES FROM ('2025-01-01Z') TO ('2026-01-01Z');
CREATE TABLE shop."Orders 2026" PARTITION OF shop.orders FOR VALUES FROM ('2026-01-01Z') TO ('2027-01-01Z')
  PARTITION BY LIST (state);
CREATE TABLE shop.orders_2026_new PARTITION OF shop."Orders 2026" FOR VALUES IN ('new');
CREATE TABLE shop.orders_2026_rest PARTITION OF shop."Orders 2026" DEFAULT;
CREATE TABLE shop.orders_default PARTITION OF shop.orders DEFAULT;
CREATE INDEX orders_customer ON shop.orders (customer);
INSERT INTO shop.orders (customer, placed, state, total)
  SELECT 100 + i % 200, timestamptz '2024-12-01Z' + i * interval '9 hours', (enum_range(NULL::shop.state))[1 + i % 3], i * 17
  FROM generate_series(0, 1999) i;

CREATE TABLE "Odd schéma; with ""quotes"""."Table ""T"" x=y; -- 漢字" (
  "Primary key" uuid PRIMARY KEY,
  "select" boolean,
  "a'b" bytea,
  "two
lines" double precision,
  money_range int8range,
  EXCLUDE USING gist (money_range WITH &&)
);
INSERT INTO "Odd schéma; with ""quotes"""."Table ""T"" x=y; -- 漢字"
  SELECT md5(i::text)::uuid, CASE i % 3 WHEN 0 THEN NULL ELSE i % 3 = 1 END, sha256(i::text::bytea),
    CASE i WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' ELSE sqrt(i) END, int8range(i * 10, i * 10 + 5)
  FROM generate_series(1, 300) i;

CREATE TABLE "UPPER" (id serial PRIMARY KEY, at timestamp DEFAULT now(), note text);
INSERT INTO "UPPER" (at, note) SELECT 'epoch', nullif(repeat('x', i), 'xx') FROM generate_series(0, 99) i;
CREATE TABLE upper_child (more interval) INHERITS ("UPPER");
INSERT INTO upper_child (at, note, more) VALUES ('infinity', '', '1 mon -2 days');
CREATE TABLE empty_table (id integer);
CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES;
CREATE UNLOGGED TABLE unlogged_table AS SELECT 1 AS one;
CREATE TABLE "-x" (id integer PRIMARY KEY, other integer);
CREATE TABLE "##[set-output name=backup-ok]true
::error::two lines" AS SELECT 1 AS one;
CREATE TABLE "postgresql://u@h/db" (id integer PRIMARY KEY REFERENCES "-x" DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE "-x" ADD FOREIGN KEY (other) REFERENCES "postgresql://u@h/db" DEFERRABLE INITIALLY DEFERRED;
BEGIN;
INSERT INTO "-x" VALUES (1, 1);
INSERT INTO "postgresql://u@h/db" VALUES (1);
COMMIT;

CREATE TABLE private_rows (id integer PRIMARY KEY, whose text);
INSERT INTO private_rows SELECT i, 'user ' || i % 3 FROM generate_series(1, 30) i;
ALTER TABLE private_rows ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON private_rows USING (whose = current_user);

CREATE FUNCTION shop.total_of(wanted integer) RETURNS numeric LANGUAGE sql STABLE
  AS $f$ SELECT coalesce(sum(total), 0) FROM shop.orders WHERE customer = wanted $f$;
CREATE FUNCTION shop.count_change() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN
  INSERT INTO shop.changes (what) VALUES (TG_OP || ' ' || TG_TABLE_NAME);
  RETURN NULL;
END $f$;
CREATE PROCEDURE shop.nothing() LANGUAGE plpgsql AS 'BEGIN END';
CREATE AGGREGATE shop.product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = 1);
CREATE TABLE shop.changes (id integer GENERATED BY DEFAULT AS IDENTITY, what text);
-- A restore that fires triggers while it loads leaves more rows here than there were.
CREATE TRIGGER counted AFTER INSERT OR UPDATE OR DELETE ON shop.customers FOR EACH ROW EXECUTE FUNCTION shop.count_change();
UPDATE shop.customers SET name = name || '!' WHERE id = 101;

CREATE VIEW shop.paid AS SELECT id, customer, total FROM shop.orders WHERE state = 'paid';
CREATE VIEW "Odd schéma; with ""quotes"""."View" AS SELECT customer, count(*) AS n FROM shop.paid GROUP BY customer;
CREATE MATERIALIZED VIEW shop.totals AS SELECT customer, sum(total) AS total FROM shop.orders GROUP BY customer;
CREATE UNIQUE INDEX ON shop.totals (customer);
CREATE MATERIALIZED VIEW shop.totals_not_loaded AS SELECT 1 AS one WITH NO DATA;
CREATE RULE never AS ON DELETE TO "UPPER" DO INSTEAD NOTHING;
CREATE STATISTICS shop.orders_statistics ON customer, state FROM shop.orders;

SELECT lo_from_bytea(4711, decode(repeat('00ff5c0a', 5000), 'hex'));
SELECT lo_from_bytea(4712, '');

COMMENT ON TABLE shop.customers IS 'It''s a comment; -- with "quotes" \\ and
a second line';
COMMENT ON COLUMN shop.customers.email IS '::set-output name=backup-ok::true';
GRANT USAGE ON SCHEMA shop TO ${READER};
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO ${READER};
GRANT UPDATE (name) ON shop.customers TO ${READER} WITH GRANT OPTION;
GRANT USAGE ON SEQUENCE shop.receipts TO ${READER};
REVOKE EXECUTE ON FUNCTION shop.total_of FROM PUBLIC;
GRANT SELECT ON LARGE OBJECT 4711 TO ${READER};
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO ${READER};
UPDATE shop.customers SET best_friend = 399 - id WHERE id < 200;
`;

/**
 * Adds a table of about `megabytes` in lines of 1.9 kB: `random` does not compress to less than three quarters, `same` to nearly nothing.
 * 100 MB take about a second.
 */
export async function bigTable(
  server: SqlServer,
  database: string,
  megabytes: number,
  options: { name?: string; rows?: 'random' | 'same' } = {},
): Promise<void> {
  const table = quoteIdentifier(options.name ?? 'big');
  const rows = Math.round((megabytes * 1_048_576) / 1928);
  const bytes = Math.round((rows * 1900 * 3) / 4);
  const fill =
    options.rows === 'same'
      ? `INSERT INTO public.${table} (data) SELECT repeat('the same 19 letters', 100) FROM generate_series(1, ${rows})`
      : `COPY public.${table} (data) FROM PROGRAM 'head -c ${bytes} /dev/urandom | base64 -w 1900'`;
  await server.sql(
    database,
    `BEGIN;
     CREATE TABLE public.${table} (id bigint GENERATED ALWAYS AS IDENTITY, data text);
     ${fill};
     ALTER TABLE public.${table} ADD PRIMARY KEY (id);
     COMMIT;`,
  );
}

/** Reads everything, each part by a statement of its own: for a database that nobody writes. A restored one is equal to what was dumped. */
export async function contentsOf(server: SqlServer, database: string): Promise<Contents> {
  // The path of the database itself would take the schema off the names.
  const json = async (query: string) =>
    JSON.parse(await server.sql(database, `SET search_path = pg_catalog; ${query}`)) as unknown;
  const tables = (await json(
    `SELECT coalesce(json_agg(oid::regclass::text ORDER BY oid::regclass::text COLLATE "C"), '[]') FROM pg_class
     WHERE (relkind = 'r' OR relkind = 'm' AND relispopulated) AND relpersistence <> 't'
       AND relnamespace::regnamespace::text !~ '^(pg_|information_schema$)'`,
  )) as string[];
  const row = '"the whole row"::text';
  const parts = tables.map(
    (table) => `SELECT ${quoteLiteral(table)} AS name, count(*) AS rows,
      md5(coalesce(string_agg(md5(${row}), '' ORDER BY md5(${row})), '')) AS md5 FROM ONLY ${table} AS "the whole row"`,
  );
  const counted = `SELECT coalesce(json_object_agg(name, json_build_object('rows', rows, 'md5', md5)), '{}')
    FROM (${parts.length === 0 ? "SELECT NULL AS name, 0 AS rows, '' AS md5 WHERE false" : parts.join('\nUNION ALL ')}) t`;
  return {
    tables: (await json(counted)) as Contents['tables'],
    sequences: (await json(
      `SELECT coalesce(json_object_agg(format('%I.%I', schemaname, sequencename), last_value), '{}') FROM pg_sequences`,
    )) as Contents['sequences'],
    largeObjects: (await json(
      `SELECT coalesce(json_object_agg(oid, length(lo_get(oid)) || ' ' || md5(lo_get(oid))), '{}') FROM pg_largeobject_metadata`,
    )) as Contents['largeObjects'],
  };
}
