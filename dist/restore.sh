# shellcheck shell=sh
# What the restores of both engines share: the journal that the next run finds when this one dies, and the commands of the user.
# shellcheck disable=SC2154 # name: set by the request; login_umask, login_locale, login_zone: session.sh

# begin_restore NAME: from here on the lock is kept until the session ends, and the journal is ours
# shellcheck disable=SC2034 # read in lock.sh
begin_restore() { name=$1 restoring=1; }

# put_journal TEXT: what is about to be done; empty: nothing any more
put_journal() {
  if [ -n "$1" ]; then put_text ".work/restore-$name" "$1" || failed E_PERM "the journal of the restore could not be written"; fi
  [ -n "$1" ] || rm -f ".work/restore-$name"
}

# check_journal: a restore that died is finished or undone before anything else is done with that database
check_journal() {
  if [ -n "$restoring" ] || [ ! -f ".work/restore-$name" ]; then return 0; fi
  put_file journal ".work/restore-$name"
  fail E_UNFINISHED "$directory/.work/restore-$name"
}

# expect_start TEXT: the start-command; from here on it is run on whatever path this session ends
expect_start() { put_text ".work/start-$name" "$1" || failed E_PERM "the start-command could not be noted"; }

# run_command TEXT: lines of shell of the user, as the login user would type them; its output as facts, line by line
run_command() {
  # a folder of its own: the output of a daemon that was started goes on to it when the command has ended
  small_folder
  printf '%s\n' "$1" >"$tmp/command"
  : >"$tmp/said"
  hold
  as_login sh -e "$tmp/command" >"$tmp/said" 2>&1 3>&- 9>&- &
  child=$! && started $child
  undo=kill_command
  release
  told=0
  while alive $child; do
    sleep 0.2 2>/dev/null || sleep 1
    tell_command
  done
  wait $child
  status=$?
  stages='' undo=''
  tell_command
  put command_status "$status"
}

kill_command() {
  kill -TERM "-$child" 2>/dev/null || return 0
  sleep 0.3 2>/dev/null || sleep 1
  kill -KILL "-$child" 2>/dev/null
}

# tell_command: what was said since the last time, of which the log takes the first 64 KiB
tell_command() {
  [ "$told" -lt 65536 ] || return 0
  size=$(size_of "$tmp/said")
  [ "$size" -gt "$told" ] || return 0
  tail -c +$((told + 1)) "$tmp/said" | dd bs=65536 count=1 iflag=fullblock 2>/dev/null | sed "s/^/$mark set said /" >&"$events"
  echo >&"$events"
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
  if have setsid; then exec setsid "$@"; fi
  exec "$@"
}

# start_application: what was stopped runs again; also when the command fails it is not tried for ever
start_application() {
  [ -f ".work/start-$name" ] || return 0
  text=$(cat ".work/start-$name")
  run_command "$text"
  [ "$status" != 0 ] || rm -f ".work/start-$name"
}

# start_without_us: the session ends and the application is stopped: nobody waits for the command any more
start_without_us() {
  if [ -z "$restoring" ] || [ ! -f ".work/start-$name" ]; then return 0; fi
  start_file=$directory/.work/start-$name
  (
    trap '' HUP INT TERM PIPE
    (as_login sh -e "$start_file") && rm -f "$start_file"
  ) </dev/null >/dev/null 2>&1 3>&- 9>&- &
}

# end_restore: the lock is given back as by any other command
# shellcheck disable=SC2034 # read in lock.sh
end_restore() { restoring=''; }
