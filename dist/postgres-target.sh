# shellcheck shell=sh
# PostgreSQL: the server and the database that a restore is about, looked at where the tools are.

# enter_target KIB
enter_target() {
  enter_place "$1"
  find_postgres
  postgres_environment
}

# choose_maintenance: a database of the same server that is not the one in question; sets maintenance
choose_maintenance() {
  for other in "$maintenance" "$second"; do
    [ "$other" != "$connection" ] || continue
    if (connection=$other && sql -c 'SELECT 1') >/dev/null 2>maintenance.error; then
      maintenance=$other
      return
    fi
  done
  return 1
}

# ask_server SQL: psql in that database, in one transaction in which a name means what it means to the system; the names as :"live",
# :"new", :"old"
ask_server() {
  printf '%s\n' "$begin_plain" "$1" 'COMMIT;' >server.sql
  (in_other -f server.sql) 2>server.error
}

# what others may have put into that database is not meant by any name of ours
begin_plain="BEGIN;
SET LOCAL search_path = pg_catalog;
SELECT $speak_as AS speak_as \\gset"

# tell_server SQL: for what takes its time: a signal is acted upon at once
tell_server() {
  printf '%s\n' "$1" >server.sql
  run in_other -f server.sql >/dev/null 2>server.error
}

in_other() { connection=$maintenance && sql -v "live=$live" -v "new=$new" -v "old=$old" "$@"; }

# said_server: what psql said last
said_server() { complaints server.error; }

# need_maintenance CODE: a server that restarts is waited for
need_maintenance() { again choose_maintenance || fail "$1" "no other database of that server lets us in: $(complaints maintenance.error)"; }

# may_end: SQL that is true for the sessions `a` that this role may end
may_end="((SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
OR NOT coalesce((SELECT rolsuper FROM pg_roles r WHERE r.oid = a.usesysid), true)
  AND (pg_has_role(a.usesysid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE')))"

# sessions_sql: who is in the live database, as facts; of what sort the sessions of others are not everybody may know
sessions_sql() {
  cat <<SQL
SELECT 'session ' || encode(convert_to(json_build_object('user', usename, 'from', client_addr, 'application', application_name,
  'state', state, 'type', coalesce(backend_type, 'client backend'), 'may_end', $may_end)::text, $sent_as), 'hex')
FROM pg_stat_activity a WHERE datname = :'live' AND pid <> pg_backend_pid() AND coalesce(backend_type, '') NOT IN ('autovacuum worker', 'parallel worker');
SELECT 'session ' || encode(convert_to(json_build_object('user', owner, 'application', gid, 'type', 'prepared transaction', 'may_end', false)::text,
  $sent_as), 'hex') FROM pg_prepared_xacts WHERE database = :'live';
SQL
}

# look_target NAMED-ARGUMENTS
look_target() {
  arguments "$@"
  enter_target 64
  tell_client
  target_sql >look.sql
  if run sql -v "live=$live" -f look.sql >look.facts 2>look.error; then
    put target_state sound
    refuse_pooler || : # a restore needs no second session there
    if choose_maintenance; then put maintenance "$maintenance"; fi
  else
    status=$?
    # not by what the server said, which may be in any language
    choose_maintenance || postgres_failed $status look.error
    there=$(ask_server "SELECT count(*) FROM pg_database WHERE datname = :'live';")
    [ "$there" = 0 ] || postgres_failed $status look.error
    put target_state missing
    { server_sql && echo 'COMMIT;'; } >look.sql
    (connection=$maintenance && run sql -v "live=$live" -f look.sql) >look.facts 2>look.error || postgres_failed $? look.error
  fi
  tell_facts look.facts
  if grep -q '^in_recovery true' look.facts; then fail E_SOURCE_INVALID standby; fi
  data=$(sed -n 's/^data_directory //p' look.facts)
  [ -z "$data" ] || put target_free_kib "$(free_kib "$data")"
  if ! grep -q '^tables ' look.facts; then return 0; fi
  count_target
}

# server_sql: of the server and our rights there; its files where they are on this machine and we may know
server_sql() {
  cat <<SQL
\\o /dev/null
$begin_sql
\\o
SELECT 'server_version ' || encode(convert_to(current_setting('server_version'), $sent_as), 'hex');
SELECT 'server_version_num ' || current_setting('server_version_num');
SELECT 'role ' || encode(convert_to(quote_ident(current_user), $sent_as), 'hex');
SELECT 'in_recovery ' || pg_is_in_recovery();
SELECT 'superuser ' || rolsuper FROM pg_roles WHERE rolname = current_user;
SELECT 'may_create ' || (rolsuper OR rolcreatedb) FROM pg_roles WHERE rolname = current_user;
SELECT 'SELECT ''system_identifier '' || system_identifier FROM pg_control_system()'
WHERE has_function_privilege('pg_control_system()', 'EXECUTE') \\gexec
SELECT 'data_directory ' || setting FROM pg_settings WHERE name = 'data_directory' AND setting ~ '^/[^[:cntrl:]]*\$'
AND inet_server_addr() IS NOT DISTINCT FROM inet_client_addr();
SQL
  extensions_sql
}

# unread: the relation c is of others, and this role may not read it, or not all of it
unread="NOT pg_has_role(c.relowner, 'USAGE') AND NOT (has_schema_privilege(n.oid, 'USAGE') AND CASE c.relkind
  WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT') ELSE has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid) END)"

# target_sql: tables of others that this role may not read are in no dump that it makes; settings that this role may not give to another database keep it from being replaced by one
target_sql() {
  server_sql
  sessions_sql
  installed_sql
  cat <<SQL
SELECT 'source_bytes ' || pg_database_size(current_database());
SELECT 'owns ' || (pg_has_role(datdba, 'USAGE') AND pg_has_role(datdba,
  CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)) FROM pg_database WHERE datname = current_database();
SELECT 'kept_setting ' || encode(convert_to(
  CASE WHEN setrole = 0 THEN '' ELSE pg_get_userbyid(setrole) || ': ' END || split_part(setting, '=', 1), $sent_as), 'hex')
FROM pg_db_role_setting, unnest(setconfig) AS setting
WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
AND (pg_get_userbyid(setrole) <> current_user AND setrole <> 0
  OR (SELECT context FROM pg_settings WHERE name = split_part(setting, '=', 1)) IN ('superuser', 'superuser-backend'));
SELECT 'subscriptions ' || count(subdbid) FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database());
SELECT 'slots ' || count(*) FROM pg_replication_slots WHERE database = current_database();
SELECT 'tables ' || count(*) $user_relations AND c.relkind = 'r';
$(tables_sql)
SELECT 'unread ' || encode(convert_to(n.nspname::text, $sent_as), 'hex') || ' ' || encode(convert_to(c.relname::text, $sent_as), 'hex')
$user_relations AND c.relkind IN ('r', 'p', 'S') AND $unread;
SELECT 'foreign_table ' || encode(convert_to($told_name, $sent_as), 'hex')
$user_relations AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND NOT pg_has_role(c.relowner, 'USAGE');
SELECT 'foreign_object ' || encode(convert_to(pg_describe_object(class, oid, 0), $sent_as), 'hex') FROM
(SELECT * FROM ($of_others_sql) AS others WHERE class <> 'pg_class'::regclass
UNION ALL SELECT 'pg_default_acl'::regclass, oid FROM pg_default_acl WHERE NOT pg_has_role(defaclrole, 'USAGE') LIMIT 1000) AS o;
COMMIT;
SQL
}

tables_sql() {
  cat <<SQL
SELECT 'table ' || c.oid || ' ' || encode(convert_to($told_name, $sent_as), 'hex')
$user_relations AND c.relkind = 'r' ORDER BY c.relpages, c.oid;
SQL
}

# count_target: the rows of the live tables, the smallest first, for two seconds
count_target() {
  cat >count.sql <<SQL
\\set ON_ERROR_STOP off
\\set ON_ERROR_ROLLBACK on
\\o /dev/null
$begin_sql
SET LOCAL lock_timeout = 500;
SET LOCAL row_security = off;
SELECT (extract(epoch FROM clock_timestamp()) * 1000 + 2000)::bigint AS deadline \\gset
\\o counts
SELECT format('SELECT ''budget '' || set_config(''statement_timeout'', greatest(1, %s - (extract(epoch FROM clock_timestamp()) * 1000)::bigint)::text, true)', :deadline),
format('SELECT ''rows %s '' || count(*) || '' counted'' FROM ONLY %I.%I', c.oid, n.nspname, c.relname)
$user_relations AND c.relkind = 'r' AND $countable ORDER BY c.relpages, c.oid \\gexec
\\o
COMMIT;
SQL
  : >counts
  run sql -f count.sql >/dev/null 2>count.error
  tell_counted
}

# count_restored: every table of the database at $connection
count_restored() {
  emit phase count 0
  cat >count.sql <<SQL
\\o /dev/null
$begin_sql
SET LOCAL row_security = off;
\\o
$(rows_sql)
COMMIT;
SQL
  run sql -f count.sql >counts 2>count.error || return
  tell_restored
}

# tell_restored: the rows of every table of what is now in the database
tell_restored() { sed -n 's/^rows \([0-9a-f]* [0-9]*\)$/restored \1/p; s/^uncounted \([0-9a-f]*\)$/set restored_uncounted \1/p' counts | emit_each; }

rows_sql() {
  printf '%s\n' "SELECT format('SELECT ''rows %s '' || count(*) FROM ONLY %I.%I', encode(convert_to($told_name, $sent_as), 'hex'), n.nspname, c.relname)
$user_relations AND c.relkind = 'r' AND $countable AND NOT ($unread) \\gexec
SELECT 'uncounted ' || encode(convert_to($told_name, $sent_as), 'hex')
$user_relations AND c.relkind = 'r' AND NOT ($countable AND NOT ($unread));"
}
