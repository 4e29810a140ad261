# shellcheck shell=sh
# The backup directory: its safety, and the work folder in it. It is entered once, and every name after that
# is relative, so nobody can put another directory under a run.
directory=''
engine_tools='' # what an engine needs besides, whatever is done
shelf=''

# check_clock SECONDS TOLERANCE: the runner's time; names, ages and retention rest on it, so it comes before everything
check_clock() {
  clock=$(date +%s)
  put clock "$clock"
  apart=$((clock - $1))
  if [ "$apart" -gt "$2" ] || [ "$apart" -lt "-$2" ]; then fail E_CLOCK "$clock"; fi
}

# open_directory DIRECTORY UMASK create|change|look: `change` works in a directory that is there, `look` writes nothing
open_directory() {
  need_tools
  set -- "$(absolute "$1")" "$2" "$3"
  umask "$2"
  if [ ! -d "$1" ]; then
    if [ -e "$1" ] || [ -L "$1" ]; then fail E_PERM "$1 is not a directory"; fi
    if [ "$3" != create ]; then
      put directory "$1"
      put missing "$1"
      set -- "$1" "$(above "$1")"
      [ -d "$2" ] || fail E_PERM "$2 is not a directory"
      usable "$2" || put unwritable "$1"
      put free_kib "$(free_kib "$2")"
      return
    fi
    error=$(mkdir -p -- "$1" 2>&1) || refused "$1" "$error"
  fi
  cd -P -- "$1" 2>/dev/null || {
    put not_ours "$1"
    fail E_PERM "$my_name cannot enter $1"
  }
  directory=$(pwd -P)
  put directory "$directory"
  check_safe . "$directory"
  if [ "$3" = look ]; then
    usable . || put unwritable "$directory"
    return 0
  fi
  [ -L .work ] || [ -d .work ] || error=$(mkdir -p -m 700 .work 2>&1) || refused "$directory" "$error"
  check_work_folder
  # in a subshell first: a redirection that fails ends a POSIX shell
  error=$( (: >>.work/lock) 2>&1) || refused "$directory" "$error"
  exec 9>>.work/lock
  shelf=$directory/.work
}

# check_work_folder: where there is one, it is as safe as the directory itself
check_work_folder() {
  if [ -L .work ]; then
    put leads_away "$directory/.work"
    fail E_PERM_UNSAFE "$directory/.work is a symbolic link"
  fi
  [ ! -d .work ] || check_safe .work "$directory/.work"
}

# need_tools: what every run needs, before it does anything
needed_tools='awk dd df mkfifo mktemp sed sha256sum tee wc xargs'
need_tools() {
  for tool in $engine_tools $needed_tools; do
    have "$tool" || fail E_TOOL_MISSING "$tool"
  done
}

# above PATH: the nearest folder above it that is there
above() {
  set -- "${1%/*}"
  while [ -n "$1" ] && [ ! -e "$1" ]; do set -- "${1%/*}"; done
  echo "${1:-/}"
}

# usable FOLDER: something can be made in it
usable() { [ -w "$1" ] && [ -x "$1" ]; }

# refused DIRECTORY WHAT-THE-SYSTEM-SAID
refused() {
  case $2 in
    *'No space left'* | *'uota exceeded'*)
      put nospace "$1"
      fail E_NOSPACE "$2"
      ;;
    *)
      # what root can give; a file in the way, or a file system that is read-only, is another matter
      case $2 in *'ermission denied'*) put unusable "$1" ;; esac
      fail E_PERM "$my_name cannot write to $1: $2"
      ;;
  esac
}

# check_safe FOLDER SHOWN: ours, and nobody else may write it
check_safe() {
  # shellcheck disable=SC2046 # the fields of ls are meant to be split
  set -- "$2" $(ls -nd "$1")
  [ "$4" = "$my_uid" ] || {
    put not_ours "$1"
    fail E_PERM_UNSAFE "$1 belongs to uid $4, not to $my_name"
  }
  case $2 in ?????-??-*) return 0 ;; esac
  put open_to_others "$1"
  fail E_PERM_UNSAFE "$1 has the mode $2: other users can write to it"
}

# --- the work folder ------------------------------------------------------------------------------------------------

# sweep: what dead runs left; under the lock nobody else is at work here
sweep() {
  for left_over in .work/*-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z-????; do
    if [ -L "$left_over" ] || [ ! -d "$left_over" ] || [ "$left_over" = "$work" ] || [ "$directory/$left_over" = "$fetched" ]; then continue; fi
    discard "$left_over"
    put swept "${left_over#.work/}"
  done
  rm -rf .work/new.* .work/stale.* .work/tmp.??????
  (sweep_temporary) # it may go elsewhere
}

# make_work: this run's folder, once it has the lock
make_work() { error=$(mkdir -m 700 "$work" 2>&1) || refused "$directory" "$error"; }

# expect_work ID: the session's shell must know this run's folder, to remove it; the job makes it, once it has the lock. What a job
# before has left in its own goes.
expect_work() {
  # one that has failed has told so before its end
  [ -z "$job" ] || wait "$job" 2>/dev/null
  if [ -n "$work" ] && [ -d "$work" ]; then discard "$work"; fi
  work=.work/$1 notes=$directory/.work/$1
}

# absolute PATH: a relative one starts at the home of the login user
absolute() {
  case $1 in
    /*) printf '%s\n' "$1" ;;
    *) printf '%s\n' "$HOME/$1" ;;
  esac
}

# real PATH: behind symbolic links
real() { readlink -f "$1" 2>/dev/null || echo "$1"; }
