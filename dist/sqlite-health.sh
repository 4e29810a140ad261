# shellcheck shell=sh
# SQLite: how the live database is, without a backup of it.

# health_sqlite NAMED-ARGUMENTS
# takes: asserts busy_ms examined level min_free_kib name run_as source verify wanted
health_sqlite() {
  arguments "$@"
  examine_source sqlite
  emit phase check 0
  passing_on E_PERM "the look into the database as ${run_as:-$my_name}" \
    elsewhere examine_sqlite source "$source" busy_ms "$busy_ms" examined "$examined"
}

# examine_sqlite NAMED-ARGUMENTS: what a connection that may not write can tell. Where readers keep writers waiting, a large database is not
# read to its end.
examine_sqlite() {
  arguments "$@"
  choose_sqlite
  enter_place 64
  name_files "$source" ''
  only_look
  live_bytes=$(size_of "$live")
  put live_wal "$(if is_wal "$live"; then echo 1; fi)"
  put wal_bytes "$(size_of "$live-wal")"
  # a connection, also one that may not write, would make the index of the WAL anew
  if is_wal "$live" && [ -s "$live-wal" ] && [ ! -e "$live-shm" ]; then
    put hot_journal "the WAL"
    return 0
  fi
  if [ -s "$live-journal" ]; then
    sqlite_on_live 'SELECT 1 FROM sqlite_master' >live.check || case $?:$(cat error) in
      8:* | *'readonly database'*)
        put hot_journal 'a hot journal'
        return 0
        ;;
    esac
  fi
  if ! sqlite_on_live 'PRAGMA page_size' 'PRAGMA page_count' 'PRAGMA freelist_count' 'PRAGMA encoding' 'SELECT count(*) FROM sqlite_master' >live.values; then
    not_examined $?
    return 0
  fi
  { read -r page_size && read -r page_count && read -r free_pages && read -r encoding && read -r objects; } <live.values
  put page_size "$page_size"
  put page_count "$page_count"
  put free_pages "$free_pages"
  put encoding "$encoding"
  put objects "$objects"
  [ -n "$examined" ] || return 0
  check='PRAGMA integrity_check(5)'
  if [ "$live_bytes" -gt "$cheap_bytes" ]; then
    if ! is_wal "$live"; then
      put unexamined 1
      return 0
    fi
    check='PRAGMA quick_check(5)'
  fi
  check_live "$check" || return 0
  if sqlite_on_live 'SELECT count(*) FROM temp.pragma_foreign_key_check' >live.check; then
    put foreign_keys "$(cat live.check)"
  else
    put note "the foreign keys could not be checked: $(cat error)"
  fi
  tell_rows tolerant
}

# check_live STATEMENT: tells the integrity; fails when there is nothing more to be asked
check_live() {
  sqlite_on_live "$1" >live.check
  status=$?
  if [ "$status:$(cat live.check)" != 0:ok ] && [ "$mode" = immutable ] && [ -e "$live-wal" ]; then
    sqlite_on_live "$1" >live.check # somebody has connected meanwhile
    status=$?
  fi
  if [ $status != 0 ]; then
    not_examined $status
    return 1
  fi
  put integrity "$(cat live.check)"
}

# not_examined STATUS: of a tool that could not tell. What it does not know is no damage.
not_examined() {
  if newer_schema "$live" "$(cat error)"; then
    tell_unread "$(say_unread)"
  elif beyond_tool "$(cat error)"; then
    put live_unjudged 1
    put note "the live database could not be checked: $(cat error)"
  else
    case $1:$(cat error) in
      10:* | 11:* | 26:* | *malformed* | *'not a database'* | *'disk I/O error'*) put integrity "$(cat error)" ;;
      *) sqlite_failed "$1" "$(cat error)" ;;
    esac
  fi
}
