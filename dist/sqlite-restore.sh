# shellcheck shell=sh
# SQLite: a dump put back in the place of the live database. It is loaded beside it (LIVE.restore-ID) and checked there. Into a sound
# file SQLite itself then writes it, in one transaction, while others stay connected; a damaged or missing one, or one that can not take
# other pages, is replaced under its name, and what it replaces is kept as LIVE.before-ID until the end. A note beside them
# (LIVE.restore-ID-note) says what is under way, so that a run that finds it knows what is live.
#
# What touches the live file runs elsewhere, as its owner: functions that end in _there.
# shellcheck disable=SC3013 # test -ef: dash, bash and busybox have it

# restore_there FUNCTION ARGS...: what it has to say it says itself. In the background, so that it gets a signal at once.
restore_there() {
  reach_elsewhere
  hold
  (own elsewhere "$@") &
  worker=$! && started $worker
  release
  wait $worker
  status=$?
  stages=''
  case $status in
    0) ;;
    99) exit 99 ;;
    *) failed E_RESTORE "the work on the database as ${run_as:-$my_name} ended with status $status" ;;
  esac
}

# --- loading --------------------------------------------------------------------------------------------------------

# load_restore_sqlite NAMED-ARGUMENTS: from the payload to a checked database beside the live one
# takes: asserts busy_ms bytes foreign id kind level min_free_kib name packing payload plain_bytes proven run_as sha256 source
# takes: verify wanted way
load_restore_sqlite() {
  arguments "$@"
  make_work
  source=$(absolute "$source")
  put source "$source"
  check_payload
  if [ "$kind" = statements ]; then
    unpack_dump "$work/loaded" 9>&-
    made_bytes=$(size_of "$work/loaded")
    arguments payload "$work/loaded" packing '' kind sqlite bytes "$made_bytes" plain_bytes "$made_bytes"
  fi
  load_beside
  rm -rf "$work"
}

# load_beside: the payload, through to the user whose database it is
load_beside() {
  reach_elsewhere
  feed "$payload" load_there source "$source" id "$id" way "$way" plain_bytes "$plain_bytes" bytes "$bytes" \
    min_free_kib "$min_free_kib" foreign "$foreign" proven "$proven" 9>&-
  status=$?
  case $status in
    0) ;;
    99) exit 99 ;;
    *) failed E_RESTORE "loading the dump ended with status $status" ;;
  esac
}

# load_there NAMED-ARGUMENTS: reads the fifo `archive`, as feed has it
load_there() {
  arguments "$@"
  choose_sqlite
  find_target "$source" "$id"
  enter_place 64
  tell_sqlite
  # in place, SQLite writes all of it once more, into -wal or -journal
  times=1
  [ "$way" != in-place ] || times=2
  size=${plain_bytes:-$bytes}
  check_room "$((size * times / 1024 + min_free_kib))"
  undo=unload
  make_folder
  rm -f -- "$new" "$new-wal" "$new-shm" "$new-journal"
  # exclusively: in a folder that others may write, nobody can have put a link there
  error=$( (set -C && : >"$new") 2>&1) || fail_beside E_PERM "$my_name can not write beside the database: $error"
  ln -s "$new" copy.db || failed E_PERM "no symbolic link in the work folder"
  mkfifo archive || failed E_PERM "mkfifo failed in the work folder"
  room=$(free_kib "$parent")
  limit=$((${room:-$((size / 512))} - min_free_kib))
  [ -z "$plain_bytes" ] || limit=$((plain_bytes / 1024 + 32))
  pwd
  emit phase unpack "$size"
  run write_limited $((limit * 2)) <archive >"$new" 2>load.error || not_loaded $? "$(cat load.error)"
  if [ -n "$plain_bytes" ] && [ "$(size_of "$new")" != "$plain_bytes" ]; then
    fail E_CHECKSUM "the backup decompresses to $(counted "$(size_of "$new")" byte), the manifest says $plain_bytes"
  fi
  deep=1
  prove_loaded
  sync_file "$new"
  sync_file "$folder"
  undo=''
}

write_limited() {
  ulimit -f "$1" 2>/dev/null
  exec cat
}

# check_room KIB: as check_space, where the database is
check_room() {
  free=$(free_kib "$parent")
  [ "${free:-$1}" -lt "$1" ] || return 0
  put nospace "$parent"
  put free_kib "$free"
  put needed_kib "$1"
  fail E_NOSPACE "$1 KiB are needed beside the database, but $free KiB are free"
}

# not_loaded STATUS TEXT: of what wrote it, within its limit
not_loaded() {
  case $1:$2 in
    153:* | *'File too large'*)
      [ -z "$plain_bytes" ] || fail E_CHECKSUM "the backup decompresses to more than the $plain_bytes bytes that its manifest says"
      set -- "$1" "No space left: there were $limit KiB. $2"
      ;;
  esac
  fail_beside E_RESTORE "what is loaded could not be written whole (status $1): $2"
}

# fail_beside CODE TEXT: as failed, where the disk is that of the database
fail_beside() {
  free=$(free_kib "$parent")
  case $2 in *'No space left'* | *'uota exceeded'* | *'isk is full'*) free=0 ;; esac
  if [ "${free:-64}" -lt 64 ]; then
    put nospace "$parent"
    fail E_NOSPACE "$2"
  fi
  [ -z "$1" ] || fail "$1" "$2"
}

unload() {
  rm -f -- "$new" "$new-wal" "$new-shm" "$new-journal"
  while [ -n "${made_folders:-}" ] && [ "$folder" != "$parent" ]; do
    rmdir -- "$folder" 2>/dev/null || break
    folder=${folder%/*}
  done
}

# make_folder: with what is missing on the way, of the owner of the nearest folder that is there
make_folder() {
  made_folders=''
  [ ! -d "$folder" ] || return 0
  made_folders=1
  error=$( (umask 027 && mkdir -p -- "$folder") 2>&1) || fail E_PERM "the folder $folder could not be created: $error"
  [ "$my_uid" = 0 ] || return 0
  made=$folder
  while [ "$made" != "$parent" ]; do
    own_as "$parent" "$made" || fail E_PERM "$made could not be given to the owner of $parent"
    made=${made%/*}
    made=${made:-/}
  done
}

# own_as FILE OTHER: the other gets the owner and group of the file
own_as() {
  # shellcheck disable=SC2046 # the fields of ls are meant to be split
  set -- "$2" $(ls -nd -- "$1")
  chown "$4:$5" "$1" 2>/dev/null
  # shellcheck disable=SC2046
  set -- "$4:$5" $(ls -nd -- "$1")
  [ "$1" = "$4:$5" ]
}

# --- swapping -------------------------------------------------------------------------------------------------------

# swap_restore_sqlite NAMED-ARGUMENTS: makes live what was loaded
# takes: asserts busy_ms id level min_free_kib name proven run_as source verify wanted way
swap_restore_sqlite() {
  arguments "$@"
  make_work
  source=$(absolute "$source")
  put source "$source"
  if [ "$my_uid" = 0 ] && [ -n "$run_as" ] && [ "$way" = replace ]; then
    name_files "$source" "$id"
    unused || fail E_TARGET_BUSY "somebody has it open"
  fi
  restore_there swap_there source "$source" id "$id" way "$way" busy_ms "$busy_ms" proven "$proven"
  if [ "$my_uid" = 0 ] && [ -n "$run_as" ]; then
    name_files "$source" "$id"
    tell_users
  fi
  rm -rf "$work"
}

swap_there() {
  arguments "$@"
  choose_sqlite
  find_target "$source" "$id"
  enter_place 64
  corrupt=E_RESTORE torn=E_RESTORE unproven=E_RESTORE mode=''
  emit phase restore "$(size_of "$new")"
  if [ -e "$note" ] || ! headed "$new"; then fail E_RESTORE "what was loaded beside the database no longer exists"; fi
  ln -s "$new" copy.db || failed E_PERM "no symbolic link in the work folder"
  # SQLite would restore an empty file as well, with success
  copy_facts
  count_pages
  if [ "$way" = in-place ]; then restore_in_place; else replace_live; fi
  put state restored
  undo=''
  tell_users
  if [ -n "$unread" ]; then
    put uncounted "$unread"
    return
  fi
  only_look
  live_facts || not_read $?
  put encoding "$(sed -n '5s/^encoding //p' live.facts)"
  rows=restored
  tell_rows after_swap
}

# after_swap SQL: a table may be gone again, or locked; the runner decides
after_swap() {
  sqlite_on_live "$1" && return
  not_read $?
}

# not_read STATUS: the restored database; locked is no damage
not_read() {
  case $1:$(cat error) in
    [56]:* | *locked* | *busy* | *'no such table'*) put uncounted "$(cat error)" ;;
    *)
      if [ "$proven" = checksum ] || beyond_tool "$(cat error)" || newer_schema "$live" "$(cat error)"; then
        put uncounted "$(cat error)"
        return
      fi
      sqlite_failed "$1" "$(cat error)"
      ;;
  esac
}

# restore_in_place: SQLite writes copy.db over the live database in one transaction; on whatever way that ends before its
# commit, the next who opens it finds the old one
restore_in_place() {
  if [ "$state" = missing ] || ! headed "$live"; then
    leave_unchanged E_RESTORE "the live database is not what it was a moment ago: another file is in its place, or none"
  fi
  version=$(sqlite_on_live 'PRAGMA schema_version') || leave_unchanged '' "$? $(cat error)"
  write_note "in-place $version"
  undo=tell_end
  write_live
  status=$?
  [ $status = 0 ] || {
    cp error said
    bring_to_an_end
    [ "$end" = restored ] || leave_unchanged '' "$status $(cat said)"
  }
  write_note restored
  rm -f -- "$new"
}

write_live() {
  case $sqlite_tool in
    sqlite3) sqlite_cli '' "$live" ".timeout $busy_ms" ".restore 'file:copy.db?immutable=1'" ;;
    *) run python3 -I -c "$sqlite_python" restore "$live" "$busy_ms" ;;
  esac >restore.said 2>error
}

# leave_unchanged CODE TEXT: the live database is the old one; without a code TEXT is a status and the words of SQLite
leave_unchanged() {
  undo=''
  rm -f -- "$note" "$new"
  put state unchanged
  case $1:$2 in
    :[56]\ * | :*locked* | :*busy*) ;;
    :* | E_PERM:*) fail_beside "$1" "$2" ;;
    *) fail "$1" "$2" ;;
  esac
  sqlite_failed "${2%% *}" "${2#* }"
}

# replace_live: the new file gets the name of the old one, which is never without one, and nothing that belongs to the old one
# stays beside the new one
replace_live() {
  old=damaged
  if [ "$state" = missing ]; then
    old=missing
  elif headed "$live" && sound; then
    old=sound
  fi
  mode='' asked=$live
  unused || leave_unchanged E_TARGET_BUSY "somebody has it open"
  if [ $old = sound ] || { [ $old = damaged ] && headed "$live" && [ ! -s "$live-wal" ]; }; then
    # Who is connected, seen or not, has a lock in WAL mode. And the -wal of a sound one is then in the database itself.
    sqlite_on_live 'PRAGMA locking_mode = EXCLUSIVE' 'BEGIN EXCLUSIVE' ROLLBACK >/dev/null
    case $?:$(cat error) in
      [56]:* | *locked* | *busy*) leave_unchanged E_TARGET_BUSY "a process that can not be seen from here is connected: $(cat error)" ;;
    esac
  fi
  if [ $old = missing ]; then
    own_as "$folder" "$new" || [ "$my_uid" != 0 ] || leave_unchanged E_PERM "the new file could not be given to the owner of $folder"
  else
    carry_properties
  fi
  sync_file "$new"
  write_note "replace $old"
  undo=tell_end
  hold
  error=$( (exchange) 2>&1) || {
    bring_to_an_end
    [ "$end" != unchanged ] || leave_unchanged E_RESTORE "the files could not be renamed: $error"
    fail E_RESTORE "the files could not be renamed: $error"
  }
  release
  # somebody may have opened it after we had looked
  swapped=$live
  live=$before
  if [ "$old" != missing ] && [ -n "$(users)" ]; then
    tell_users
    live=$swapped detail=$old
    take_back
    leave_unchanged E_TARGET_BUSY "somebody has opened it in the same moment"
  fi
  live=$swapped
}

# exchange: the names. A missing one is given its name only when it is still missing.
exchange() {
  if [ "$old" != missing ]; then
    ln -- "$live" "$before" 2>/dev/null || mv -- "$live" "$before" || return
  fi
  for ending in -wal -shm -journal; do
    [ ! -e "$live$ending" ] || mv -- "$live$ending" "$before$ending" || return
  done
  sync_file "$folder"
  if [ "$old" != missing ]; then
    mv -f -- "$new" "$live" || return
  else
    ln -- "$new" "$live" 2>/dev/null || { [ ! -e "$live" ] && mv -- "$new" "$live"; } || return
    rm -f -- "$new"
  fi
  sync_file "$folder"
}

# carry_properties: owner, mode, and as far as there are tools for them ACL, extended attributes and the context of SELinux
carry_properties() {
  own_as "$live" "$new" || leave_unchanged E_PERM "the new file could not be given the owner and group of the old one"
  # shellcheck disable=SC2012 # the letters of the mode
  chmod "$(ls -nd -- "$live" | sed 's/^.\(...\)\(...\)\(...\).*/u=\1,g=\2,o=\3/; s/[-sStT]//g')" "$new" ||
    leave_unchanged E_PERM "the new file could not be given the mode of the old one"
  if cp --attributes-only --preserve=mode,ownership "$live" "$new" 2>/dev/null; then
    cp --attributes-only --preserve=mode,ownership,xattr "$live" "$new" 2>error ||
      put note "the extended attributes of the old file could not be carried over: $(cat error)"
  elif have getfattr && have setfattr; then
    # shellcheck disable=SC2016 # the name of the file in it is replaced by that of the new one
    getfattr -d -m - --absolute-names -e hex "$live" 2>/dev/null | sed 1d | while IFS='=' read -r attribute value; do
      [ -z "$attribute" ] || setfattr -n "$attribute" -v "$value" "$new" 2>/dev/null
    done
  fi
  if [ -e /sys/fs/selinux/enforce ] && have chcon; then
    chcon --reference="$live" "$new" 2>error || put note "the SELinux context could not be carried over: $(cat error)"
  fi
}

# write_note TEXT: on the disk when it returns
write_note() {
  error=$( { printf '%s\n' "$1" >"$note-new" && sync_file "$note-new" && mv -f -- "$note-new" "$note" && sync_file "$folder"; } 2>&1) && return
  rm -f -- "$note-new"
  fail_beside E_PERM "$my_name can not write beside the database: $error"
}
