# shellcheck shell=sh
# What the restores of all engines share: the journal that the next run finds when this one dies, and the commands of the user.

# begin_restore ID NAME LIMIT: from here on the lock is kept until the session ends, the journal is that of the restore ID, and a command of
# the user may take LIMIT seconds
begin_restore() { restoring=$1 name=$2 command_limit=$3; }

# put_journal TEXT: what is about to be done; empty: nothing any more
put_journal() {
  if [ -n "$1" ]; then put_text ".work/restore-$restoring" "$1" || failed E_PERM "the journal of the restore could not be written"; fi
  [ -n "$1" ] || rm -rf ".work/restore-$restoring" ".work/xact-$restoring" ".work/start-$restoring" ".work/started-$restoring.d"
}

# journals NAME: of the restores that were cut off, those that this run has looked at apart
journals() {
  for file in ".work/restore-$1" ".work/restore-$1"-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z-[0-9a-f][0-9a-f][0-9a-f][0-9a-f]; do
    [ -f "$file" ] || continue
    case " $left_journals " in *" ${file#.work/} "*) ;; *) echo "${file#.work/}" ;; esac
  done
}

# check_journal: a restore that died is finished or undone before anything else is done with that database
check_journal() {
  [ -z "$restoring" ] || return 0
  for file in $(journals "$name"); do
    put journal_file "$file"
    put_file journal ".work/$file"
    fail E_UNFINISHED "$directory/.work/$file"
  done
}

# leave_journal FILE: it is not about the database of this run, which goes on
leave_journal() { left_journals="$left_journals $1"; }

# settle_journal FILE: nobody will bring that restore to an end any more; what was to be done stays readable
settle_journal() { mv -f ".work/$1" ".work/settled-$1" || fail E_PERM "the journal $directory/.work/$1 could not be renamed"; }

# expect_start TEXT: the start-command; from here on it is run on whatever path this session ends
expect_start() {
  rm -rf ".work/started-$restoring.d"
  put_text ".work/start-$restoring" "$1" || failed E_PERM "the start-command could not be noted"
}

# run_command TEXT: lines of shell of the user, as the login user would type them; its output as facts, line by line
run_command() {
  # a folder of its own: the output of a daemon that was started goes on to it when the command has ended
  small_folder
  printf '%s\n' "$1" >"$tmp/command"
  : >"$tmp/said"
  hold
  (trap stop_command HUP INT TERM PIPE && limited "$tmp/command" "$tmp") 3>&- 9>&- &
  child=$! && started $child
  release
  follow_command $child "$tmp"
  stages=''
}

# limited FILE FOLDER: runs the lines of the file for as long as they may take, and leaves in the folder what they said and how they ended
limited() {
  as_login sh -e "$1" >"$2/said" 2>&1 &
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
  echo "$? $late" >"$2/status-new" && mv -f "$2/status-new" "$2/status"
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

# follow_command PID FOLDER: what it says and how it ends, for the runner
follow_command() {
  told=0 looks=0
  while alive "$1"; do
    sleep 0.2 2>/dev/null || sleep 1
    tell_command "$2/said"
    looks=$((looks + 1))
    [ $((looks % 5)) != 0 ] || emit waits # it has a limit of its own
  done
  tell_command "$2/said"
  tell_status "$2/status"
}

# tell_status FILE
tell_status() {
  status='' late=''
  [ ! -f "$1" ] || read -r status late <"$1"
  put command_status "${status:-none}"
  [ -z "$late" ] || put command_late "$command_limit"
}

# tell_command FILE: what was said since the last time, of which the log takes the first 64 KiB
tell_command() {
  [ "$told" -lt 65536 ] || return 0
  size=$(size_of "$1")
  [ "${size:-0}" -gt "$told" ] || return 0
  tail -c +$((told + 1)) "$1" | dd bs=65536 count=1 iflag=fullblock 2>/dev/null | emit_each 'set said '
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

# start_application: what was stopped runs again. Once: who comes later is told how that has ended, and does not try it again
start_application() {
  begun=$directory/.work/started-$restoring.d
  hold
  if launch_start; then
    release
    follow_command "$starter" "$begun"
  else
    release
    if [ -d "$begun" ]; then told=0 && tell_command "$begun/said" && tell_status "$begun/status"; fi
  fi
}

# launch_start: begins it, when nobody has. It is not ended with this session, nor by the signals that end it
launch_start() {
  begun=$directory/.work/started-$restoring.d
  [ -f ".work/start-$restoring" ] && mkdir -p "$begun" && mv ".work/start-$restoring" "$begun/command" 2>/dev/null || return 1
  (trap : HUP INT TERM PIPE && limited "$begun/command" "$begun") </dev/null >/dev/null 2>&1 3>&- 9>&- &
  starter=$!
}

# start_without_us: the session ends and the application is stopped: nobody waits for the command any more
start_without_us() { [ -z "$restoring" ] || launch_start || :; }

# end_restore: the lock is given back as by any other command
end_restore() { restoring=''; }
