# shellcheck shell=sh
# SQLite: the text that `.dump` of sqlite3 or Python's iterdump wrote, loaded into a new file by sqlite-script.py.

# load_script SCRIPT FILE: the database that it makes, by the login user, in a folder that goes. A part of it is never of use to anybody.
load_script() {
  if ! have python3 || ! python3 -I -c 'import sqlite3' 2>/dev/null; then
    put script_fault tool
    fail E_TOOL_MISSING python3
  fi
  size=$(size_of "$1")
  check_space "$work" "$((size / 1024 + min_free_kib))"
  room=$(free_kib "$work")
  emit phase load "$size"
  run load_script_within $(((${room:-$((size / 256 + min_free_kib))} - min_free_kib) * 2)) "$1" "$2" >"$work/fault" 2>"$work/e1"
  status=$?
  told_killed $status 'what loads the dump'
  [ $status = 0 ] || script_refused $status
  rm -f "$1"
}

load_script_within() {
  ulimit -f "$1" 2>/dev/null
  # shellcheck disable=SC3045 # KiB: for what a crafted file would have held in memory, where the shell knows it
  ulimit -v 2097152 2>/dev/null
  SQLITE_TMPDIR=$work
  export SQLITE_TMPDIR
  exec python3 -I -c "$sqlite_script" "$2" "$3"
}

# script_refused STATUS: by a word, and what is to be said about it
script_refused() {
  [ "$1" = 3 ] || failed E_RESTORE "the program that loads the dump ended with status $1: $(cat "$work/e1")"
  { read -r fault && read -r said; } <"$work/fault"
  put script_fault "$fault"
  case $fault in
    room)
      put nospace "$(cd "$work" && pwd -P)"
      fail E_NOSPACE "$said"
      ;;
    newer) fail E_TOOL_VERSION "$said" ;;
    *) failed E_SOURCE_INVALID "$said" ;;
  esac
}
