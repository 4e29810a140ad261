# shellcheck shell=sh
# SQLite: what a damaged database consists of, kept as it is.

# save_damaged_sqlite NAMED-ARGUMENTS: the bytes of its files as they are, as a payload that was read back
# takes: asserts busy_ms id level min_free_kib name run_as source verify wanted
save_damaged_sqlite() {
  arguments "$@"
  [ -n "$directory" ] || exit 99
  make_work
  source=$(absolute "$source")
  put source "$source"
  reach_elsewhere
  have tar || fail E_TOOL_MISSING tar
  choose_packing "$wanted"
  check_space . "$((min_free_kib + 1024))"
  compare='' hash_plain=1
  store compare_plain elsewhere produce_files source "$source" 9>&-
  read_back compare_plain "$work/payload" 9>&-
}

# produce_files NAMED-ARGUMENTS: a tar of the database and what lies beside it
produce_files() {
  arguments "$@"
  find_target "$source" ''
  [ "$state" = there ] || fail E_SOURCE_MISSING "$source"
  base=${live##*/}
  set -- "$base"
  total=$(size_of "$live")
  for ending in -wal -shm -journal; do
    [ -f "$live$ending" ] || continue
    set -- "$@" "$base$ending"
    total=$((total + $(size_of "$live$ending")))
  done
  enter_place 64
  emit phase copy "$total"
  verbatim='' # that of GNU takes a backslash in a name for the beginning of an escape
  case $(tar --version 2>/dev/null) in *GNU*) verbatim=--no-unquote ;; esac
  run tar -C "$folder" ${verbatim:+"$verbatim"} -cf - -- "$@" 2>error || failed E_DUMP_FAILED "tar: $(cat error)"
}
