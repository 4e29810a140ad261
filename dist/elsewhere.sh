# shellcheck shell=sh
# A function of this program as another user, through sudo, or in the container of the database.
run_as='' container=''
inside=''  # in a container
teller=''  # the process of tell_way
reached='' # a function that gets to know the place that feed was told, before anything is written there

# elsewhere FUNCTION ARGS...: runs a function of this program where the database is, in a stage of its own. Stdout is the
# function's, its events go to fd 2. The shell there gets the program over stdin as well, and the end of that stdin stops
# it: it can not be killed from here.
elsewhere() {
  if [ -z "$run_as$container" ]; then
    "$@"
    return
  fi
  mkfifo "$work/elsewhere" || fail E_PERM "mkfifo failed in $directory/$work"
  exec 7<>"$work/elsewhere"
  # shellcheck disable=SC2024 # the files are ours, and so are the redirections
  shell_there <"$work/elsewhere" 2>&"$events" 7>&- 9>&- &
  shell=$!
  started "$shell"
  send_program "$@" >&7 &
  started $!
  wait "$shell"
  status=$?
  exec 7>&-
  rm -f "$work/elsewhere"
  return $status
}

# shell_there: becomes the shell that elsewhere talks to
shell_there() {
  if [ -z "$container" ]; then exec sudo -n -H -u "$run_as" -- sh -s; fi
  exec "$engine" exec -i ${run_as:+--user "$run_as"} "$container" sh -s
}

# reach_elsewhere: can we start it at all. It is the very command that elsewhere runs: sudoers may allow that one alone.
reach_elsewhere() {
  if [ -n "$container" ]; then
    engine=docker
    have docker || engine=podman
    have "$engine" || fail E_TOOL_MISSING docker
    put container_engine "$engine"
    find_service
    error=$( (shell_there) 2>&1 </dev/null) && return
    put container_refused "$my_name"
    fail E_PERM "$error"
  fi
  [ "$run_as" != "$my_name" ] || run_as=''
  [ -n "$run_as" ] || return 0
  have sudo || fail E_TOOL_MISSING sudo
  error=$( (shell_there) 2>&1 </dev/null) && return
  put sudo_refused "$my_name"
  fail E_PERM "$error"
}

# send_program FUNCTION ARGS...: what the shell there reads
send_program() {
  raw "{${newline}set +a${newline}unset mark mark_elsewhere program${newline}mark=$mark_elsewhere${newline}mark_elsewhere=$mark_elsewhere${newline}program=$(quote "$program")$newline"
  # shellcheck disable=SC2016 # it is that shell that expands it
  printf 'eval "$program"\ninside=%s\nalone' "${container:+1}"
  for word; do
    printf ' %s' "$(quote "$word")"
  done
  printf '\n}\n'
}

# quote TEXT: one word of POSIX sh
quote() { raw "$1$newline" | sed "s/'/'\\\\''/g; 1s/^/'/; \$s/\$/'/"; }

# alone FUNCTION ARGS...: in the shell there; its stdin only says that the run is still there
alone() {
  events=2
  exec 8<&0 </dev/null
  trap 'end_alone $?' EXIT
  trap stop_here HUP INT TERM PIPE
  (
    trap - EXIT HUP INT TERM PIPE
    exec >/dev/null 2>&1
    cat <&8
    kill -TERM $$ || sweep_temporary # it was killed: then its stages are on their own
  ) &
  watcher=$!
  exec 8<&-
  "$@"
  exit $?
}

# In a container process 1 may be the server: it inherits who outlives us, and one that died of a signal is to it a crash of
# its own, for which it restarts. So nobody is left unwaited for.
end_alone() {
  trap '' HUP INT TERM PIPE
  stop "$watcher"
  clean_up
  wait
  [ -z "$tmp" ] || clear_temporary "$tmp"
  exit "$1"
}

# passing_on CODE WHAT COMMAND...: runs it, passes on what it tells, and keeps that
passing_on() {
  otherwise=$1 doing=$2
  shift 2
  (own "$@") >"$work/look"
  status=$?
  cat "$work/look"
  case $status in
    0) ;;
    99) exit 99 ;;
    *) failed "$otherwise" "$doing ended with status $status" ;;
  esac
}

# passed_on NAME: a fact of what was last passed on
passed_on() {
  while IFS= read -r line; do
    case $line in "$mark set $1 "* | "$mark_elsewhere set $1 "*) raw "${line#* set "$1" }$newline" ;; esac
  done <"$work/look"
}

# need_number WHAT TEXT: of what others have said, before anybody calculates with it: bash carries out what is in a subscript there
need_number() { case $2 in '' | *[!0-9]*) fail E_INTERNAL "$1 is not a number" ;; esac }

# feed FILE FUNCTION ARGS...: runs the function elsewhere, which says on stdout in which folder it reads a fifo called
# archive, and writes the file there, unpacked. Fails as the function does.
feed() {
  fed=$1
  shift
  rm -f "$work/said" "$work/there" "$work/go"
  fifos said
  hold
  (events=3 && own elsewhere "$@") 3>&1 >"$work/said" &
  reader=$! && started $reader
  head -n 1 <"$work/said" >"$work/place" &
  asked=$! && started $asked
  release
  wait $asked
  read -r place <"$work/place"
  if [ -n "$place" ]; then
    [ -z "$reached" ] || "$reached" "$place"
    hold
    { carry <&4 2>"$work/carry.error" 3>&- 4<&- 9>&- & } 4<"$fed"
    carrier=$! && started $carrier
    note $carrier reader
    release
  fi
  wait $reader
  status=$?
  if [ $status != 0 ]; then
    # nobody reads any more what it writes
    [ -z "$place" ] || stop "$carrier"
    return $status
  fi
  wait "$carrier" || failed E_CHECKSUM "the backup could not be read completely: $(cat "$work/carry.error")"
}

# carry: what it reads, unpacked, into the archive there. The other shell has read its program when it says so: what
# follows on its stdin is data.
carry() {
  if [ -z "$run_as$container" ]; then
    unpack >"$place/archive"
    return
  fi
  fifos there go
  exec 6<>"$work/there"
  (shell_there) <"$work/there" >"$work/go" 6>&- &
  shell=$!
  printf '{ echo; cat >%s; }\n' "$(quote "$place/archive")" >&6
  head -n 1 <"$work/go" >/dev/null
  # noted, since it would outlive us: it holds both ends of that pipe
  { (unpack) <&4 4<&- >&6 & } 4<&0
  note $! pids
  wait $!
  carried=$?
  exec 6>&-
  wait $shell || return $?
  return $carried
}

# enter_place KIB: into a folder of our own: the work folder, or elsewhere, where that is not ours to write, a temporary
# one with that much room, from where the way that the work has come is told
enter_place() {
  if [ -n "$work" ]; then
    cd "$work" || fail E_PERM "cannot enter $work"
    work=. # what is started from here is noted as well
    return
  fi
  sweep_temporary
  check_temporary "$place" "$1"
  tmp=$(mktemp -d "$place/db-backup.XXXXXX") || fail E_PERM "no temporary directory for $my_name"
  process_of $$ >"$tmp/session"
  cd "$tmp" || fail E_PERM "cannot enter $tmp"
  work=. notes=$tmp
  tell_way
}

# tell_way: how far a job is of whose work folder the shell that gets the beats does not know. A sleep that outlives us must hold none of
# our channels, nor the lock.
tell_way() {
  while sleep 2 2>/dev/null; do emit elsewhere "$(copied)" "$(read_by reader)"; done >/dev/null 9>&- &
  teller=$!
  started $teller
}

# tell_reading: the same, where what `run` starts reads as much as a backup has; by stderr, where it gets into no text of the job's
tell_reading() {
  [ -z "$work" ] || return 0
  work=$tmp notes=$tmp events=2
  tell_way
  events=1
}

# check_temporary FOLDER KIB: like check_space; the runner is told that it is no place for backups
check_temporary() {
  put temporary "$(cd "$1" && pwd -P)"
  check_space "$1" "$2"
}

# sweep_temporary: what killed runs left; their session's process is gone. Then as choose_place.
sweep_temporary() {
  for place in "${TMPDIR:-}" /var/tmp /tmp "${XDG_RUNTIME_DIR:-}" /dev/shm; do # of the last two make_keyring
    case $place in /*) ;; *) continue ;; esac
    for left_over in "$place"/db-backup.??????; do
      if [ ! -O "$left_over" ] || [ -L "$left_over" ]; then continue; fi
      if { read -r whose <"$left_over/session"; } 2>/dev/null; then
        if [ "$whose" = "$(process_of "${whose%% *}")" ] && alive "${whose%% *}"; then continue; fi
      elif [ -z "$(find "$left_over" -prune -mtime +0 2>/dev/null)" ]; then
        continue # it is made in this very moment, and will say whose it is
      fi
      clear_temporary "$left_over"
    done
  done
  choose_place
}

# make_temporary: sets temporary, a folder in place that says whose it is
make_temporary() {
  temporary=$(mktemp -d "$place/db-backup.XXXXXX") || fail E_NOSPACE "no temporary directory in $place"
  process_of $$ >"$temporary/session"
}

# make_work_somewhere: in the backup directory, or where nothing is written there, among the temporary files
make_work_somewhere() {
  if [ -n "$work" ]; then make_work; else
    sweep_temporary
    make_temporary
    tmp=$temporary work=$temporary
  fi
}

# choose_place: where temporary folders are that may get large; not /tmp for want of room elsewhere, which may be memory
choose_place() {
  for place in "${TMPDIR:-}" /var/tmp /tmp; do
    case $place in /*) if [ -d "$place" ] && [ -w "$place" ]; then break; fi ;; esac
  done
}

# small_folder: sets tmp, a folder for pipes and for what tools say: in the work folder of the backup directory, which the next run
# sweeps; where nothing is written there, or there is no room, in one of those for temporary files
small_folder() {
  if [ -n "$shelf" ] && tmp=$(mktemp -d "$shelf/tmp.XXXXXX" 2>/dev/null) && has_some_room "$tmp"; then return; fi
  (sweep_temporary)
  for place in "${TMPDIR:-}" /var/tmp /tmp; do
    case $place in /*) ;; *) continue ;; esac
    tmp=$(mktemp -d "$place/db-backup.XXXXXX" 2>/dev/null) || continue
    # where there is no room for a word it is gone already, or goes
    if has_some_room "$tmp" && { process_of $$ >"$tmp/session"; } 2>/dev/null; then return; fi
    rm -rf "$tmp"
  done
  tmp=''
  fail E_NOSPACE "there is no temporary directory with 64 KiB of space, neither in TMPDIR (${TMPDIR:-not set}) nor in /var/tmp or /tmp"
}

# has_some_room FOLDER: a new one, which is gone otherwise
has_some_room() {
  dd if=/dev/zero of="$1/room" bs=65536 count=1 2>/dev/null
  size=$(size_of "$1/room")
  rm -f "$1/room"
  [ "$size" != 65536 ] || return 0
  rm -rf "$1"
  return 1
}

# clear_temporary FOLDER: with whoever still works in it; not in a container, where that is an orphan of process 1 (end_alone)
clear_temporary() {
  cd / || return 0
  # shellcheck disable=SC2046 # a list of numbers
  [ -n "$inside" ] || stop $(within "$1")
  forget_keyring "$1"
  [ ! -e "$1/pubring.kbx" ] || remove_keyring "$1"
  rm -rf "$1"
}

# copied: bytes of the copy so far
copied() {
  if [ -d "$work/dump" ]; then
    # shellcheck disable=SC2046 # the fields of du are meant to be split
    set -- $(du -sk "$work/dump" 2>/dev/null)
    echo $((${1:-0} * 1024))
  else size_of "$work/copy.db"; fi
}
