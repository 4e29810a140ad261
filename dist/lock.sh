# shellcheck shell=sh
# The lock of the backup directory: taken before the first copy, given back after the rotation, and never outliving its
# holder, in whatever way that one ends.

# take_lock: dies with the session. holder says who we are, for the others
take_lock() {
  waited=0
  until try_lock; do
    if [ $waited -ge "$lock_wait" ]; then
      put holder "$(show_holder)"
      fail E_LOCKED "waited $waited s"
    fi
    if [ $waited = 0 ]; then put waiting "$(show_holder)"; fi
    emit waits # idle-timeout is not about this
    sleep 1
    waited=$((waited + 1))
  done
  [ -n "$restoring" ] || settle_hooks
  check_journal
  hold # a signal in between would leave holder.new
  { printf '%s\n' "$holder" >.work/holder.new && mv -f .work/holder.new .work/holder; } 2>/dev/null || rm -f .work/holder.new
  release
}

show_holder() { dd if=.work/holder bs=4096 count=1 2>/dev/null; }

try_lock() {
  if have flock; then
    # 9>&9: mksh hands on no descriptor that is not named
    flock -n 9 9>&9 2>/dev/null # descriptor 9 is inherited by every process of the session; the kernel frees it with the last
    return
  fi
  # Without flock: a symbolic link whose text is the holder's process. It is made whole or not at all, so nobody ever
  # finds one that does not say yet whose it is.
  ln -s "$(process_of $$)" .work/held 2>/dev/null && return
  by=$(readlink .work/held) || return 1
  [ "$by" != "$(process_of $$)" ] || return 0 # ours, kept for the whole of a restore
  if [ "$by" = "$(process_of "${by%% *}")" ] && alive "${by%% *}"; then return 1; fi
  # That process is gone. Of several that find so at once, one gets the link; one that got a newer link gives it back.
  mv .work/held ".work/stale.$$" 2>/dev/null || return 1
  if [ "$(readlink ".work/stale.$$")" != "$by" ]; then
    mv ".work/stale.$$" .work/held
    return 1
  fi
  rm -f ".work/stale.$$"
  sleep 4 # a shell that was killed alone leaves its job to its guard, which looks every 2 s
  ln -s "$(process_of $$)" .work/held 2>/dev/null
}

# process_of PID: number, start time and boot, since numbers come again
process_of() {
  process='' boot=''
  { IFS= read -r process <"/proc/$1/stat" && read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null
  # shellcheck disable=SC2086 # fields
  set -- "$1" ${process##*') '}
  echo "$1 ${21:-} $boot"
}

# release_lock: when it is ours; also at the end of a session that failed. A restore keeps it until then.
release_lock() {
  [ -z "$restoring" ] || return 0
  if have flock; then
    flock -u 9 9>&9
  elif [ "$(readlink .work/held 2>/dev/null)" = "$(process_of $$)" ]; then
    rm -f .work/held
  fi
}
