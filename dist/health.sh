# shellcheck shell=sh
# How the backup directory and the database are, without a backup. Nothing is written but in a temporary folder.

# look_health NAME SOURCE: the catalogue, what the directory takes, and what runs that were cut off have left there
look_health() {
  name=$1
  list_backups
  [ -z "$2" ] || put source "$(absolute "$2")"
  [ -n "$directory" ] || return 0
  # shellcheck disable=SC2046 # the fields of du are meant to be split
  set -- $(du -sk . 2>/dev/null)
  put directory_kib "${1:-}"
  check_work_folder
  # of a run that is at work it is its own
  if is_held; then return; fi
  for file in $(journals "$name"); do
    put left_journal "$file"
  done
  for left_hook in .work/hook.*; do
    if [ -e "$left_hook" ]; then put left_hook "${left_hook#.work/}"; fi
  done
  for left_over in .work/*-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z-????; do
    if [ -d "$left_over" ] && [ ! -L "$left_over" ]; then put left_folder "${left_over#.work/}"; fi
  done
}

# is_held: a run has the lock, or is about to take it
is_held() {
  if have flock; then
    [ -f .work/lock ] || return 1
    # for this moment; who wants it meanwhile looks again a second later
    ! flock -n -s 8 8<.work/lock 2>/dev/null
    return
  fi
  by=$(readlink .work/held) && alive "${by%% *}"
}

# examine_source ENGINE: finds the database as a backup would, and tells how much room that would need; sets source_bytes
examine_source() {
  small_folder
  work=$tmp
  "source_$1"
  put backup_kib "$(backup_kib "$1")"
  if [ -n "$run_as$container" ]; then return; fi # it tells by itself how far it is
  work=''
  tell_reading
}
