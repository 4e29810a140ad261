# shellcheck shell=sh
# PostgreSQL: one snapshot of a live database, and the proof that the archive holds it.
#
# The connection string has every value quoted and no password; that is in the environment of the tools alone, where the
# same user and root can see it. Facts come from the very snapshot that pg_dump reads: a psql that began it holds it open.
# shellcheck disable=SC3013 # test -ef: dash, bash and busybox have it
pg_bin='' scratch='' like='' made='' search_path='' payload=''

# find_postgres: the newest client tools here; sets pg_bin, a folder with a slash, or empty for those of the PATH, and pg_major
find_postgres() {
  pg_major=0
  for folder in /usr/lib/postgresql/*/bin/ /usr/pgsql-*/bin/ /usr/local/pgsql/bin/ ''; do
    if ! have "${folder}psql" || ! have "${folder}pg_restore"; then continue; fi
    # a wrapper of Debian, which would start one of those again
    if [ -z "$folder" ] && [ -n "$pg_bin" ] && [ "$(command -v pg_dump)" -ef /usr/share/postgresql-common/pg_wrapper ]; then continue; fi
    version=$("${folder}pg_dump" --version 2>/dev/null) || continue
    major=${version#*") "}
    major=${major%%[!0-9]*}
    if [ "${major:-0}" -gt "$pg_major" ]; then pg_major=$major pg_bin=$folder pg_version=$version; fi
  done
  [ "$pg_major" -gt 0 ] || fail E_TOOL_MISSING postgresql-client
}

# postgres_environment: nothing of the account's environment may choose another server, database or encoding
postgres_environment() {
  unset PGHOST PGHOSTADDR PGPORT PGDATABASE PGUSER PGPASSWORD PGSERVICE PGSERVICEFILE PGOPTIONS PGTZ PGDATESTYLE \
    PGTARGETSESSIONATTRS PGREQUIREPEER PGLOADBALANCEHOSTS PGCLIENTENCODING
  PGCONNECT_TIMEOUT=20 PGAPPNAME=db-backup
  export PGCONNECT_TIMEOUT PGAPPNAME
  if [ -n "$password" ]; then
    PGPASSWORD=$password
    export PGPASSWORD
  fi
}

# sql ARGS...: psql that asks for nothing, reads no psqlrc, prints bare values, and tells the SQLSTATE of what failed. The encoding is for it alone: pg_dump keeps
# that of the database, which may hold bytes of none.
sql() {
  PGCLIENTENCODING=UTF8
  export PGCLIENTENCODING
  exec "${pg_bin}psql" -X -A -t -q -w -v ON_ERROR_STOP=1 -v VERBOSITY=verbose -d "$connection" "$@"
}

# ask_sql SQL: one statement, in which a name means what it means to the system, whatever the database has set
ask_sql() { sql -c BEGIN -c 'SET LOCAL search_path = pg_catalog' -c "$1" -c COMMIT; }

# drop_subscriptions: of the database at $connection, which can not be dropped as long as it has any
drop_subscriptions() {
  cat >subscriptions.sql <<SQL
\\o /dev/null
SELECT pg_catalog.set_config('search_path', 'pg_catalog', false);
SELECT format('ALTER SUBSCRIPTION %I DISABLE', subname), format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', subname),
  format('DROP SUBSCRIPTION %I', subname)
FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \\gexec
SQL
  sql -f subscriptions.sql
}

# Every line that a server has for us: a name of ours and what is of a fixed type. Texts are in hex: a line end in a setting, a name or
# a comment would be the beginning of another fact.
postgres_fact='(on_server|server_version|role|login_role|search_path|property|kept_setting|session|foreign_(table|object)|system_schema) [0-9a-f]*'
postgres_fact="$postgres_fact|(server_version_num|source_bytes|system_identifier|objects|large_objects|properties_left|unlogged_left|of_extension|guarded) [0-9]+"
postgres_fact="$postgres_fact|(tables|subscriptions|slots) [0-9]+|(in_recovery|superuser|may_create|owns) (true|false)|encoding [A-Za-z0-9_]+|role_set (database|role|role_in_database|all)"
postgres_fact="$postgres_fact|like( [0-9a-f]+){6}|table [0-9]+ [0-9a-f]*|data_directory /.*"
postgres_fact="$postgres_fact|path_functions [0-9]+|unread( [0-9a-f]+){2}|used_extension [0-9a-f]+|extension [0-9a-f]+( (true|false)){2}|installed [0-9a-f]+ (true|false)|bound [0-9a-f]+ [0-9a-f]*"
postgres_fact="$postgres_fact|extension_rows [0-9a-f]+ [0-9a-f]+ (own|may|not)"

postgres_fact="$postgres_fact|(sees_all|archiving|archive_failing) (true|false)|estimate [0-9]+ [0-9]+"
postgres_fact="$postgres_fact|(connections|max_connections|longest_transaction|replication_slots|inactive_slots|held_wal|unused_wal|unreadable|wraparound_age) [0-9]+"
postgres_fact="$postgres_fact|(archive_failures|replicas|replica_lag|standby_lag|checksum_failures|invalid_indexes) [0-9]+"

# tell_facts FILE: what psql has written there, for the runner; anything else than facts is no answer of PostgreSQL
tell_facts() {
  odd=$(grep -m 1 -Evx "$postgres_fact" "$1")
  [ -z "$odd" ] || fail E_DUMP_FAILED "the server sent an unexpected answer: $(printf '%s' "$odd" | cut -b 1-200)"
  emit_each 'set ' <"$1"
}

# need_hex WHAT TEXT: words of hexadecimal digits, before they become a part of SQL
need_hex() { case $2 in *[!0-9a-f\ ]*) fail E_INTERNAL "$1 is not in hex" ;; esac }

# text_of HEX: SQL for that text, which needs no quoting, and means the same whatever the session has set
text_of() { printf "pg_catalog.convert_from(pg_catalog.decode('%s', 'hex'), 'UTF8')" "$1"; }

# make_database_sql NAME LIKE OWNER TABLESPACE: NAME is SQL, the rest in hex, empty where it is left to the server. The statement is put
# together by the server and carried out by \gexec, which sends it as it is: psql does not look for commands of its own in it.
make_database_sql() {
  new_name=$1 new_owner='' new_space=''
  [ -z "$3" ] || new_owner=", pg_catalog.format(' OWNER %I', $(text_of "$3"))"
  [ -z "$4" ] || new_space=", pg_catalog.format(' TABLESPACE %I', $(text_of "$4"))"
  # shellcheck disable=SC2086 # six words
  set -- $2
  new_like=''
  if [ $# -ge 5 ]; then
    new_like=", pg_catalog.format(' ENCODING %L LC_COLLATE %L LC_CTYPE %L', $(text_of "$1"), $(text_of "$2"), $(text_of "$3"))"
    case $4 in
      696375)
        new_like="$new_like, pg_catalog.format(' LOCALE_PROVIDER icu ICU_LOCALE %L', $(text_of "$5"))"
        [ "${6:-2d}" = 2d ] || new_like="$new_like, pg_catalog.format(' ICU_RULES %L', $(text_of "$6"))"
        ;;
      6c696263) new_like="$new_like, CASE WHEN pg_catalog.int4ge(pg_catalog.current_setting('server_version_num')::pg_catalog.int4, 150000) THEN ' LOCALE_PROVIDER libc' END" ;;
      6275696c74696e) new_like="$new_like, pg_catalog.format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', $(text_of "$5"))" ;;
    esac
  fi
  echo "SELECT pg_catalog.concat(pg_catalog.format('CREATE DATABASE %I TEMPLATE template0', $new_name)$new_like$new_owner$new_space) \\gexec"
}

# look_postgres NAMED-ARGUMENTS: the server and the tools, before anything is dumped
look_postgres() {
  arguments "$@"
  enter_place 64
  find_postgres
  put pg_dump_version "$pg_version"
  put pg_bin "$pg_bin"
  postgres_environment
  cat >look.sql <<SQL
\\o /dev/null
$begin_sql
\\o
SELECT 'server_version ' || encode(convert_to(current_setting('server_version'), $sent_as), 'hex');
SELECT 'server_version_num ' || current_setting('server_version_num');
SELECT 'role ' || encode(convert_to(quote_ident(current_user), $sent_as), 'hex');
$(role_set_sql)
SELECT 'in_recovery ' || pg_is_in_recovery();
SELECT 'source_bytes ' || pg_database_size(current_database());
SELECT 'SELECT ''system_identifier '' || system_identifier FROM pg_control_system()'
WHERE has_function_privilege('pg_control_system()', 'EXECUTE') \\gexec
SELECT 'like ' || $(like_sql) FROM pg_database d WHERE datname = current_database();
SELECT 'search_path ' || encode(convert_to(substr(setting, strpos(setting, '=') + 1), $sent_as), 'hex')
FROM pg_db_role_setting, unnest(setconfig) AS setting
WHERE setrole = 0 AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) AND setting LIKE 'search_path=%'
AND length(setting) <= 16000;
COMMIT;
SQL
  run sql -f look.sql >look.facts 2>look.error || postgres_failed $? look.error
  tell_facts look.facts
  server_version=$(sed -n 's/^server_version_num //p' look.facts)
  [ -n "$server_version" ] || failed E_DUMP_FAILED "psql reported no error, but nothing about the server either"
  if [ $((server_version / 10000)) -gt "$pg_major" ]; then fail E_TOOL_VERSION "$pg_version"; fi
  if [ -z "$standby" ] && grep -q '^in_recovery true' look.facts; then fail E_SOURCE_INVALID standby; fi
  refuse_pooler || postgres_failed $? pooler.error
}

# role_set_sql: where the sessions of this login have been made those of another role, if they have; the most special place counts
role_set_sql() {
  cat <<SQL
SELECT 'login_role ' || encode(convert_to(quote_ident(session_user), $sent_as), 'hex') WHERE session_user <> current_user;
SELECT 'role_set ' || CASE WHEN setrole = 0 AND setdatabase = 0 THEN 'all' WHEN setrole = 0 THEN 'database'
  WHEN setdatabase = 0 THEN 'role' ELSE 'role_in_database' END
FROM pg_db_role_setting, unnest(setconfig) AS setting WHERE session_user <> current_user AND lower(setting) LIKE 'role=%'
AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user))
ORDER BY setrole <> 0 DESC, setdatabase <> 0 DESC LIMIT 1;
SQL
}

# What both clients of refuse_pooler ask: whose session it is, and how many transactions the server has run for it. The number is left out
# where this role may not see it; it comes from what pg_locks reads.
session_sql="SELECT CASE WHEN pg_catalog.has_function_privilege(pg_catalog.to_regprocedure('pg_catalog.pg_lock_status()'), 'EXECUTE')
  THEN '(SELECT virtualtransaction FROM pg_catalog.pg_lock_status() WHERE pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() LIMIT 1)'
  ELSE 'NULL' END AS transaction \\gset"
next_session_sql="SELECT pg_catalog.pg_backend_pid(), pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time()), :transaction;"

# refuse_pooler: pg_dump sets its session up, and what it sets stays with the server's session when a pooler gives that to another client:
# the application then finds no table any more. Two clients that are given the same session, or one that is given two, tell of such a
# pooler. A busy one may give each its own again by chance, but then other clients were given it in between: PgBouncer hands out the session
# that it got back last, so four questions in turn (A, B, A, B) can not all miss both. Twice, for a server may begin one transaction by
# itself in an idle session; and in another order, for a pooler that hands out the one that has rested longest. Nothing is set, and no
# transaction stays open. Fails as psql does, when that could not be found out.
refuse_pooler() {
  mkfifo pooler.ask pooler.answer pooler_second.ask pooler_second.answer || failed E_PERM "mkfifo failed in $(pwd)"
  hold
  sql -f - <pooler.ask >pooler.answer 2>pooler.error 3>&- 9>&- &
  client=$! && started $client
  sql -f - <pooler_second.ask >pooler_second.answer 2>pooler_second.error 3>&- 9>&- &
  second_client=$! && started $second_client
  exec 5>pooler.ask 6<pooler.answer 7>pooler_second.ask 8<pooler_second.answer
  release
  ask "$session_sql"
  ask "$session_sql" 5>&7
  mine='' others='' shared='' used=0
  for asked in mine others mine others others mine others mine; do
    if [ $asked = mine ]; then
      ask "$next_session_sql"
      read -r answer <&6 || break
      compare_sessions "$answer" "$mine" "$others"
      mine=$answer
    else
      ask "$next_session_sql" 5>&7
      read -r answer <&8 || break
      compare_sessions "$answer" "$others" "$mine"
      others=$answer
    fi
    [ -z "$shared" ] || break
    asked=''
  done
  exec 5>&- 6<&- 7>&- 8<&-
  wait "$client"
  client_status=$?
  wait "$second_client"
  second_status=$?
  [ -z "$shared" ] || fail E_SOURCE_INVALID pooler
  [ $client_status = 0 ] || return $client_status
  [ $second_status = 0 ] || { cp pooler_second.error pooler.error && return $second_status; }
  [ -z "$asked" ] || { echo 'psql reported no error, but nothing about its session either' >pooler.error && return 1; }
}

# compare_sessions ANSWER EARLIER OTHER: what a client was told now and before, and what the other was told last; sets shared, and used, how
# often a session came back in which somebody else has run transactions
compare_sessions() {
  if [ "${1%/*}" = "${3%/*}" ]; then shared=1; fi
  [ -n "$2" ] || return 0
  if [ "${1%/*}" != "${2%/*}" ]; then shared=1; fi
  for number in "${1##*/}" "${2##*/}"; do
    case $number in '' | 0* | *[!0-9]* | ???????????*) return 0 ;; esac
  done
  [ $((${1##*/} - ${2##*/})) = 1 ] || used=$((used + 1))
  [ "$used" -lt 2 ] || shared=1
}

# backup_postgres NAMED-ARGUMENTS: from the lock to a payload that was read back; publishing it is another request
# takes: asserts connection container format holder id jobs kind level like lock_wait lock_wait_ms maintenance min_free_kib name
# takes: name_only options password run_as schemas scratch scratch_connection scratch_password search_path standby tables verify
# takes: wanted
backup_postgres() {
  arguments "$@"
  back_up postgres
}

# source_postgres: packed outside of pg_dump where that is faster, which one thread of gzip is not
source_postgres() {
  reach_postgres
  inner_level=0
  if [ "$wanted:$format" = auto:custom ] && ! have zstd && ! have pigz; then
    inner_level=${level:-1}
    choose_packing none
  else choose_packing "$wanted"; fi
}

room_postgres() { if [ "$format" = directory ] && [ -z "$run_as$container" ]; then echo $((source_bytes / 1024)); else echo 0; fi; }

store_postgres() {
  compare='' hash_plain=''
  case $format in
    custom)
      fifos toc
      by=read_archive once=$encrypt
      ;;
    plain) fifos ending && by=read_script ;;
    directory) hash_plain=1 by=read_tar ;;
  esac
  # the lock (9) is for shells alone: a stage that outlives them must not keep it from the next run
  store "$by" elsewhere produce_postgres connection "$connection" name_only "$name_only" password "$password" options "$options" \
    tables "$tables" schemas "$schemas" format "$format" jobs "${jobs:-$(processors)}" lock_wait_ms "$lock_wait_ms" verify "$verify" \
    inner_level "$inner_level" source_bytes "$source_bytes" min_free_kib "$min_free_kib" 9>&-
  read_back "$by" "$work/payload" 9>&-
  case $format:$verify in
    *:checksum) ;;
    custom:*) list_archive "$work/payload" ;;
    plain:*) put archived_tables "$(cat "$work/archived")" ;;
  esac
  [ "$verify" = restore ] || return 0
  payload=$work/payload plain_bytes=$source_bytes
  rehearse_postgres 9>&-
}

# reach_postgres: the server and its tools; sets source_bytes and pg_bin, for the tools are where they were found
reach_postgres() {
  reach_elsewhere
  passing_on E_DUMP_FAILED 'the look at the server' \
    elsewhere look_postgres connection "$connection" password "$password" standby "$standby"
  source_bytes=$(passed_on source_bytes)
  need_number source_bytes "$source_bytes"
  # of a backup they are in its manifest
  if [ -z "$payload" ] || [ -n "$foreign" ]; then like=$(passed_on like) search_path=$(passed_on search_path); fi
  found_postgres
}

# found_postgres: sets pg_bin. Who looked for the tools may be another user, and we run them as ourselves: only from where they are installed.
found_postgres() {
  pg_bin=$(passed_on pg_bin)
  case $pg_bin in
    *..* | *"$newline"*) ;;
    '' | /usr/lib/postgresql/*/bin/ | /usr/pgsql-*/bin/ | /usr/local/pgsql/bin/) return ;;
  esac
  fail E_INTERNAL 'the PostgreSQL tools were found where they are not installed'
}

processors() { nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2; }

# inspect_postgres NAMED-ARGUMENTS: what a backup would find; writes nothing in the backup directory
# takes: asserts connection container format level min_free_kib name password run_as standby verify wanted
inspect_postgres() {
  arguments "$@"
  look_before postgres
}

# reach_tools: the client tools alone, for what needs no server
reach_tools() {
  reach_elsewhere
  passing_on E_TOOL_MISSING 'the look for tools' elsewhere look_for_tools
  found_postgres
}

# tools_postgres NAMED-ARGUMENTS: what they are, before any of them reads what others have written
# takes: asserts connection container format level min_free_kib name password run_as standby verify wanted
tools_postgres() {
  begin_step "$@"
  reach_tools
  end_step
}

look_for_tools() {
  find_postgres
  tell_client
}
