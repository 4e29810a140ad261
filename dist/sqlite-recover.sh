# shellcheck shell=sh
# SQLite: which database is live after a restore that ended somewhere, and the ways to its end: forward, back, or as it was.
# shellcheck disable=SC3013 # test -ef: dash, bash and busybox have it

tell_end() {
  bring_to_an_end
  put state "$end"
}

# bring_to_an_end: sets end, which database is live, restored or unchanged; what was begun and not swapped is gone after it. It
# asks the files, so it may be called again and again, also after a kill of everything.
bring_to_an_end() {
  step='' detail='' mode='' end=unchanged
  if [ -f "$note" ]; then read -r step detail <"$note"; fi
  case $step in
    '') if [ -e "$before" ]; then end=restored && rm -f -- "$before" "$before-wal" "$before-shm" "$before-journal"; fi ;; # settled, all but this
    restored) end=restored ;;
    in-place) if written "$detail"; then end=restored && write_note restored; fi ;;
    back) if ! written "$detail"; then end=restored && write_note restored; fi ;;
    replace) end_of_replacing ;;
  esac
  rm -f -- "$new" "$new-wal" "$new-shm" "$new-journal" "$note-new"
  [ $end = restored ] || rm -f -- "$note"
  sync_file "$folder"
}

# written VERSION: whether SQLite has come to the commit of copy.db; it counts the version of the schema on with it. That of the
# application may do so as well, but has not what was loaded.
written() {
  if [ ! -s "$live" ]; then
    put note "$live no longer exists"
    return 1
  fi
  need_number "the version in $note" "$1"
  now=$(sqlite_on_live 'PRAGMA schema_version') || sqlite_failed $? "what is live could not be told: $(cat error)"
  [ "$now" != "$1" ] || return 1
  if [ "$now" != $(($1 + 1)) ] || [ ! -s "$new" ]; then return 0; fi
  ln -sf "$new" copy.db
  copy_facts
  only_look
  live_facts || sqlite_failed $? "$(cat error)"
  grep -a '^object ' copy.facts >schema
  grep -a '^object ' live.facts | cmp -s - schema
}

end_of_replacing() {
  if [ "$detail" = missing ]; then
    if [ -e "$new" ] && ! [ "$new" -ef "$live" ]; then
      sidecars_back
    elif [ -e "$live" ]; then
      end=restored
    else
      sidecars_back # going back was cut off
    fi
  elif [ ! -e "$before" ]; then
    sidecars_back # nothing was moved yet, or going back was cut off
  elif [ "$before" -ef "$live" ]; then
    sidecars_back
    rm -f -- "$before"
  elif [ ! -e "$live" ] || { [ -e "$new" ] && [ ! -s "$live" ]; }; then
    mv -f -- "$before" "$live"
    sidecars_back
  elif [ -e "$new" ]; then
    put note "another file has replaced $live in the meantime; the old file is $before"
  else
    end=restored
  fi
}

# sidecars_back: not where others have come into their place
sidecars_back() {
  for ending in -wal -shm -journal; do
    [ -e "$before$ending" ] || continue
    if [ -e "$live$ending" ] || { [ ! -e "$before" ] && [ "$detail" = missing ] && [ -e "$live" ]; }; then
      put note "$before$ending was left there, because another file is in its place"
    else
      mv -- "$before$ending" "$live$ending"
    fi
  done
}

# recover_restore_sqlite NAMED-ARGUMENTS: after a run that died, whose database was the one at `known`
# takes: asserts busy_ms id known level min_free_kib name run_as source verify wanted way
recover_restore_sqlite() {
  arguments "$@"
  make_work
  source=$(absolute "$source")
  put source "$source"
  restore_there recover_there source "$source" id "$id" busy_ms "$busy_ms" known "$known"
  rm -rf "$work"
}

recover_there() {
  arguments "$@"
  name_files "$source" "$id"
  if [ "$live" != "$known" ]; then
    put resolved "$live"
    put state other
    return
  fi
  choose_sqlite
  find_target "$source" "$id"
  enter_place 64
  corrupt=E_RESTORE unproven=E_RESTORE
  if [ ! -d "$folder" ]; then
    put state unchanged
    return
  fi
  tell_end
}

# settle_restore_sqlite NAMED-ARGUMENTS: what was kept of the old state goes
# takes: asserts busy_ms id level min_free_kib name run_as source verify wanted way
settle_restore_sqlite() {
  arguments "$@"
  make_work
  source=$(absolute "$source")
  put source "$source"
  restore_there settle_there source "$source" id "$id"
  rm -rf "$work"
}

settle_there() {
  arguments "$@"
  name_files "$source" "$id"
  rm -f -- "$note"
  sync_file "$folder"
  error=$(rm -f -- "$before" "$before-wal" "$before-shm" "$before-journal" "$new" 2>&1) ||
    put note "the copy of the old database could not be removed: $error"
}

# back_restore_sqlite NAMED-ARGUMENTS: the old state is live again: what was kept of it, or, where SQLite wrote over it, the safety backup
# takes: asserts busy_ms id level min_free_kib name run_as safety_bytes safety_kind safety_packing safety_payload
# takes: safety_plain_bytes safety_sha256 source verify wanted way
back_restore_sqlite() {
  arguments "$@"
  make_work
  source=$(absolute "$source")
  put source "$source"
  if [ "$way" = in-place ]; then
    [ -n "$safety_payload" ] || fail E_ROLLBACK_FAILED "there is no safety backup to roll back to"
    payload=$safety_payload sha256=$safety_sha256 bytes=$safety_bytes plain_bytes=$safety_plain_bytes packing=$safety_packing foreign='' proven=checksum
    check_payload
    load_beside
  elif [ "$my_uid" = 0 ] && [ -n "$run_as" ]; then
    name_files "$source" "$id"
    unused || fail E_TARGET_BUSY "somebody has the restored database open"
  fi
  restore_there back_there source "$source" id "$id" way "$way" busy_ms "$busy_ms"
  rm -rf "$work"
}

back_there() {
  arguments "$@"
  choose_sqlite
  find_target "$source" "$id"
  enter_place 64
  corrupt=E_ROLLBACK_FAILED torn=E_ROLLBACK_FAILED unproven=E_ROLLBACK_FAILED mode=''
  step='' detail=''
  if [ -f "$note" ]; then read -r step detail <"$note"; fi
  emit phase restore 0
  if [ "$way" = in-place ]; then
    headed "$live" || fail E_ROLLBACK_FAILED "$live no longer exists, or is not a database"
    ln -s "$new" copy.db
    version=$(sqlite_on_live 'PRAGMA schema_version') || sqlite_failed $? "$(cat error)"
    write_note "back $version"
    write_live || sqlite_failed $? "$(cat error)"
    rm -f -- "$new"
  else
    [ "$step" = replace ] || fail E_ROLLBACK_FAILED "$note does not say what was replaced"
    unused || fail E_TARGET_BUSY "somebody has the restored database open"
    hold
    error=$( (take_back) 2>&1) || fail E_ROLLBACK_FAILED "the files could not be renamed: $error"
    release
  fi
  if [ "$detail" != missing ] && ! sound; then
    [ "$detail" = damaged ] || fail E_ROLLBACK_FAILED "quick_check of the database after the rollback: $damage"
    put note "the database is as damaged as it was before: $damage"
  fi
  rm -f -- "$note"
  sync_file "$folder"
  put state rolled-back
}

# take_back: what was replaced gets its names back, and nothing of the other stays beside it
take_back() {
  if [ "$detail" = missing ]; then
    rm -f -- "$live" || return
  elif [ ! -e "$before" ]; then
    echo "$before is not there"
    return 1
  fi
  rm -f -- "$live-wal" "$live-shm" "$live-journal" || return
  [ "$detail" = missing ] || mv -f -- "$before" "$live" || return
  for ending in -wal -shm -journal; do
    [ ! -e "$before$ending" ] || mv -- "$before$ending" "$live$ending" || return
  done
  sync_file "$folder"
}
