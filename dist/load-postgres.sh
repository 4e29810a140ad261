# shellcheck shell=sh
# PostgreSQL: a dump loaded into a new database beside the live one.
# shellcheck disable=SC2154 # the named arguments of the requests
# shellcheck disable=SC2034 # read in the other files

# load_new NAMED-ARGUMENTS: a new database like the live one, or like the one of the backup, with the dump in it
load_new() {
  arguments "$@"
  need=64
  [ "$kind" != tar ] || need=$((plain_bytes / 1024 + min_free_kib))
  enter_target "$need"
  need_maintenance E_RESTORE
  mkfifo archive || failed E_PERM "mkfifo failed in $(pwd)"
  if [ "$way" = swap ]; then
    create=$(ask_server "SELECT $(create_sql ":'new'") || CASE t.spcname WHEN 'pg_default' THEN '' ELSE format(' TABLESPACE %I', t.spcname) END || format(' OWNER %I;', pg_get_userbyid(datdba))
FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE datname = :'live';")
    [ -n "$create" ] || fail E_RESTORE "the live database could not be looked at: $(said_server)"
  fi
  undo=drop_new
  tell_server "$create" || fail E_RESTORE "no database could be made to load into: $(said_server)"
  pwd
  connection=$loading
  load_dump >load.said 2>&1 || not_restored $? "$(complaints load.said)"
  run sql -c 'ANALYZE' >analyze.said 2>&1 || put note "the statistics of the planner could not be made: $(complaints analyze.said)"
  count_restored || not_restored $? "the rows could not be counted: $(complaints count.error)"
  [ "$way" != swap ] || properties=$(ask_server "$(carried_sql)") || fail E_RESTORE "the settings of the live database could not be read: $(said_server)"
  # last: what is set for the database must not get into the way of the load
  tell_server "BEGIN;$newline$properties${newline}COMMIT;" ||
    fail E_RESTORE "owner, grants and settings of the database could not be given to the new one: $(said_server)"
  undo=''
}

# carried_sql: what belongs to the database itself, as statements about the new one
carried_sql() {
  cat <<SQL
SELECT format('ALTER DATABASE %I CONNECTION LIMIT %s;', :'new', datconnlimit) FROM pg_database WHERE datname = :'live' AND datconnlimit <> -1;
SELECT format('COMMENT ON DATABASE %I IS %L;', :'new', shobj_description(oid, 'pg_database'))
FROM pg_database WHERE datname = :'live' AND shobj_description(oid, 'pg_database') IS NOT NULL;
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC;', :'new') FROM pg_database WHERE datname = :'live' AND datacl IS NOT NULL;
SELECT format('REVOKE ALL ON DATABASE %I FROM %I;', :'new', pg_get_userbyid(datdba)) FROM pg_database WHERE datname = :'live' AND datacl IS NOT NULL;
SELECT format('GRANT %s ON DATABASE %I TO %s%s;', string_agg(privilege_type, ', ' ORDER BY privilege_type), :'new',
  CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_database, aclexplode(datacl) WHERE datname = :'live' GROUP BY grantee, is_grantable;
SELECT format('ALTER %s SET %I TO %s;',
  CASE WHEN setrole = 0 THEN format('DATABASE %I', :'new') ELSE format('ROLE %I IN DATABASE %I', pg_get_userbyid(setrole), :'new') END,
  split_part(setting, '=', 1),
  CASE WHEN lower(split_part(setting, '=', 1)) IN ('local_preload_libraries', 'search_path', 'session_preload_libraries',
    'shared_preload_libraries', 'temp_tablespaces', 'unix_socket_directories')
  THEN substr(setting, strpos(setting, '=') + 1) ELSE quote_literal(substr(setting, strpos(setting, '=') + 1)) END)
FROM pg_db_role_setting, unnest(setconfig) AS setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = :'live');
SQL
}

drop_new() {
  ask_server "$(end_sessions_sql ":'new'")
DROP DATABASE IF EXISTS :\"new\";" >/dev/null || put note "the database $new, into which was loaded, could not be dropped: $(said_server)"
}

# load_dump: the archive into $connection, any error is one
load_dump() {
  server_version=$(run sql -c 'SHOW server_version_num') || return
  case $kind in
    sql) load_by_script archive cat ;;
    tar)
      run unpack_directory <archive || return
      if speaks_for_itself; then run restore_into -j "$jobs" dump; else load_by_script /dev/null write_script dump; fi
      ;;
    dump)
      if ! speaks_for_itself; then load_by_script archive write_script
      elif [ "$jobs" -gt 1 ] && [ "$plain_bytes" -gt 67108864 ] && has_room $((plain_bytes / 1024 + min_free_kib)); then
        # several at once can not read a pipe, and are worth the copy
        run cat <archive >unpacked || return
        run restore_into -j "$jobs" unpacked
        status=$?
        rm -f unpacked
        return $status
      else run restore_into <archive; fi
      ;;
  esac
}

has_room() { free=$(free_kib .) && [ "${free:-0}" -gt "$1" ]; }

# speaks_for_itself: pg_restore of 17 and later sets a parameter that older servers do not know, which ends it
speaks_for_itself() { [ "$pg_major" -lt 17 ] || [ "$server_version" -ge 170000 ]; }

# shellcheck disable=SC2086 # options without blanks
restore_into() { exec "${pg_bin}pg_restore" -w --exit-on-error $restore_options -d "$connection" "$@"; }

# shellcheck disable=SC2086
write_script() { exec "${pg_bin}pg_restore" $restore_options -f - "$@"; }

# load_by_script FILE COMMAND...: what it writes, reading the file, by psql
load_by_script() {
  input=$1
  shift
  mkfifo raw script script_end || return
  learn_restrict
  edit=$(edits)
  restrict restrict >begin.sql
  restrict unrestrict >end.sql
  hold
  ("$@") <"$input" >raw 3>&- 9>&- & s1=$! && started $s1
  edit_script <raw >script 3>&- 9>&- & s2=$! && started $s2
  find_ending <script_end 3>&- 9>&- & s3=$! && started $s3
  sql -f begin.sql -f script -f end.sql >/dev/null 3>&- 9>&- & s4=$! && started $s4
  release
  wait $s4
  status=$?
  # a psql that gave up leaves them at pipes that nobody reads
  [ $status = 0 ] || stop $s1 $s2 $s3
  for stage in $s1 $s2 $s3; do
    wait "$stage"
    ended=$?
    [ $status != 0 ] || [ $ended = 0 ] || { status=$ended && echo 'the dump could not be read to its end'; }
  done
  return $status
}

# learn_restrict: a psql that knows it lets nothing in a script be a command of its own; our word for it can not be guessed
learn_restrict() {
  knows_restrict='' mark_word=$(printf '%s' "$mark" | tr -cd 'A-Za-z0-9')
  if printf '\\restrict a\n\\unrestrict a\n' | (sql -f -) >/dev/null 2>&1; then knows_restrict=1; fi
}

# restrict restrict|unrestrict
restrict() { [ -z "$knows_restrict" ] || printf '\\%s %s\n' "$1" "$mark_word"; }

# edits: what of a script older tools do not know, or what would end our transaction
edits() {
  # its own words for the same: pg_dump takes 63 letters and digits
  printf '%s\n' '1,12{/^\\restrict [A-Za-z0-9]\{1,\}$/d;}' '/^\\unrestrict [A-Za-z0-9]\{40,\}$/d' "$client_edit"
  [ "$server_version" -ge 170000 ] || echo '1,60{/^SET transaction_timeout = 0;$/d;}'
}

edit_script() { (sed "$edit") | tee script_end; }

# find_ending: a script that is cut between two statements would load without an error
find_ending() { tail -n 20 | grep -x -- '-- PostgreSQL database dump complete' >/dev/null; }
