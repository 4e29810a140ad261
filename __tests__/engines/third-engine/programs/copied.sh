# shellcheck shell=sh
# A third engine, of a test: a file is copied, and compared.
# shellcheck disable=SC2154 # the named arguments of the requests
# shellcheck disable=SC2034 # read in the other files
recognisers="recognise_copied $recognisers"

# find_copied: sets source and source_bytes
find_copied() {
  source=$(absolute "$source")
  put source "$source"
  [ -f "$source" ] || fail E_SOURCE_MISSING "$source"
  source_bytes=$(size_of "$source")
  put source_bytes "$source_bytes"
}

backup_copied() {
  arguments "$@"
  back_up copied
}

source_copied() {
  find_copied
  choose_packing "$wanted"
  kind=copied
}

room_copied() { echo $((source_bytes / 1024)); }

store_copied() {
  cp "$source" "$work/copy.db" || failed E_DUMP_FAILED "$source could not be copied"
  put lines "$(grep -c '' "$work/copy.db")"
  if [ -s "$work/copy.db" ]; then put objects 1; else put objects 0; fi
  compare=$work/copy.db
  store compare_plain produce_copied 9>&-
  read_back compare_plain "$work/payload" 9>&-
  if [ "$verify" = restore ]; then put restored_lines "$(grep -c '' "$work/copy.db")"; fi
  rm -f "$work/copy.db"
}

produce_copied() { run cat "$work/copy.db"; }

inspect_copied() {
  arguments "$@"
  look_before copied
}

health_copied() {
  arguments "$@"
  examine_source copied
}

verify_copied() {
  arguments "$@"
  make_work
  check_payload
  [ "$verify" != checksum ] || return 0
  unpack_to "$work/copy.db" "$plain_bytes" 9>&-
  put restored_lines "$(grep -c '' "$work/copy.db")"
}

# recognise_copied: of a file in `first` that somebody else has made
recognise_copied() {
  [ "$(sed q "$tmp/first")" = 'copied 1' ] || return 1
  dump_kind=copied
}

look_copied() {
  arguments "$@"
  source=$(absolute "$source")
  put source "$source"
  check_payload_copied
  put live_bytes "$(size_of "$source")"
  [ -f "$source" ] || put live_state missing
}

# check_payload_copied: in a work folder, which a dry run has not
check_payload_copied() {
  if [ -n "$work" ]; then make_work; else small_folder && work=$tmp; fi
  check_payload
}

load_copied() {
  arguments "$@"
  make_work
  source=$(absolute "$source")
  check_payload
  run unpack <"$payload" >"$source.restore-$id" || failed E_RESTORE "$payload can not be unpacked"
  rm -rf "$work"
}

swap_copied() {
  arguments "$@"
  source=$(absolute "$source")
  [ ! -f "$source" ] || ln "$source" "$source.before-$id" || failed E_RESTORE "$source can not be kept"
  mv -f "$source.restore-$id" "$source" || failed E_RESTORE "$source can not be replaced"
  put state restored
}

back_copied() {
  arguments "$@"
  source=$(absolute "$source")
  mv -f "$source.before-$id" "$source" || fail E_ROLLBACK_FAILED "$source can not be put back"
  put state rolled-back
}

settle_copied() {
  arguments "$@"
  source=$(absolute "$source")
  rm -f "$source.before-$id"
}

recover_copied() {
  arguments "$@"
  source=$(absolute "$source")
  put source "$source"
  rm -f "$source.restore-$id"
  if [ -e "$source.before-$id" ]; then put state restored; else put state unchanged; fi
}
