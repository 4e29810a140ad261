# shellcheck shell=sh
#
# The session: one POSIX shell that reads its requests from stdin and lives as long as the run.
#
# The runner sends the program first, inside one group, so that a cut stream executes nothing; then one group per
# request. Stdin is for requests alone: dash reads it in blocks. When it ends, the runner is gone, and the EXIT trap
# ends everything. The runner sets before this text: mark (a random word; lines that begin with it are ours, every
# other line is noise), mark_elsewhere (that of the shell that this one starts as another user or in a container, which
# is not told ours) and program (this text, for that shell).

# What the account's environment could change. Options come in by SHELLOPTS and BASHOPTS, which bash obeys and every shell hands on;
# functions from bash login shells.
unset -f command env sed unset shopt 2>/dev/null || :
login_environment=$(env)
case $login_environment in
  *SHELLOPTS=* | *BASHOPTS=*) login_options=$(env | sed -n -e '/^SHELLOPTS=[a-z:-]*$/p' -e '/^BASHOPTS=[a-z_0-9:]*$/p') ;;
  *) login_options='' ;;
esac
set +aefmuvxC
# those that this shell has; after `command` an option that it does not know is not the end of it
for option in +H +k +P +t '+o pipefail'; do
  # shellcheck disable=SC2086
  command set $option 2>/dev/null
done
# shellcheck disable=SC3044
[ -z "${BASH_VERSION:-}" ] || for option in nullglob failglob dotglob nocaseglob nocasematch extglob globstar xpg_echo lastpipe execfail; do
  shopt -u $option
done 2>/dev/null
# in bash they can not be unset
# shellcheck disable=SC3045
command unset SHELLOPTS BASHOPTS 2>/dev/null || export -n SHELLOPTS BASHOPTS
case $login_environment in
  *BASH_FUNC_*) for function in $(env | sed -n 's/^BASH_FUNC_\([^%]*\)%%=.*/\1/p'); do unset -f "$function" 2>/dev/null; done ;;
esac
unset login_environment
unalias -a 2>/dev/null
unset CDPATH ENV BASH_ENV POSIXLY_CORRECT GREP_OPTIONS GZIP PIGZ ZSTD_CLEVEL ZSTD_NBTHREADS TAR_OPTIONS LANGUAGE
unset VISUAL EDITOR # of the function edit() of the sqlite3 tool
unset QUOTING_STYLE TIME_STYLE BLOCK_SIZE BLOCKSIZE LS_BLOCK_SIZE DF_BLOCK_SIZE # of GNU ls and df
login_umask=$(umask) login_locale=${LC_ALL:-} login_zone=${TZ:-} restoring='' left_journals=''
LC_ALL=C TZ=UTC PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL TZ PATH
# who we are: `uid=1000(app) gid=...`, or without a name
account=$(id 2>/dev/null)
my_uid=${account#uid=}
my_uid=${my_uid%%[!0-9]*} my_name=$my_uid
case $account in "uid=$my_uid("*) my_name=${account#*\(} my_name=${my_name%%') gid='*} ;; esac
if [ -z "${HOME:-}" ]; then
  # systemd, cron and containers may leave it out
  case $my_name in *[!A-Za-z0-9._-]*) HOME=/ ;; *) eval "HOME=~$my_name" ;; esac
  case $HOME in /*) ;; *) HOME=/ ;; esac
  export HOME
fi
set -u
umask 077
newline='
'
events=1    # the descriptor that events go to; 2 where stdout carries data
work=''     # this run's work folder, relative to the backup directory
notes=''    # the same, absolute, for what is noted in it: jobs change their folder
fetched=''  # the folder of what was brought back from a store, absolute
job='' job_number='' guard='' stages='' tmp=''
# The event that tells how many rows a table has; `restored` in a copy that was made of a backup
rows=rows
undo_first='' # whether undo is done before a failure is told
undo=''     # a function that takes back what this subshell has begun, on whatever path it ends

# raw TEXT: as it is. mksh has no printf of its own, and a program takes no argument of more than 128 KiB.
# shellcheck disable=SC3044
case $(command -v printf) in
  /*) raw() { print -rn -- "$1"; } ;;
  *) raw() { printf '%s' "$1"; } ;;
esac

emit() { raw "$mark $*$newline" >&"$events"; }

# emit_each [PREFIX]: every line of stdin as an event. The mark stands in no argument of a process, where every user of the host could read it.
emit_each() {
  while IFS= read -r line || [ -n "$line" ]; do
    raw "$mark ${1:-}$line$newline"
  done >&"$events"
}

# put KEY TEXT: a fact for the runner; of any length, also of several lines
put() {
  # what others have written can be as long as they like; and it is a text, whatever its lines begin with
  [ ${#2} -le 2000000 ] || set -- "$1" "$(printf '%s' "$2" | dd bs=65536 count=1 2>/dev/null)..."
  case $2 in *"$mark"*) set -- "$1" 'a text with the mark of this session in it' ;; esac
  case $2 in
    *"$newline"*) raw "$mark begin $1$newline$2$newline$mark end$newline" >&"$events" ;;
    *) emit set "$1" "$2" ;;
  esac
}

# put_file KEY FILE: like put, with the first 12 MiB of a file
put_file() {
  emit begin "$1"
  { dd if="$2" bs=65536 count=192 2>/dev/null; } >&"$events"
  raw "$newline$mark end$newline" >&"$events"
}

# fail CODE TEXT: tells the runner, then leaves; status 99 means that it has been told. The runner goes on at once, so what takes long to
# take back is taken back before.
fail() {
  put failure "$2"
  [ -z "$undo_first" ] || clean_up
  emit fail "$1"
  exit 99
}

# counted NUMBER NOUN: 1 byte, 2 bytes
counted() { if [ "$1" = 1 ]; then echo "$1 $2"; else echo "$1 ${2}s"; fi; }

have() { command -v "$1" >/dev/null 2>&1; }

# arguments NAME VALUE...: the named arguments of a request; the names are constants of the runner's code
arguments() {
  while [ $# -gt 1 ]; do
    eval "$1=\$2"
    shift 2
  done
}

# --- requests -------------------------------------------------------------------------------------------------------

# request N FUNCTION ARGS...: short work in this shell itself, which may change its state
request() {
  number=$1
  shift
  "$@"
  emit "done" "$number" 0
}

# job N FUNCTION ARGS...: long work in the background, while this shell goes on reading stdin
job() {
  number=$1
  shift
  [ -z "$job" ] || wait "$job" 2>/dev/null
  trap - EXIT # a child of bash that gets a signal before it has set its own traps would run ours
  (
    trap 'end_job $?' EXIT
    trap stop_here HUP INT TERM PIPE
    "$@"
    exit $? # mksh takes the last command of a subshell for its end, and would not run the EXIT trap after a signal
  ) </dev/null &
  job=$! job_number=$number
  watch # anew: it must know the job
}

# stop_here: on a signal; whoever stops us sends it again and again
stop_here() {
  trap '' HUP INT TERM PIPE
  exit 143
}

end_job() {
  trap '' HUP INT TERM PIPE # first of all: a handler that writes to a closed channel would be called again for ever
  clean_up
  [ -z "$hooked" ] || launch_promised
  [ -z "$keyring" ] || remove_keyring "$keyring"
  [ -z "$tmp" ] || rm -rf "$tmp"
  emit "done" "$number" "$1" 2>/dev/null
  exit "$1"
}

# own FUNCTION ARGS...: runs it in the calling subshell, which answers for the stages that it starts itself
own() {
  stages='' undo=''
  trap 'end_own $?' EXIT
  trap stop_here HUP INT TERM PIPE
  "$@"
  return $? # as in job
}

end_own() {
  trap '' HUP INT TERM PIPE # a second signal must not end the clean-up half-way
  clean_up
  exit "$1"
}

# run COMMAND...: waits for it in such a way that a signal is acted upon at once. It gets neither the lock (9) nor the
# channel to the runner (3): when every shell of ours is killed, nothing that lives on may hold them. Its stdin (4) is that of
# run itself, which the shell would not give to a command in the background.
run() {
  hold
  { "$@" <&4 3>&- 4<&- 9>&- & } 4<&0
  child=$!
  started $child
  note $child reader
  release
  wait $child
}

# hold, release: a signal in between is acted upon at the release; for what must not be done by halves
hold() {
  held=''
  trap 'held=1' HUP INT TERM PIPE
}

release() {
  trap stop_here HUP INT TERM PIPE
  [ -z "$held" ] || exit 143
}

# started PID: remembers a stage of the job that runs in the background, here and for those who clean up after us
started() {
  stages="$stages $1"
  note "$1" pids
}

# note TEXT FILE: one more line of a file of the work folder, as far as there is one
note() { [ ! -d "$notes" ] || { echo "$1" >>"$notes/$2"; } 2>/dev/null; }

# read_by FILE: how many bytes the process that was noted last in that file has read
read_by() {
  reader=none rchar=''
  {
    while read -r pid; do reader=$pid; done <"$work/$1"
    read -r _ rchar <"/proc/$reader/io" # its first line
  } 2>/dev/null
  echo "${rchar:-0}"
}

# stop PIDS...: TERM, three seconds, KILL. TERM again and again: bash loses one that comes while a child is starting
stop() {
  [ $# -gt 0 ] || return 0
  left=40
  while
    kill -TERM "$@" 2>/dev/null
    alive "$@" && [ $left -gt 0 ]
  do
    # most end at once
    if [ $left -gt 30 ]; then sleep 0.005 2>/dev/null; elif ! sleep 0.1 2>/dev/null; then sleep 1 && left=$((left - 9)); fi
    left=$((left - 1))
  done
  kill -KILL "$@" 2>/dev/null
}

# alive PIDS...: is one of them; a dead child that nobody waited for still answers to kill -0
alive() {
  for pid; do
    kill -0 "$pid" 2>/dev/null || continue
    process=''
    { IFS= read -r process <"/proc/$pid/stat"; } 2>/dev/null
    case ${process##*') '} in Z* | X*) ;; *) return 0 ;; esac
  done
  return 1
}

clean_up() {
  stop_stages
  [ -z "$undo" ] || "$undo"
  undo=''
}

stop_stages() {
  # shellcheck disable=SC2086 # a list of numbers
  stop $stages
  stages=''
}

# --- the end of the session -----------------------------------------------------------------------------------------

# beat: the runner is there. Answers with how far the job is: size of the copy, bytes into the compressor, bytes read by
# the tool at work; on stderr, since on stdout it would get into the middle of a text that the job is sending. A job that
# was killed can not say so itself.
beat() {
  if [ -n "$guard" ] && alive "$guard"; then kill -USR1 "$guard" 2>/dev/null; else watch; fi
  if [ -n "$work" ]; then
    events=2
    emit progress "$(copied)" "$(read_by counter)" "$(read_by reader)"
    events=1
  fi
  if [ -n "$job" ] && ! alive "$job"; then
    job=''
    emit gone "$job_number" # after its `done`, if it has come to that
  fi
}

# watch: ends everything of this session when its shell is gone, or when the link is silently dead: no beat for 45 s.
# It does the clean-up itself, since a shell that waits for stdin does not run its traps.
watch() {
  stop ${guard:+"$guard"} # for sure: it gets no beats any more, and would end the session
  trap - EXIT
  (
    silent=0 nap='' over=''
    trap 'silent=0' USR1
    trap 'over=1; kill $nap' TERM
    exec 9>&- </dev/null >/dev/null 2>&1
    while [ -z "$over" ] && alive $$ && [ $silent -lt 22 ]; do
      sleep 2 &
      nap=$!
      [ -z "$over" ] || kill $nap # the signal came before its number was known
      wait $nap
      kill $nap
      silent=$((silent + 1))
    done
    [ -z "$over" ] || exit 0
    trap '' TERM
    end_work
    launch_promised
    alive $$ && kill -KILL $$
  ) &
  guard=$!
  trap leave EXIT
}

# end_work: the job and everything of this run is gone after it
end_work() {
  [ -z "$job" ] || stop "$job"
  [ -z "$work" ] || discard "$work"
  [ -z "$fetched" ] || discard "$fetched"
}

# discard FOLDER: ends what still runs for the run of this work folder, takes back the names that it was giving when it
# was killed, and removes the folder
discard() {
  [ -d "$1" ] || return 0
  recorded=''
  while read -r pid; do
    case $pid in '' | *[!0-9]*) continue ;; esac
    kill -0 "$pid" || continue
    # as far as it is still that process
    case $(readlink "/proc/$pid/cwd" 2>/dev/null) in "$(pwd -P)" | "$(pwd -P)/.work/"*) recorded="$recorded $pid" ;; esac
  done <"$1/pids" 2>/dev/null
  # shellcheck disable=SC2046,SC2086 # lists of numbers
  stop $recorded $(within "$1")
  forget_keyring "$1"
  if read -r given <"$1/publishing" && [ -n "$given" ] && [ ! -e "$given.json" ]; then rm -f -- "$given".*; fi 2>/dev/null
  rm -rf "$1"
}

# within FOLDER: who works in it, which may be nobody's child any more: a pg_dump that was killed leaves its workers to themselves.
# The caller works elsewhere.
within() {
  folder=$(cd "$1" 2>/dev/null && pwd -P) || return 0
  # shellcheck disable=SC2012 # one fork for all; a folder that ls would show otherwise is not found, no more
  ls -ld /proc/[0-9]*/cwd 2>/dev/null | while read -r line; do
    case $line in
      *"/cwd -> $folder")
        line=${line#*/proc/}
        echo "${line%%/*}"
        ;;
    esac
  done
}

leave() {
  trap '' HUP INT TERM PIPE
  end_work
  launch_promised
  restoring=''
  release_lock 2>/dev/null
  stop ${guard:+"$guard"}
  emit bye 2>/dev/null
}

# hello: the first line that is ours, on a line of its own whatever a login script printed before it
hello() {
  trap leave EXIT
  echo
  put user "$my_name"
  put uid "$my_uid"
  put hostname "$(uname -n)"
  # shellcheck source=/dev/null
  put system "$( (. /etc/os-release && echo "${ID:-} ${ID_LIKE:-}") 2>/dev/null)"
  emit hello 1
}
