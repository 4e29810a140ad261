# shellcheck shell=sh
# A backup, from the lock to a payload that was read back; publishing it is another request.

# back_up ENGINE: what engines do differently is in functions of theirs, by its name: source_ENGINE finds the database and chooses the
# packing, room_ENGINE says how many KiB it needs in the work folder besides the payload, store_ENGINE leaves the payload there, proven
back_up() {
  [ -n "$directory" ] || exit 99
  take_lock
  sweep
  list_backups
  check_space . 64 # on a full disk not even what the next steps find could be kept
  make_work
  "source_$1"
  check_space . "$(backup_kib "$1")"
  before_dump
  "store_$1"
}

# backup_kib ENGINE: how many KiB a backup needs in the backup directory
backup_kib() { echo $((min_free_kib + 1024 + $(payload_kib "$kind") + $("room_$1"))); }

# look_before ENGINE: what a backup would find, and how much room it would need; writes nothing in the backup directory
look_before() {
  small_folder
  work=$tmp
  list_backups
  if [ -n "$directory" ] && is_held; then put lock_holder "$(show_holder)"; fi
  "source_$1"
  put backup_kib "$(backup_kib "$1")"
}

# foresee_space DIRECTORY KIB: whether a backup would find that much room there; the directory may still have to be made
foresee_space() {
  if [ -d "$1" ]; then check_space "$1" "$2"; else check_space "$(above "$1")" "$2"; fi
}
