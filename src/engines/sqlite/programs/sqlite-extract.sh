# shellcheck shell=sh
# SQLite: one table of a backup, read from a copy of it that is thrown away.

# open_extract_sqlite NAMED-ARGUMENTS: the copy; tells its tables, and of the one that is asked for its columns
# takes: ask_columns ask_table ask_tables asserts busy_ms bytes foreign kind level min_free_kib name packing payload plain_bytes proven
# takes: run_as sha256 source verify wanted
open_extract_sqlite() {
  arguments "$@"
  begin_extract
  check_payload
  choose_sqlite
  tell_sqlite
  unpack_to "$work/copy.db" "$plain_bytes" 9>&-
  enter_extract
  [ "$(dd if=copy.db bs=15 count=1 2>/dev/null)" = 'SQLite format 3' ] || fail E_CHECKSUM "it does not start with the SQLite header"
  # `temp.`: there the database has no say in what that name means
  sqlite_on_copy "SELECT 'extract_encoding ' || encoding FROM temp.pragma_encoding" "$ask_tables" "$ask_table" "$ask_columns" >told || sqlite_failed $? "$(cat error)"
  emit_each 'set ' <told
  end_extract
}

enter_extract() {
  cd "$work" || fail E_PERM "$work cannot be entered"
  corrupt=E_CHECKSUM unproven=E_RESTORE
}

# extract_sqlite NAMED-ARGUMENTS: the lines of a statement, with a text before and one after them
# takes: asserts busy_ms extract_after extract_before extract_select level min_free_kib name run_as source verify wanted
extract_sqlite() {
  arguments "$@"
  begin_extract
  choose_sqlite
  # it may be longer than an argument can be
  raw "$extract_select$newline" >"$work/select.sql" || failed E_DUMP_FAILED 'the statement could not be written'
  keep_extracted lines_of_sqlite
}

lines_of_sqlite() {
  enter_extract
  raw "$extract_before"
  case $sqlite_tool in
    sqlite3)
      as_it_is
      sqlite_cli -readonly 'file:copy.db?immutable=1' "$as_it_is" '.separator ,' '.read select.sql'
      ;;
    *) run python3 -I -c "$sqlite_python" lines select.sql ;;
  esac 2>error || not_lines $? "$(cat error)"
  raw "$extract_after"
}

# not_lines STATUS TEXT
not_lines() {
  unheard "$@"
  sqlite_failed "$@"
}

# as_it_is: sets as_it_is to the command by which the tool prints every byte; since 3.50 control characters become others
as_it_is() {
  for as_it_is in '.mode list' '.mode list --escape off'; do
    case $(sqlite3 -batch -init /dev/null :memory: "$as_it_is" 'SELECT char(1)' 2>/dev/null) in "$(printf '\001')") return ;; esac
  done
  fail E_RESTORE "sqlite3 $sqlite_version prints control characters in a non-standard way"
}
