# shellcheck shell=sh
# PostgreSQL: a dump put back. `swap`: loaded into a new database of the same server, which then takes the name of the live one;
# `create`: the same, where there is none yet; `in-place`: one transaction in the live database, where no other may be made.
#
# A kill at any moment leaves the one or the other: the names change in one transaction, and so does what is in place.
live='' new='' old='' second='' owner='' loading='' properties='' way='' expected='' expects_all='' knows_restrict='' client_edit=''
lock_wait=10 safety_payload='' restore_options='' standby='' extensions='' search_path=''

# look_restore_postgres NAMED-ARGUMENTS: what the target is, what is in it, what the dump is; changes nothing
# takes: asserts bytes connection container foreign format jobs kind level live lock_wait maintenance min_free_kib name packing
# takes: password payload plain_bytes proven run_as search_path second sha256 standby verify wanted
look_restore_postgres() {
  begin_step "$@"
  check_payload
  reach_elsewhere
  step_at_target look_target
  # not of others before the runner knows that the client has no known holes
  [ "$kind$foreign" != dump ] || look_archive
  end_step
}

# load_restore_postgres NAMED-ARGUMENTS: into a database beside the live one; in place there is none: the dump is read whole
# takes: asserts bytes connection container foreign format id jobs kind level like live loading lock_wait maintenance min_free_kib
# takes: name new old owner packing password payload plain_bytes properties proven run_as search_path second sha256 standby verify
# takes: wanted way
load_restore_postgres() {
  begin_step "$@"
  check_payload
  reach_tools
  verify=content
  if [ "$way" = in-place ] || [ "$kind" = sql ]; then read_dump; fi
  if [ "$way" != in-place ]; then
    emit phase load "$plain_bytes"
    feed_target load_new loading "$loading" like "$like" owner "$owner" properties "$properties" jobs "${jobs:-$(processors)}" \
      plain_bytes "$plain_bytes" kind "$kind"
  fi
  end_step
}

# swap_restore_postgres NAMED-ARGUMENTS: what was loaded is live
# takes: asserts bytes connection container expected expects_all extensions foreign format id jobs kind level live lock_wait
# takes: maintenance min_free_kib name new old packing password payload plain_bytes proven run_as search_path second sha256 standby
# takes: verify wanted way
swap_restore_postgres() {
  begin_step "$@"
  reach_elsewhere
  if [ "$way" = in-place ]; then
    check_payload
    put_in_place
  else step_at_target swap_databases; fi
  end_step
}

# back_restore_postgres NAMED-ARGUMENTS: the state before the swap is live again
# takes: asserts connection container format id jobs level live lock_wait maintenance min_free_kib name new old password run_as
# takes: safety_bytes safety_expected safety_expects_all safety_extensions safety_kind safety_packing safety_payload
# takes: safety_plain_bytes safety_search_path safety_sha256 second standby verify wanted way
back_restore_postgres() {
  begin_step "$@"
  reach_elsewhere
  if [ "$way" = in-place ]; then
    [ -n "$safety_payload" ] || fail E_ROLLBACK_FAILED "the state before was not kept, and there is no safety backup"
    arguments payload "$safety_payload" sha256 "$safety_sha256" bytes "$safety_bytes" plain_bytes "$safety_plain_bytes" \
      packing "$safety_packing" kind "$safety_kind" expected "$safety_expected" expects_all "$safety_expects_all" \
      extensions "$safety_extensions" search_path "$safety_search_path" foreign ''
    check_payload
    put_in_place back
  else step_at_target back_databases; fi
  end_step
}

# settle_restore_postgres NAMED-ARGUMENTS: nothing is kept of the state before
# takes: asserts connection container format id jobs level live lock_wait maintenance min_free_kib name new old password run_as
# takes: second standby verify wanted way
settle_restore_postgres() {
  begin_step "$@"
  reach_elsewhere
  if [ "$way" = swap ]; then step_at_target settle_databases; fi
  rm -f ".work/xact-$id"
  end_step
}

# recover_restore_postgres NAMED-ARGUMENTS: after a run that died: what is there tells what was done. On another server than the one with
# the identifier `system`, as far as both are known, nothing is; `named` when the target is told in the same words
# takes: asserts connection container format id jobs level live lock_wait maintenance min_free_kib name named new old password
# takes: run_as second standby system verify wanted way
recover_restore_postgres() {
  begin_step "$@"
  reach_elsewhere
  # of the journal, for what the databases do not tell: whether what was kept is gone, or never was
  phase=$(sed -n 's/.*"phase":"\([a-z-]*\)".*/\1/p' ".work/restore-$id" 2>/dev/null)
  xact=''
  if [ -f ".work/xact-$id" ]; then
    read -r xact <".work/xact-$id"
    need_number 'the transaction of the restore that was cut off' "$xact"
  fi
  step_at_target recover_databases phase "$phase" xact "$xact" system "$system" named "$named"
  end_step
}

# at_target FUNCTION ARGS...: where the tools are, with what every function there has to know
at_target() {
  function=$1
  shift
  elsewhere "$function" connection "$connection" password "$password" maintenance "$maintenance" second "$second" standby "$standby" \
    live "$live" new "$new" old "$old" way "$way" lock_wait "$lock_wait" min_free_kib "$min_free_kib" "$@"
}

# feed_target FUNCTION ARGS...: the same, and the function gets the payload
feed_target() {
  function=$1
  shift
  feed_load "$function" connection "$connection" password "$password" maintenance "$maintenance" second "$second" standby "$standby" \
    live "$live" new "$new" old "$old" way "$way" lock_wait "$lock_wait" min_free_kib "$min_free_kib" "$@" 9>&- ||
    { status=$? && [ $status = 99 ] && exit 99; failed E_RESTORE "the restore ended with status $status"; }
}

# step_at_target COMMAND...: at_target, and passes on what it tells
step_at_target() { passing_on E_RESTORE 'the step' at_target "$@"; }

# look_archive: the tables of an archive, as far as its table of contents tells them: `4; 0 16385 TABLE DATA public docs owner`
look_archive() {
  found_postgres
  read_contents "$payload"
  printf '%s\n' "$contents" | sed -n 's/^[0-9]*; [0-9]* [0-9]* TABLE DATA \([^ ]*\) \(.*\) [^ ]*$/set dump_table \1.\2/p' | emit_each
}

# read_dump: to its end, before anything is done with it
read_dump() {
  hash_plain=''
  case $kind in
    dump) read_back read_archive "$payload" 9>&- ;;
    sql)
      fifos ending
      read_back read_script "$payload" 9>&-
      ;;
    tar) read_back read_entries "$payload" 9>&- ;;
  esac
}

# put_in_place [back]
put_in_place() {
  emit phase swap "$plain_bytes"
  reached=note_transaction
  feed_target replace_in_place expected "$expected" expects_all "$expects_all" extensions "$extensions" \
    kind "$kind" plain_bytes "$plain_bytes" back "${1:-}"
  [ -z "${1:-}" ] || rm -f ".work/xact-$id"
}

# note_transaction PLACE: on the disk before the first byte of the dump goes there, so that the next run can ask what has become of it
note_transaction() { put_text ".work/xact-$id" "${1##*/xact-}$newline" || failed E_PERM "the transaction could not be recorded"; }
