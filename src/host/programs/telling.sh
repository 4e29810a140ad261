# shellcheck shell=sh
# What a run tells on the host: the status for monitors, and its line in the history. What can not be written is worth a note, not a failure.
told_status='' told_history=''

# will_tell STATUS HISTORY: what tell_run writes; of empty texts nothing
will_tell() { told_status=$1 told_history=$2; }

tell_run() {
  [ -n "$directory" ] && [ -d .work ] || return 0
  put_text status.json "$told_status" || put note "$directory/status.json could not be written"
  [ -z "$told_history" ] || append_history "$told_history"
}

# append_history LINE: to history.jsonl. From 5 MB on that becomes history.1.jsonl, when we have the lock, or nobody: a second run must not
# do it once more.
append_history() {
  for file in history.jsonl history.1.jsonl; do
    if [ -L "$file" ] || { [ -e "$file" ] && [ ! -f "$file" ]; }; then
      put note "$directory/$file is no regular file: the history was not written"
      return
    fi
  done
  if [ "$(size_of history.jsonl)" -ge 5000000 ] && [ -n "$shelf" ] && try_lock; then
    mv -f history.jsonl history.1.jsonl 2>/dev/null
  fi
  # after a line that was cut off a new one begins
  if [ -s history.jsonl ] && [ -n "$(tail -c 1 history.jsonl | tr '\n\000' ' x' | tr -d ' ')" ]; then set -- "$newline$1"; fi
  # in one write, whichever shell this is, since others may append as well
  { raw "$1$newline" >".work/new.$$" && cat ".work/new.$$" >>history.jsonl; } 2>/dev/null ||
    put note "$directory/history.jsonl could not be written"
  rm -f ".work/new.$$"
}

# put_history: the last lines of it; the runner reads what it knows
put_history() {
  [ -n "$directory" ] || return 0
  for file in history.1.jsonl history.jsonl; do
    if [ -f "$file" ] && [ ! -L "$file" ]; then put history "$(tail -c 65536 "$file" 2>/dev/null | tr -d '\000')"; fi
  done
}
