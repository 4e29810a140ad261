# shellcheck shell=sh
# SQLite: what a restore would replace: whether it is sound, what is in it, who has it open; and the dump beside it.
# shellcheck disable=SC3013 # test -ef: dash, bash and busybox have it

# look_restore_sqlite NAMED-ARGUMENTS: the live database and the dump, side by side; changes nothing and leaves nothing
# takes: asserts busy_ms bytes foreign kind level min_free_kib name packing payload plain_bytes proven run_as sha256 source stops
# takes: verify wanted
look_restore_sqlite() {
  arguments "$@"
  make_work_somewhere
  source=$(absolute "$source")
  put source "$source"
  restore_there look_there source "$source" busy_ms "$busy_ms" stops "$stops"
  if [ "$my_uid" = 0 ] && [ -n "$run_as" ]; then
    name_files "$source" ''
    tell_users
  fi
  check_payload
  choose_sqlite
  unpack_dump "$work/copy.db" 9>&-
  (own look_at_copy 9>&-) || exit $?
  rm -rf "$work"
}

# unpack_dump FILE: the database that the payload holds, or makes
unpack_dump() {
  if [ "$kind" = statements ]; then
    unpack_in_room "$work/script"
    load_script "$work/script" "$1"
  elif [ -n "$plain_bytes" ]; then
    unpack_to "$1" "$plain_bytes"
  else unpack_in_room "$1"; fi
}

# unpack_in_room FILE: where the size is not known, as far as there is room
unpack_in_room() {
  room=$(free_kib "$work")
  [ "${room:=$((bytes / 1024 + min_free_kib + 1024))}" -gt "$((min_free_kib + bytes / 1024))" ] || check_space "$work" "$((min_free_kib + bytes / 1024))"
  emit phase unpack 0
  : >"$1"
  run unpack_limited $(((room - min_free_kib) * 2)) <"$payload" >"$1" 2>"$work/e1" ||
    failed E_RESTORE "$payload cannot be decompressed in the free space (status $?): $(cat "$work/e1")"
}

# look_at_copy: what the dump holds
look_at_copy() {
  cd "$work" || fail E_PERM "$work cannot be entered"
  work=.
  prove_loaded
  if [ -z "$unread" ]; then
    grep -a '^object ' copy.facts >schema
    put_file dump_schema schema
    put dump_user_version "$(sed -n '3s/^user_version //p' copy.facts)"
  fi
  put dump_bytes "$(size_of copy.db)"
}

# prove_loaded: copy.db is a whole database; its rows are told as `restored`
prove_loaded() {
  rows=restored corrupt=E_CHECKSUM torn=E_CHECKSUM unproven=E_RESTORE
  [ -z "$foreign" ] || corrupt=E_RESTORE torn=E_RESTORE
  [ "$(dd if=copy.db bs=15 count=1 2>/dev/null)" = 'SQLite format 3' ] || fail "$torn" "the dump does not hold a SQLite database: it does not start with its header"
  emit phase check "$(size_of "$(real copy.db)")"
  copy_facts
  prove_sqlite
}

# name_files SOURCE ID: where the database is, behind symbolic links, and what a restore keeps beside it
name_files() {
  live=$(real "$1")
  folder=${live%/*}
  folder=${folder:-/}
  parent=$folder # that of a missing folder is another one
  asked=$live new=$live.restore-$2 note=$live.restore-$2-note before=$live.before-$2
}

# find_target SOURCE ID: as name_files, and whether this user may put a database there; sets state, missing or there
find_target() {
  name_files "$1" "$2"
  put resolved "$live"
  if [ -L "$live" ]; then fail E_SOURCE_INVALID "$1 is a symbolic link that leads nowhere"; fi
  if [ ! -e "$live" ]; then
    case $(ls -Ld -- "$live" 2>&1) in
      *'ermission denied'*) fail E_PERM "$my_name may not look into the folder of $1" ;;
      *'ot a directory'*) fail E_SOURCE_INVALID "a folder on the way to $1 is a file" ;;
    esac
    state=missing parent=$folder
    while [ ! -e "$parent" ]; do
      parent=${parent%/*}
      parent=${parent:-/}
    done
  else
    no_directory "$live" "$1"
    [ -f "$live" ] || fail E_SOURCE_INVALID "$1 is not a regular file"
    # shellcheck disable=SC2046 # the fields of ls are meant to be split
    set -- "$1" $(ls -nd -- "$live")
    owner=$4
    # shellcheck disable=SC2012 # a user's name; busybox has no stat -c everywhere
    put owner "$(ls -ld -- "$live" | sed 's/  */ /g' | cut -d ' ' -f 3)"
    if [ "$my_uid" != 0 ] && [ "$my_uid" != "$owner" ]; then fail E_SOURCE_OWNER "$1"; fi
    state=there parent=$folder
  fi
  if [ ! -w "$parent" ] || [ ! -x "$parent" ]; then fail E_PERM "$my_name may not write to $parent, where the restored database goes"; fi
}

# tell_group FILE: its group, when no new file beside it can get that from us; a folder may give its own to all files in it
tell_group() {
  # shellcheck disable=SC2046 # the fields of ls are meant to be split
  set -- "$1" $(ls -nd -- "$1")
  case $my_uid:" $(id -G) " in 0:* | *" $5 "*) return 0 ;; esac
  # shellcheck disable=SC2046
  set -- "$1" "$5" $(ls -nd -- "$folder")
  case $3:$6 in ??????[sS]*:"$2") return 0 ;; esac
  # shellcheck disable=SC2012 # a group's name; busybox has no stat -c everywhere
  put foreign_group "$(ls -ld -- "$1" | sed 's/  */ /g' | cut -d ' ' -f 4)"
}

# look_there NAMED-ARGUMENTS: what the target is, and what is in it
look_there() {
  arguments "$@"
  choose_sqlite
  tell_sqlite
  find_target "$source" ''
  # here alone: what a restore that died has left may be a second name
  if [ "$state" != missing ]; then
    check_names "$live"
    tell_group "$live"
  fi
  enter_place 64
  put target_free_kib "$(free_kib "$parent")"
  put live_bytes "$(($(size_of "$live") + $(size_of "$live-wal")))"
  tell_users
  if [ "$state" = missing ]; then
    put parent "$parent"
    put live_state missing
  elif ! headed "$live"; then
    put headless 1
    put damage "$(if [ -s "$live" ]; then echo 'it does not start with the SQLite header'; else echo 'it is empty (0 bytes)'; fi)"
    put live_state damaged
  elif sound; then
    put live_page_size "$(page_size_of "$live")"
    put live_wal "$(if is_wal "$live"; then echo 1; fi)"
    if [ -n "$locked" ]; then put live_locked "$locked"; elif [ -z "$live_unread" ]; then tell_live_schema; fi
    put live_state sound
  else
    put damage "$damage"
    put live_state damaged
  fi
}

headed() { [ "$(dd if="$1" bs=15 count=1 2>/dev/null)" = 'SQLite format 3' ]; }

# page_size_of FILE, is_wal FILE: from the header, also while it is locked
page_size_of() {
  # shellcheck disable=SC2046 # two numbers
  set -- $(od -An -tu1 -j16 -N2 "$1")
  size=$((${1:-0} * 256 + ${2:-0}))
  [ $size != 1 ] || size=65536
  echo $size
}

is_wal() { case $(od -An -tu1 -j18 -N1 "$1") in *2*) ;; *) return 1 ;; esac }

# sound: every page of the live file can be read; sets damage, and how it can be asked. It must leave nothing behind: in WAL mode,
# a file without -wal is nobody's, and is read as it is; to others a connection is made that may not write.
sound() {
  asked=$live damage='' locked='' live_unread=''
  only_look
  if [ -s "$live-journal" ] && { [ $mode = immutable ] || ! sqlite_on_live 'SELECT 1 FROM sqlite_master' >live.check; }; then
    # a crashed writer's hot journal: only one who may write can roll it back
    check_space . "$((($(size_of "$live") + $(size_of "$live-journal")) / 1024 + 64))"
    if ! run cp "$live" hot.db || ! run cp "$live-journal" hot.db-journal; then fail E_PERM "the database could not be copied"; fi
    asked=$(pwd)/hot.db mode=''
  fi
  sqlite_on_live 'PRAGMA quick_check(5)' >live.check
  status=$?
  if [ $status != 0 ] && [ $mode = immutable ] && [ -e "$live-wal" ]; then
    sqlite_on_live 'PRAGMA quick_check(5)' >live.check # somebody has connected meanwhile
    status=$?
  fi
  case $status:$(cat error) in
    0:*)
      [ "$(cat live.check)" != ok ] || return 0
      damage=$(cat live.check)
      ;;
    10:* | 11:* | 26:* | *malformed* | *'not a database'* | *'disk I/O error'*)
      damage=$(cat live.check error)
      newer_schema "$live" "$damage" || return 1
      damage=''
      tell_unread "$(say_unread)"
      return 0
      ;;
    *)
      if beyond_tool "$(cat error)"; then
        put live_unjudged 1
        put note "the live database could not be checked: $(cat error)"
        return 0
      fi
      unproven=E_RESTORE
      # who has it locked may be the one who will be stopped
      case ${stops:-}$status:$(cat error) in
        1[56]:* | 1*locked*)
          locked=$(cat error)
          written_by "$live"
          # then it may turn out that it can not be read
          if newer_than_tool; then tell_unread "it is locked, and SQLite $(version_of "$writer") has written it, which is newer than $sqlite_tool $sqlite_version here"; fi
          return 0
          ;;
      esac
      sqlite_failed $status "$(cat live.check error)"
      ;;
  esac
  return 1
}

# tell_unread WHY: of the live database, which is no damage
tell_unread() {
  live_unread=$1
  put live_unjudged 1
  put live_unread "$1"
  put note "the live database could not be read: $1"
}

# only_look: the connections that follow can not write; nor do they ask for as much of the schema as those that can
only_look() {
  mode=-readonly
  if is_wal "$live" && [ ! -e "$live-wal" ]; then mode=immutable; fi
}

# sqlite_on_live SQL...: with mode -readonly, immutable, or for writing; never makes a database
sqlite_on_live() {
  if [ ! -s "${asked:=$live}" ]; then
    echo "$live is not there any more" >error
    return 1
  fi
  if [ "$mode" = immutable ] && [ -e "$live-wal" ]; then mode=-readonly; fi
  if [ "$sqlite_tool" != sqlite3 ]; then
    run python3 -I -c "$sqlite_python" ask "$asked" "$busy_ms" "$mode" "$@"
  elif [ "$mode" = immutable ]; then
    ln -sf "$live" live.db
    sqlite_cli -readonly 'file:live.db?immutable=1' "$@"
  else
    sqlite_cli "$mode" "$asked" ".timeout $busy_ms" "$@"
  fi 2>error
}

# live_facts: as copy_facts
live_facts() {
  with_facts sqlite_on_live >live.values || return
  name_facts <live.values >live.facts
}

# tell_live_schema: settings, schema and rows, as far as they can be told while others write
tell_live_schema() {
  corrupt=E_RESTORE unproven=E_RESTORE
  live_facts || sqlite_failed $? "$(cat error)"
  put live_encoding "$(sed -n '5s/^encoding //p' live.facts)"
  put live_user_version "$(sed -n '3s/^user_version //p' live.facts)"
  grep -a '^object ' live.facts >schema
  put_file live_schema schema
  tell_rows tolerant
}

# tolerant SQL: tables may come and go meanwhile
tolerant() {
  sqlite_on_live "$1" && return
  put uncounted "$(cat error)"
  : >error
}

# tell_users: who has the database open; only root sees that of every process
tell_users() {
  [ "$my_uid" != 0 ] || put all_users 1
  users | while read -r pid command; do put in_use "pid $pid $command"; done
}

# users: number and name of each process that has one of the files open, or, where there is none, one that was deleted
users() {
  last=''
  for fd in /proc/[0-9]*/fd/*; do
    for file in "$live" "$live-wal" "$live-shm" "$live-journal"; do
      [ "$fd" -ef "$file" ] || continue
      user_of "${fd#/proc/}" ''
      break
    done
  done
  [ ! -e "$live" ] || return 0
  # shellcheck disable=SC2010 # the names of links in /proc
  ls -l /proc/[0-9]*/fd 2>/dev/null | grep -F -e '/fd:' -e ' (deleted)' | while read -r line; do
    case $line in
      /proc/*/fd:) holder=${line#/proc/} ;;
      *" -> $live (deleted)") user_of "$holder" ' (has the deleted file open)' ;;
    esac
  done
}

# user_of PID/... TEXT: each process once
user_of() {
  pid=${1%%/*}
  [ "$pid" != "$last" ] || return 0
  last=$pid
  echo "$pid $({ tr -d '\n' <"/proc/$pid/comm"; } 2>/dev/null)$2"
}

# unused: waits until nobody has the database open; what was just stopped may need its time
unused() {
  waited=0
  while used=$(users) && [ -n "$used" ]; do
    if [ $((waited * 1000)) -ge "$busy_ms" ]; then
      tell_users
      return 1
    fi
    emit waits
    sleep 1
    waited=$((waited + 1))
  done
}
