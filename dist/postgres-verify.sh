# shellcheck shell=sh
# PostgreSQL: an existing backup, proven anew, up to loading it into a database that is thrown away.

# verify_postgres NAMED-ARGUMENTS: an existing backup, read to its end; with restore also loaded into a database that is thrown away
# takes: asserts bytes connection container foreign format jobs kind level like maintenance min_free_kib name packing password
# takes: payload plain_bytes proven run_as scratch scratch_connection scratch_password search_path sha256 standby verify wanted
verify_postgres() {
  arguments "$@"
  make_work_somewhere
  check_payload
  [ "$verify" != checksum ] || return 0
  if [ "$verify" = restore ]; then
    connection=$maintenance password=$scratch_password
    reach_postgres
  else reach_tools; fi
  case $kind in
    dump)
      fifos toc
      once=$(method_of "$packing")
      read_back read_archive "$payload" 9>&-
      list_archive "$payload"
      ;;
    sql)
      fifos ending
      read_back read_script "$payload" 9>&-
      copies=$(unpack_into count_copies <"$payload" 2>"$work/e1") || failed E_CHECKSUM "$payload could not be read again: $(cat "$work/e1")"
      put tables_with_data "$copies"
      ;;
    tar)
      read_back read_entries "$payload" 9>&-
      put tables_with_data "$(grep -c '^dump/[0-9][0-9]*\.dat' "$work/read")"
      ;;
  esac
  [ "$verify" != restore ] || rehearse_postgres 9>&-
}

# rehearse_postgres: loads the payload into a new database, counts, asks, and drops it on every path
rehearse_postgres() {
  emit phase restore "$plain_bytes"
  feed_load load_scratch maintenance "$maintenance" password "$scratch_password" kind "$kind" \
    scratch "$scratch" scratch_connection "$scratch_connection" like "$like" jobs "${jobs:-$(processors)}" \
    plain_bytes "$plain_bytes" min_free_kib "$min_free_kib" asserts "$asserts" ||
    { [ $? = 99 ] && exit 99; failed E_RESTORE "the scratch restore ended with an error"; }
}

# load_scratch NAMED-ARGUMENTS: the archive into a database of its own, which nobody else knows
load_scratch() {
  arguments "$@"
  need=64
  [ "$kind" != tar ] || need=$((plain_bytes / 1024 + min_free_kib))
  enter_place "$need"
  find_postgres
  postgres_environment
  rm -f archive
  mkfifo archive || failed E_PERM "mkfifo failed in $(pwd)"
  need_hex 'how the database is made' "$like"
  need_hex search_path "$search_path"
  sweep_scratch
  undo=drop_scratch
  make_scratch || not_restored $? maintenance.error 'no database for the rehearsal could be made'
  made=1
  pwd
  connection=$scratch_connection
  # roles and subscriptions belong to the server, and are none of the rehearsal's
  restore_options='--no-owner --no-privileges --no-subscriptions --no-publications'
  load_dump >load.said 2>&1 || load_failed $? load.said
  put restored_into "$scratch"
  count_restored || not_restored $? count.error 'the rows could not be counted'
  each_assert assert_postgres
}

# not_restored STATUS FILE [WHAT]: of pg_restore or psql, by what it said there
not_restored() {
  state=$(sqlstate_in "$2")
  [ -z "$state" ] || put sqlstate "$state"
  set -- "$1" "${3:+$3: }$(complaints "$2")"
  [ "$1" -le 128 ] || set -- "$1" "$2 it was killed by signal $(($1 - 128)); when nobody did that, the host was out of memory"
  fail E_RESTORE "$2 (status $1)"
}

# assert_postgres SQL: names without a schema mean what they mean in the live database
assert_postgres() {
  set -- -c "$1"
  [ -z "$search_path" ] ||
    set -- -c '\o /dev/null' -c "SELECT pg_catalog.set_config('search_path', $(text_of "$search_path"), false)" -c '\o' "$@"
  run sql -v VERBOSITY=default "$@"
}

# in_maintenance ARGS...: psql in a database that is not the one in question
in_maintenance() { (connection=$maintenance && "$@") >maintenance.said 2>maintenance.error; }

make_scratch() {
  { echo "$no_limits" && make_database_sql "'$scratch'" "$like" '' ''; } >maintenance.sql
  in_maintenance sql -f maintenance.sql
}

# drop_scratch: by one statement, which the server carries out also when we are killed while we wait; PostgreSQL 12 does not know it
drop_scratch() {
  force_drop && return
  # what a script brings with it
  [ -z "$made" ] || (connection=$scratch_connection && drop_subscriptions) >/dev/null 2>&1
  force_drop || [ -z "$made" ] || put note "the database $scratch of the scratch restore could not be dropped: $(complaints maintenance.error)"
}

# what is set for the database, in which we may be, is not meant for us
no_limits='SET default_transaction_read_only = off; SET statement_timeout = 0;'

force_drop() {
  in_maintenance sql -c "$no_limits" -c "DROP DATABASE IF EXISTS $scratch WITH (FORCE)" && return
  in_maintenance ask_sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$scratch'"
  in_maintenance sql -c "$no_limits" -c "DROP DATABASE IF EXISTS $scratch"
}

# sweep_scratch: what killed runs left, when nobody has been in it; the name has the time
sweep_scratch() {
  in_maintenance ask_sql "SELECT datname FROM pg_database d
WHERE datname ~ '^db_backup_check_[0-9]+_[0-9a-f]+\$' AND split_part(datname, '_', 4)::bigint < extract(epoch FROM clock_timestamp()) - 600
AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = d.datname)" || return 0
  cp maintenance.said abandoned
  while read -r scratch_left; do
    case $scratch_left in
      *[!0-9a-z_]*) ;;
      db_backup_check_*) in_maintenance sql -c "DROP DATABASE IF EXISTS $scratch_left" ;;
    esac
  done <abandoned
}
