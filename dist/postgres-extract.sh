# shellcheck shell=sh
# PostgreSQL: one table of a backup, by pg_restore, which needs no server for that.

# open_extract_postgres NAMED-ARGUMENTS: tells the tables that are in it
# takes: asserts bytes connection container foreign format kind level min_free_kib name packing password payload plain_bytes proven
# takes: run_as sha256 standby verify wanted
open_extract_postgres() {
  arguments "$@"
  begin_extract
  check_payload
  tools_to_extract
  case $kind in
    tar)
      unpack_archive
      contents=$("${pg_bin}pg_restore" -l "$work/dump" 2>"$work/e1") ||
        failed E_CHECKSUM "the table of contents could not be read: $(cat "$work/e1")"
      ;;
    *) read_contents "$payload" ;;
  esac
  # `217; 1259 16385 TABLE public docs owner`
  printf '%s\n' "$contents" | sed -n -e '/^[0-9]*; [0-9]* [0-9]* TABLE \(DATA\|ATTACH\) /d' \
    -e 's/^[0-9]*; [0-9]* [0-9]* TABLE //p' >"$work/told"
  emit_each 'set extract_table ' <"$work/told"
  end_extract
}

# tools_to_extract: where a folder is unpacked, the tools of a container do not see it
tools_to_extract() {
  [ "$kind" != tar ] || container='' run_as=''
  reach_tools
}

unpack_archive() {
  check_space "$work" "$((plain_bytes / 1024 + min_free_kib))"
  run unpack_there <"$payload" 2>"$work/e1" || failed E_CHECKSUM "$payload cannot be unpacked: $(cat "$work/e1")"
}

unpack_there() { cd "$work" && unpack_into unpack_directory; }

# extract_postgres NAMED-ARGUMENTS
# takes: asserts bytes connection container extract_options extract_schema extract_table foreign format kind level min_free_kib name
# takes: packing password payload plain_bytes proven run_as sha256 standby verify wanted
extract_postgres() {
  arguments "$@"
  begin_extract
  [ "$kind" = tar ] || check_payload
  tools_to_extract
  keep_extracted table_of_postgres
  # pg_restore is content with a name that is not there
  grep -a -q -e '^-- Name: .*; Type: TABLE; ' -e '^-- Data for Name: .*; Type: TABLE DATA; ' "$work/payload" ||
    fail E_NOT_FOUND "pg_restore found no table $extract_schema.$extract_table in the backup"
}

table_of_postgres() {
  packing=$packed_as
  # shellcheck disable=SC2086 # words
  set -- --no-owner --no-privileges $extract_options "--schema=$extract_schema" "--table=$extract_table" -f -
  if [ "$kind" = tar ]; then
    run "${pg_bin}pg_restore" "$@" "$work/dump" 2>"$work/said" || not_extracted $?
    return
  fi
  mkfifo "$work/fed" || failed E_PERM "mkfifo failed in $work"
  cat <"$payload" >"$work/fed" 2>/dev/null &
  started $!
  note $! reader
  run unpack_into restore_tool "$@" <"$work/fed" 2>"$work/said" || not_extracted $?
}

not_extracted() {
  unheard "$1" "$(cat "$work/said")"
  told_killed "$1" pg_restore
  failed E_RESTORE "$(cat "$work/said") (status $1)"
}
