# shellcheck shell=sh
# Commands of the user; and the one that is due: on whatever path a session ends, it is run, once, and to its end.
command_limit=600 # seconds that one may take
told_of=''        # which command it is that facts are told of: before the names of these
due=''            # the file with the command that is due, in the backup directory; empty: none is
begun=''          # the folder in which it runs

# run_command TEXT: lines of shell of the user, as the login user would type them; its output as facts, line by line
run_command() {
  # a folder of its own: the output of a daemon that was started goes on to it when the command has ended
  small_folder
  printf '%s\n' "$1" >"$tmp/command"
  : >"$tmp/said"
  noted=$tmp/group
  [ -z "$due" ] || noted=$directory/$due.group
  hold
  (trap stop_command HUP INT TERM PIPE && limited "$tmp/command" "$tmp" "$noted") 3>&- 9>&- &
  child=$! && started $child
  release
  follow_command $child "$tmp"
  [ -n "$status" ] || end_noted "$noted"
  rm -f "$noted"
  stages=''
}

# limited FILE FOLDER NOTE: runs the lines of the file for as long as they may take, and leaves in the folder what they said and how they ended.
# The status is the text of a link, for which a full disk has room.
limited() {
  speaking "$1" "$2" "$3" &
  command=$! late='' deadline=$(($(date +%s) + command_limit))
  while alive $command; do
    if [ "$(date +%s)" -ge $deadline ]; then
      late=late
      kill_command
      break
    fi
    sleep 0.2 2>/dev/null || sleep 1
  done
  wait $command
  ln -s "$? $late" "$2/status"
  # all that it has said is kept, unless something in the background may go on speaking
  for _ in 1 2 3 4 5; do
    [ ! -e "$2/heard" ] || break
    sleep 0.2 2>/dev/null || sleep 1
  done
}

# speaking FILE FOLDER NOTE: becomes the command. Before that it is noted, for those that may have to end it.
speaking() {
  trap '' HUP INT TERM PIPE
  read -r pid _ </proc/self/stat
  ln -sf "$(process_of "$pid")" "$3"
  if mkfifo "$2/pipe" 2>/dev/null; then
    listen "$2" &
    exec >"$2/pipe" 2>&1
  else
    exec >/dev/null 2>&1
  fi
  trap - HUP INT TERM PIPE
  as_login sh -e "$1"
}

# listen FOLDER: keeps the first 64 KiB of the pipe in `said`, and the last in `last` and `next`, each of at most 320 KiB. All of it is read,
# whatever becomes of the disk: whoever speaks is not held up, and meets no broken pipe.
listen() {
  # by exec: of what is redirected for one command shells keep a copy, which would hold the channel to the runner open
  exec <"$1/pipe" >/dev/null 2>&1
  cd /
  part=said had=0
  while dd bs=16384 count=16 >>"$1/$part" && size=$(size_of "$1/$part") && [ "$size" -gt $had ]; do
    had=$size
    [ "$had" -ge 65536 ] || continue
    [ $part = said ] || mv -f "$1/next" "$1/last"
    part=next had=0
  done
  cat
  : >"$1/heard"
}

stop_command() {
  trap '' HUP INT TERM PIPE
  kill_command
}

# kill_command: with what it has started, as far as that is in its group
kill_command() {
  kill -TERM "-$command" 2>/dev/null || kill -TERM "$command" 2>/dev/null || return 0
  sleep 1
  kill -KILL "-$command" 2>/dev/null || kill -KILL "$command" 2>/dev/null
}

# end_noted NOTE: the command that is noted there, when it still runs
end_noted() {
  whose=$(readlink "$1") || return 0
  command=${whose%% *}
  if [ "$whose" = "$(process_of "$command")" ] && alive "$command"; then kill_command; fi
  rm -f "$1"
}

# follow_command PID FOLDER: what it says and how it ends, for the runner
follow_command() {
  hear_command "$1" "$2"
  tell_status "$2"
}

# hear_command PID FOLDER: what it says, until that process is gone; empty: it is
hear_command() {
  told=0 looks=0
  while [ -n "$1" ] && alive "$1"; do
    sleep 0.2 2>/dev/null || sleep 1
    tell_command "$2/said"
    looks=$((looks + 1))
    [ $((looks % 5)) != 0 ] || emit waits # it has a limit of its own
  done
  tell_command "$2/said"
}

# tell_status FOLDER
tell_status() {
  # shellcheck disable=SC2046 # two words
  set -- "$1" $(readlink "$1/status")
  status=${2:-} late=${3:-}
  [ "$status" = 0 ] || put "${told_of}said_last" "$(last_line "$1")"
  put "${told_of}command_status" "${status:-none}"
  [ -z "$late" ] || put "${told_of}command_late" "$command_limit"
}

# last_line FOLDER: that of what was said
last_line() { cat "$1/said" "$1/last" "$1/next" 2>/dev/null | tail -c 65536 | sed '/[^[:space:]]/!d' | tail -n 1; }

# tell_command FILE: what was said since the last time, of which the log takes the first 64 KiB
tell_command() {
  [ "$told" -lt 65536 ] || return 0
  size=$(size_of "$1")
  [ "${size:-0}" -gt "$told" ] || return 0
  tail -c +$((told + 1)) "$1" | dd bs=65536 count=1 iflag=fullblock 2>/dev/null | emit_each "set ${told_of}said "
  told=$size
}

# as_login COMMAND...: in the home and with the environment of the login, in a group of its own, so that what it starts ends with it
# when the run is cut off
as_login() {
  cd "${HOME:-/}" || cd /
  umask "$login_umask"
  unset LC_ALL TZ
  if [ -n "$login_locale" ]; then export LC_ALL="$login_locale"; fi
  if [ -n "$login_zone" ]; then export TZ="$login_zone"; fi
  # shellcheck disable=SC2086 # words without blanks
  [ -z "$login_options" ] || set -- env $login_options "$@"
  # what a shell starts in the background ignores INT and QUIT for its whole life, and so does all that it starts
  if env --default-signal true 2>/dev/null; then
    set -- env --default-signal "$@"
  elif have perl; then
    # shellcheck disable=SC2016 # of perl
    set -- perl -e '$SIG{$_} = "DEFAULT" for qw(HUP INT QUIT TERM PIPE); exec { $ARGV[0] } @ARGV' "$@"
  fi
  if have setsid; then exec setsid "$@"; fi
  exec "$@"
}

# promise TEXT: the command that is due from here on
promise() {
  rm -rf "$begun"
  put_text "$due" "$1" || failed E_PERM 'the pending command could not be recorded'
}

# launch_promised: begins it, when nobody has; a command that was to end before it does so now. It is not ended with this session, nor by the
# signals that end it, from its first moment on: so they are ignored here too, until the caller takes them up again, and it is begun
# outside of the work folder, in which whoever ends this run looks for processes
launch_promised() {
  [ -n "$due" ] && [ -f "$directory/$due" ] || return 1
  end_noted "$directory/$due.group"
  mkdir -p "$begun" && mv "$directory/$due" "$begun/command" 2>/dev/null || return 1
  stage_folder=$PWD
  trap '' HUP INT TERM PIPE
  cd "$directory" || return 1
  # from a stage as well, of whose pipes it must be free; what it catches, the command has at its default
  (trap : HUP INT TERM PIPE && limited "$begun/command" "$begun" "$begun/group") </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 9>&- &
  process_of $! >"$begun/process"
  cd "$stage_folder" || return 1
}

# keep_promise: it is run. Once: who comes later is told how that has ended, and does not try it again
keep_promise() {
  hold
  launch_promised
  release
  follow_promised
}

# follow_promised: what it says and how it ends, as far as it was begun
follow_promised() {
  [ -d "$begun" ] || return 0
  runner=''
  { IFS= read -r runner <"$begun/process"; } 2>/dev/null
  if [ -n "$runner" ] && [ "$runner" != "$(process_of "${runner%% *}")" ]; then runner=''; fi
  hear_command "${runner%% *}" "$begun"
  [ -L "$begun/status" ] || follow_orphan "$begun"
  tell_status "$begun"
}

# follow_orphan FOLDER: whoever held the command to its limit was killed. It may take as long again; how it ends nobody can know
follow_orphan() {
  whose=$(readlink "$1/group") || return 0
  command=${whose%% *} deadline=$(($(date +%s) + command_limit))
  while [ "$whose" = "$(process_of "$command")" ] && alive "$command"; do
    if [ "$(date +%s)" -ge $deadline ]; then
      kill_command
      ln -s '143 late' "$1/status"
      return
    fi
    sleep 1
    tell_command "$1/said"
    emit waits
  done
}
