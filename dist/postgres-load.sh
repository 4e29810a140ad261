# shellcheck shell=sh
# PostgreSQL: a dump loaded into a new database beside the live one.
#
# pg_dump names everything in full, and has the dump loaded with an empty search_path. What it can not see into are functions whose text
# relies on the search_path of their database: in checks, generated columns, indexes and materialized views they are carried out by the
# load, and do not find their tables. Such a dump is loaded once more, with the search_path of the database itself.
own_path=''

# feed_load FUNCTION ARGS...: feeds it the payload; with the own search_path where that is what was missing
feed_load() {
  feed "$payload" "$@" search_path "$search_path" own_path ''
  status=$?
  [ $status = 98 ] || return $status
  feed "$payload" "$@" search_path "$search_path" own_path 1 || return
  put aside 'with the empty search_path that pg_dump sets, functions of the database that are called while it is loaded did not find what they need: it was loaded with the search_path of the database itself'
}

# relies_on_path FILE: what psql or pg_restore said there is that something was not found by its name, or that a check failed, for which a
# function of the database may be the reason. What a server says in another language may be just that, unless it has ended the session.
relies_on_path() {
  [ -z "$own_path" ] || return 1
  grep -Ev 'ERROR:  ([0-9A-Z]{5}: )?(role|extension|tablespace) "' "$1" |
    grep -Eq ':  (42P01|42883|42704|3F000|23514): |ERROR:  .*(does not exist|violates check constraint)' && return
  ! grep -Eq 'ERROR: |FATAL|server closed the connection|no connection to the server' "$1" && grep -Eq 'could not execute query: |COPY failed for table |^psql:script:' "$1"
}

# own_path_sql: a name without a schema means what it means in the database
own_path_sql() {
  if [ -z "$own_path" ]; then return; fi
  if [ -n "$search_path" ]; then echo "SELECT pg_catalog.set_config('search_path', $(text_of "$search_path"), false);"; else echo 'SET search_path TO DEFAULT;'; fi
}

# live_path: that of the live database, where nothing tells that of the backup
live_path() {
  search_path=$(run sql -c "SELECT pg_catalog.encode(pg_catalog.convert_to(pg_catalog.current_setting('search_path'), 'UTF8'), 'hex')" 2>path.error) &&
    need_hex search_path "$search_path"
}

# load_failed STATUS FILE
load_failed() {
  if [ "$1" -le 128 ] && relies_on_path "$2"; then exit 98; fi
  not_restored "$1" "$2"
}

# analyze: the planner's statistics, also of expressions
analyze() {
  own_path_sql >analyze.sql
  echo 'ANALYZE;' >>analyze.sql
  run sql -o /dev/null -f analyze.sql >analyze.said 2>&1 || put note "the planner statistics could not be updated: $(complaints analyze.said)"
}

# load_new NAMED-ARGUMENTS: a new database like the live one, or like the one of the backup, with the dump in it
load_new() {
  arguments "$@"
  need=64
  [ "$kind" != tar ] || need=$((plain_bytes / 1024 + min_free_kib))
  enter_target "$need"
  need_maintenance E_RESTORE
  need_hex search_path "$search_path"
  rm -f archive
  mkfifo archive || failed E_PERM "mkfifo failed in $(pwd)"
  space=''
  if [ "$way" = swap ]; then
    # shellcheck disable=SC2046 # three texts in hex, of which the first has six words
    set -- $(ask_server "SELECT $(like_sql), encode(convert_to(pg_get_userbyid(datdba), $sent_as), 'hex'),
  CASE t.spcname WHEN 'pg_default' THEN '' ELSE encode(convert_to(t.spcname, $sent_as), 'hex') END
FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE datname = :'live';" | tr '|' ' ')
    [ $# -ge 7 ] || fail E_RESTORE "the live database could not be read: $(said_server)"
    like="$1 $2 $3 $4 $5 $6" owner=$7 space=${8:-}
    [ "$own_path:$search_path" != 1: ] || live_path || fail E_RESTORE "the live database could not be read: $(cat path.error)"
  fi
  need_hex 'how the database is made' "$like$owner$space"
  need_hex 'what belongs to the database' "$(echo "$properties" | tr '\n' ' ')"
  undo=drop_new
  tell_server "$(make_database_sql ":'new'" "$like" "$owner" "$space")" ||
    fail E_RESTORE "no database could be created to load into: $(said_server)"
  pwd
  connection=$loading
  load_dump >load.said 2>&1 || load_failed $? load.said
  analyze
  count_restored || not_restored $? count.error 'the rows could not be counted'
  # last: what is set for the database must not get into the way of the load
  give_properties || (maintenance=$loading && give_properties) ||
    fail E_RESTORE "the owner, grants and settings of the database could not be set on the new one: $(said_server)"
  undo=''
}

# give_properties: what belongs to the database itself, to the new one. Where that can not be read in the encoding of the other database, it can be
# in the one whose it is.
give_properties() { tell_server "$begin_plain$newline$(carried_sql)${newline}COMMIT;"; }

# carried_sql: what belongs to the live database itself, or to the one of the backup, carried out about the new one. \gexec sends each
# statement as it is: psql does not look for commands of its own in it.
carried_sql() {
  if [ "$way" = swap ]; then
    echo "SELECT line FROM ($(properties_sql ":'live'" ":'new'")) AS lines (nth, line) ORDER BY nth \\gexec"
    return
  fi
  for statement in $properties; do echo "SELECT $(text_of "$statement") \\gexec"; done
}

drop_new() {
  drop_database new "$new" || put note "the database $new, into which the backup was loaded, could not be dropped: $(said_server). As its owner: DROP DATABASE $new"
}

# load_dump: the archive into $connection, any error is one
load_dump() {
  server_version=$(run sql -c 'SHOW server_version_num') || return
  need_number server_version "$server_version"
  speak_english
  case $kind in
    sql) load_by_script archive cat ;;
    tar)
      rm -rf folder dump
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

# speaks_for_itself: pg_restore of 17 and later sets a parameter that older servers do not know, which ends it; all empty the search_path
speaks_for_itself() { [ -z "$own_path" ] && { [ "$pg_major" -lt 17 ] || [ "$server_version" -ge 170000 ]; }; }

# shellcheck disable=SC2086 # options without blanks
restore_into() { exec "${pg_bin}pg_restore" -w --exit-on-error $restore_options -d "$connection" "$@"; }

# shellcheck disable=SC2086
write_script() { exec "${pg_bin}pg_restore" $restore_options -f - "$@"; }

# load_by_script FILE COMMAND...: what it writes, reading the file, by psql
load_by_script() {
  input=$1
  shift
  rm -f raw script script_end
  mkfifo raw script script_end || return
  learn_restrict
  edit=$(edits)
  { own_path_sql && restrict restrict; } >begin.sql
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
  knows_restrict='' mark_word=$(raw "$mark" | tr -cd 'A-Za-z0-9')
  if printf '\\restrict a\n\\unrestrict a\n' | (sql -f -) >/dev/null 2>&1; then knows_restrict=1; fi
}

# restrict restrict|unrestrict
restrict() { [ -z "$knows_restrict" ] || raw "\\$1 $mark_word$newline"; }

# edits: what of a script older tools do not know, or what would end our transaction
edits() {
  # rows are nobody's to edit, whatever they look like; the name of a table or column may have a line break in it
  printf '%s\n' '/ FROM stdin;$/,/^\\\.$/b'
  # its own words for the same: pg_dump takes 63 letters and digits
  printf '%s\n' '1,12{/^\\restrict [A-Za-z0-9]\{1,\}$/d;}' '/^\\unrestrict [A-Za-z0-9]\{40,\}$/d' "$client_edit"
  [ "$server_version" -ge 170000 ] || echo '1,60{/^SET transaction_timeout = 0;$/d;}'
  [ -z "$own_path" ] || echo "1,60{/^SELECT pg_catalog.set_config('search_path', '', false);\$/d;}"
}

edit_script() { (sed "$edit") | tee script_end; }

# find_ending: a script that is cut between two statements would load without an error
find_ending() { tail -n 20 | grep -x -- '-- PostgreSQL database dump complete' >/dev/null; }
