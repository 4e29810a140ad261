# shellcheck shell=sh
# PostgreSQL: one snapshot of a live database: its facts, and the dump of it.

# produce_postgres NAMED-ARGUMENTS: the dump on stdout; where it is to be proven, its facts as events
produce_postgres() {
  arguments "$@"
  need=64
  [ "$format" != directory ] || need=$((source_bytes / 1024 + min_free_kib))
  enter_place "$need"
  find_postgres
  postgres_environment
  hold_snapshot
  emit phase dump "$source_bytes"
  began=$(date +%s)
  dump
  dumped
  # what pg_dump found odd, although it went on
  said=$(complaints dump.error)
  if [ -n "$said" ]; then put note "$said"; fi
  if [ "$verify" != checksum ]; then
    put checked "$snapshot"
    count_rows $(($(date +%s) - began))
    tell_roles
  fi
  exec 5>&-
  wait "$holder"
  [ "$format" != directory ] || tar_dump
}

# hold_snapshot: begins the transaction whose snapshot pg_dump reads, in a psql that waits for more on fd 5
hold_snapshot() {
  mkfifo ask answer || failed E_PERM "mkfifo failed in $(pwd)"
  : >snapshot.facts
  hold
  sql -f - <ask >answer 2>snapshot.error 3>&- 9>&- &
  holder=$! && started $holder
  # not sed, which in busybox wants to see the next line before it prints this one
  head -n 1 <answer >begun 3>&- 9>&- &
  reader=$! && started $reader
  exec 5>ask
  release
  ask "$(snapshot_sql)"
  wait $reader
  read -r snapshot <begun
  if [ -z "$snapshot" ]; then
    exec 5>&-
    wait $holder
    postgres_failed $? snapshot.error
  fi
  case $snapshot in *[!0-9A-F-]*) fail E_DUMP_FAILED "the server named an invalid snapshot" ;; esac
  tell_facts snapshot.facts
  if grep -q '^system_schema ' snapshot.facts; then fail E_INPUT system_schema; fi
}

# ask TEXT: to the psql that holds the snapshot, which may be gone
ask() { (trap '' PIPE && printf '%s\n' "$1" >&5) 2>/dev/null; }

# user_relations: those that pg_dump takes from every schema of the user's
user_relations="FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"

# objects_sql: how much there is to be dumped, where `schemas` says which
objects_sql() {
  cat <<SQL
SELECT 'objects ' || ((SELECT count(*) $user_relations AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND (${schemas:-true}))
  + (SELECT count(*) FROM pg_largeobject_metadata WHERE ${schemas:+false AND} true)
  + (SELECT count(*) FROM pg_proc c JOIN pg_namespace n ON n.oid = c.pronamespace WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = c.oid AND d.deptype = 'e') AND (${schemas:-true})));
SQL
}

# dumped: those of them whose rows pg_dump takes, where :tables are what it was asked for; on a standby unlogged ones have none
dumped="c.relkind = 'r' AND c.oid = ANY (:'tables'::oid[]) AND (c.relpersistence <> 'u' OR NOT pg_is_in_recovery())"

# by_others: the dependency d is one on code that is not a superuser's
by_others="d.refobjid >= 16384 AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass) AND NOT coalesce((SELECT rolsuper FROM pg_roles WHERE oid = CASE d.refclassid
  WHEN 'pg_proc'::regclass THEN (SELECT proowner FROM pg_proc WHERE oid = d.refobjid)
  WHEN 'pg_operator'::regclass THEN (SELECT oprowner FROM pg_operator WHERE oid = d.refobjid)
  WHEN 'pg_type'::regclass THEN (SELECT typowner FROM pg_type WHERE oid = d.refobjid) END), false)"
# countable: the planner carries out functions in expressions of indexes and statistics, for the role that asks. So rows are counted where
# that role owns the table, or where such functions are those of a superuser.
countable="(c.relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user) OR NOT EXISTS (
  SELECT FROM pg_index i JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
  WHERE i.indrelid = c.oid AND (i.indpred IS NOT NULL OR i.indexprs IS NOT NULL) AND $by_others)
AND NOT EXISTS (
  SELECT FROM pg_statistic_ext s JOIN pg_depend d ON d.classid = 'pg_statistic_ext'::regclass AND d.objid = s.oid
  WHERE s.stxrelid = c.oid AND $by_others))"

# sent_as: a database without an encoding may hold any bytes. What psql sends and gets (names in statements of \gexec) is as well
# converted to UTF8, or not at all: \$speak_as sets that for a transaction in which names mean what they mean to the system.
sent_as="CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END"
# a table as manifests call it: in quotes where a dot is in the name of its schema or its own, since "a.b".c is not a."b.c"
told_name="(CASE WHEN strpos(n.nspname, '.') > 0 THEN '\"' || replace(n.nspname, '\"', '\"\"') || '\"' ELSE n.nspname::text END || '.'
  || CASE WHEN strpos(c.relname, '.') > 0 THEN '\"' || replace(c.relname, '\"', '\"\"') || '\"' ELSE c.relname::text END)"
speak_as="set_config('client_encoding', $sent_as, true)"

# begin_sql: nothing may end this transaction before us, and no function, operator or table of a user may stand in for one of the
# system, whatever the role and the database have set. In one message: between two a transaction is idle, which may be forbidden.
begin_sql="BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY \\; SET LOCAL statement_timeout = 0 \\;
SET LOCAL idle_in_transaction_session_timeout = 0 \\; SELECT pg_catalog.set_config('search_path', 'pg_catalog', true);
SELECT $speak_as;
SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN ('transaction_timeout', 'idle_session_timeout');
SELECT set_config(name, 'view, foreign-table', true) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind';
SET LOCAL client_min_messages = warning;"

# choose_tables: sets :tables. Which tables the options of pg_dump mean depends on the search_path that the session began with; \$tables
# names all of the system in full.
choose_tables() {
  cat <<SQL
SET LOCAL search_path TO DEFAULT;
SELECT coalesce(pg_catalog.array_agg(c.oid), '{}') AS tables FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE ($tables) \\gset
SET LOCAL search_path = pg_catalog;
SQL
}

# snapshot_sql: texts of the user are sent as hex, since they may hold anything. Where schemas were asked for, nothing else makes the
# backup more than an empty one.
snapshot_sql() {
  cat <<SQL
\\o /dev/null
$begin_sql
SET LOCAL lock_timeout = $lock_wait_ms;
SET LOCAL row_security = off;
$(choose_tables)
\\o snapshot.facts
SELECT 'encoding ' || getdatabaseencoding();
$(objects_sql)
SELECT 'large_objects ' || count(*) FROM pg_largeobject_metadata;
SELECT CASE WHEN length(line) <= 16000 THEN 'property ' || encode(convert_to(line, $sent_as), 'hex') ELSE 'properties_left 1' END FROM (
SELECT 0 AS nth, $(create_sql datname) || format(' OWNER %I;', pg_get_userbyid(datdba)) AS line
FROM pg_database d WHERE datname = current_database()
UNION ALL $(properties_sql 'current_database()' 'current_database()')
) AS lines ORDER BY nth;
SELECT 'table ' || c.oid || ' ' || encode(convert_to($told_name, $sent_as), 'hex')
$user_relations AND $dumped ORDER BY c.relpages, c.oid;
SELECT 'unlogged_left ' || count(*) $user_relations AND c.relkind = 'r' AND c.oid = ANY (:'tables'::oid[]) AND c.relpersistence = 'u'
AND pg_is_in_recovery();
SELECT 'guarded ' || c.oid $user_relations AND $dumped AND NOT $countable;
SELECT 'of_extension ' || unnest(extconfig) FROM pg_extension;
SELECT 'path_functions ' || count(*) FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE l.lanname NOT IN ('c', 'internal')
AND NOT EXISTS (SELECT FROM unnest(proconfig) AS setting WHERE setting LIKE 'search_path=%')
AND EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid AND d.classid <> 'pg_trigger'::regclass)
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e');
SELECT 'used_extension ' || encode(convert_to(extname::text, $sent_as), 'hex') FROM pg_extension WHERE extname <> 'plpgsql' ${schemas:+AND false};
SELECT 'system_schema ' || encode(convert_to(nspname, $sent_as), 'hex') FROM pg_namespace n
WHERE (nspname ~ '^pg_' OR nspname = 'information_schema') AND (${schemas:-false}) ORDER BY nspname;
\\o
SELECT pg_export_snapshot();
SQL
}

# create_sql NAME: the expression that tells how to make a database like d; NAME is SQL
create_sql() {
  cat <<SQL
format('CREATE DATABASE %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L%s', $1,
  pg_encoding_to_char(encoding), datcollate, datctype,
  CASE to_jsonb(d) ->> 'datlocprovider'
    WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', $database_locale) || coalesce(' ICU_RULES ' || quote_literal($icu_rules), '')
    WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', $database_locale)
    WHEN 'c' THEN ' LOCALE_PROVIDER libc'
    ELSE '' END)
SQL
}

# like_sql: the same as six words in hex, for make_database_sql
like_sql() {
  echo "(SELECT string_agg(encode(convert_to(word, $sent_as), 'hex'), ' ' ORDER BY nth)
FROM unnest(ARRAY[pg_encoding_to_char(encoding)::text, datcollate::text, datctype::text,
  CASE to_jsonb(d) ->> 'datlocprovider' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
  coalesce($database_locale, '-'), coalesce($icu_rules, '-')]) WITH ORDINALITY AS words (word, nth))"
}

# in versions that differ in where they keep it
database_locale="coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')"
icu_rules="to_jsonb(d) ->> 'daticurules'"

# properties_sql OF NAME: what belongs to the database OF itself, which pg_restore brings back only with --create, as statements about
# NAME, each with the place it has in their order. Values of settings are literals, one by one where they are a list, as pg_dump
# quotes them: what is in pg_db_role_setting is not always what somebody wrote in SQL.
properties_sql() {
  cat <<SQL
SELECT 1, format('ALTER DATABASE %I CONNECTION LIMIT %s;', $2, datconnlimit) FROM pg_database WHERE datname = $1 AND datconnlimit <> -1
UNION ALL SELECT 2, format('COMMENT ON DATABASE %I IS %L;', $2, shobj_description(oid, 'pg_database'))
FROM pg_database WHERE datname = $1 AND shobj_description(oid, 'pg_database') IS NOT NULL
UNION ALL SELECT 3, format('REVOKE ALL ON DATABASE %I FROM PUBLIC;', $2) FROM pg_database WHERE datname = $1 AND datacl IS NOT NULL
UNION ALL SELECT 4, format('REVOKE ALL ON DATABASE %I FROM %I;', $2, pg_get_userbyid(datdba)) FROM pg_database WHERE datname = $1 AND datacl IS NOT NULL
UNION ALL SELECT 5, format('GRANT %s ON DATABASE %I TO %s%s;', string_agg(privilege_type, ', ' ORDER BY privilege_type), $2,
  CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_database, aclexplode(datacl) WHERE datname = $1 GROUP BY grantee, is_grantable
UNION ALL SELECT 6, format('ALTER %s SET %I TO %s;',
  CASE WHEN setrole = 0 THEN format('DATABASE %I', $2) ELSE format('ROLE %I IN DATABASE %I', pg_get_userbyid(setrole), $2) END, name,
  CASE WHEN lower(name) IN ('local_preload_libraries', 'search_path', 'session_preload_libraries', 'shared_preload_libraries',
    'temp_tablespaces', 'unix_socket_directories')
  THEN coalesce((SELECT string_agg(quote_literal(CASE WHEN left(word[1], 1) = '"' THEN replace(substr(word[1], 2, length(word[1]) - 2), '""', '"')
      WHEN lower(name) IN ('search_path', 'temp_tablespaces') THEN lower(word[1]) ELSE word[1] END), ', ' ORDER BY nth)
    FROM regexp_matches(value, '("(?:[^"]|"")*"|[^[:space:],"][^[:space:],]*)', 'g') WITH ORDINALITY AS words (word, nth)), quote_literal(''))
  ELSE quote_literal(value) END)
FROM pg_db_role_setting, unnest(setconfig) AS setting,
LATERAL (SELECT split_part(setting, '=', 1) AS name, substr(setting, strpos(setting, '=') + 1) AS value) AS parts
WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = $1)
SQL
}

# dump: pg_dump in that snapshot; what it warned of is in dump.error afterwards
dump() {
  set -f
  IFS=$newline
  # shellcheck disable=SC2086 # one option a line
  set -- $options
  unset IFS
  set +f
  # of the database, whatever the role has set
  encoding=$(sed -n 's/^encoding //p' snapshot.facts)
  set -- -w -b -d "$connection" --encoding="$encoding" --snapshot="$snapshot" --lock-wait-timeout="$lock_wait_ms" "$@"
  case $format in
    custom) set -- -Fc "-Z$inner_level" "$@" ;;
    plain) set -- -Fp "$@" ;;
    directory) set -- -Fd -Z0 "-j$jobs" -f dump "$@" ;;
  esac
  hold
  pg_dump_there "$@" 2>dump.error 3>&- 5>&- 9>&- &
  child=$! && started $child
  release
  wait $child
  status=$?
  [ $status = 0 ] || postgres_failed $status dump.error why_dump
}

# pg_dump_there ARGS...: workers that outlive a pg_dump that was killed must not hold the pipe that it has no need of
pg_dump_there() {
  [ "$format" != directory ] || exec >/dev/null
  exec "${pg_bin}pg_dump" "$@"
}

# count_rows SECONDS: of each table in the same snapshot, the smallest first, for as long as it costs little against the
# SECONDS that the dump took; \gexec runs the statements of a row from left to right
count_rows() {
  emit phase count 0
  : >counts
  budget=$(($1 * 100))
  [ $budget -gt 2000 ] || budget=2000
  ask "\\o /dev/null
\\set ON_ERROR_STOP off
\\set ON_ERROR_ROLLBACK on
SET LOCAL lock_timeout = 1000;
SELECT (extract(epoch FROM clock_timestamp()) * 1000 + $budget)::bigint AS deadline \\gset
\\o counts
SELECT format('SELECT ''budget '' || set_config(''statement_timeout'', greatest(1, %s - (extract(epoch FROM clock_timestamp()) * 1000)::bigint)::text, true)', :deadline),
format('SELECT ''rows %s '' || count(*) || '' counted'' FROM ONLY %I.%I', c.oid, n.nspname, c.relname)
$user_relations AND $dumped AND $countable ORDER BY c.relpages, c.oid \\gexec
\\o
\\q"
  exec 5>&-
  wait "$holder" || put counting_ended "$(complaints snapshot.error)" # what was not counted is left out
  tell_counted
}

# tell_counted: a last line that was cut off is none
tell_counted() { sed -n 's/^\(rows [0-9]* [0-9]*\) counted$/set \1/p' counts | emit_each; }

# tell_roles: what the dump refers to and does not hold; without passwords, which only a superuser may read
tell_roles() {
  if run env PGCLIENTENCODING=UTF8 "${pg_bin}pg_dumpall" -w -d "$connection" -l "$name_only" --roles-only --no-role-passwords >roles 2>roles.error &&
    tail -n 5 roles | grep 'database cluster dump complete' >/dev/null && [ "$(size_of roles)" -le 262144 ]; then
    put_file roles roles
  else
    said=$(complaints roles.error)
    put roles_missing "${said:-pg_dumpall told of no error, and not of all roles}"
  fi
}

# tar_dump: the files of the directory format, each read to its end, as one stream
tar_dump() {
  emit phase check "$(copied)"
  run "${pg_bin}pg_restore" -f /dev/null dump 2>check.error
  case $? in
    0) ;;
    1) failed E_DUMP_FAILED "$not_whole: $(cat check.error)" ;;
    *) failed E_CHECKSUM "pg_restore: $(cat check.error)" ;;
  esac
  archived "$(run "${pg_bin}pg_restore" -l dump)"
  # the rows of a table end with such a line, which pg_restore does not miss
  tables_held=$(find dump -name '[0-9]*.dat' -exec tail -c 5 {} + | grep -c -x -F '\.')
  [ "$tables_held" -ge "$tables_archived" ] ||
    failed E_DUMP_FAILED "$not_whole: the end is missing in $((tables_archived - tables_held)) of the files with the rows of tables"
  emit phase compress "$(copied)"
  run tar -cf - dump
}
