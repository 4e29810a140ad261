# shellcheck shell=sh
# What a run tells on the host: the status for monitors, and its line in the history. What can not be written is worth a note, not a failure.
told_status='' told_history='' metrics_file='' metrics_run='' metrics_backups=''

# will_tell STATUS HISTORY METRICS_FILE RUN BACKUPS: what tell_run writes; of empty texts nothing
will_tell() { told_status=$1 told_history=$2 metrics_file=$3 metrics_run=$4 metrics_backups=$5; }

tell_run() {
  if [ -n "$directory" ] && [ -d .work ]; then
    put_text status.json "$told_status" || put note "$directory/status.json could not be written"
    [ -z "$told_history" ] || append_history "$told_history"
  fi
  [ -z "$metrics_file" ] || put_metrics "$(absolute "$metrics_file")"
}

# put_metrics FILE: a whole new one for all to read, in the place of one of ours. Where the backups are not known, what it tells of them stays.
put_metrics() {
  why='' first=''
  if [ -L "$1" ] || { [ -e "$1" ] && [ ! -f "$1" ]; }; then
    why='it is not a regular file'
  elif [ -s "$1" ]; then
    { IFS= read -r first <"$1"; } 2>/dev/null
    case $first in '# HELP db_backup_'*) ;; *) why='its content was not written by this action' ;; esac
  fi
  if [ -z "$why" ]; then
    hold
    if new=$(mktemp "$1.XXXXXX" 2>&1); then
      error=$({ metrics_text "$1" >"$new" && chmod 644 "$new" && mv -f "$new" "$1"; } 2>&1) || why=${error:-it could not be written}
      rm -f "$new"
    else why=$new; fi
    release
  fi
  [ -z "$why" ] || put note "the metrics were not written to $1: $why"
}

# metrics_text FILE: what goes into it
metrics_text() {
  raw "$metrics_run" || return
  if [ -n "$metrics_backups" ]; then raw "$metrics_backups"; elif [ -s "$1" ]; then
    sed -e '/db_backup_last_run_/d' -e '/db_backup_healthy/d' "$1"
  fi
}

# append_history LINE: to history.jsonl. From 5 MB on that becomes history.1.jsonl, when we have the lock, or nobody: a second run must not
# do it once more.
append_history() {
  for file in history.jsonl history.1.jsonl; do
    if [ -L "$file" ] || { [ -e "$file" ] && [ ! -f "$file" ]; }; then
      put note "$directory/$file is not a regular file, so the history was not written"
      return
    fi
  done
  if [ "$(size_of history.jsonl)" -ge 5000000 ] && [ -n "$shelf" ] && try_lock; then
    mv -f history.jsonl history.1.jsonl 2>/dev/null
  fi
  # after a line that was cut off a new one begins
  if [ -s history.jsonl ] && [ "$(tail -c 1 history.jsonl | tr '\000' x && echo .)" != "$newline." ]; then set -- "$newline$1"; fi
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
