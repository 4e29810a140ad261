# shellcheck shell=sh
# Every change of the backup directory. Nothing is overwritten but texts, and those whole; deletes are by exact name.

# put_text FILE TEXT: through the work folder, synced, and renamed over what is there
put_text() {
  [ ! -d "$1" ] || return 1 # mv would put it inside
  { raw "$2" >".work/new.$$" && sync_file ".work/new.$$" && mv -f ".work/new.$$" "$1"; } 2>/dev/null && return
  rm -f ".work/new.$$"
  return 1
}

# publish PAYLOAD SHA256 MANIFEST: the names of a backup appear, the manifest last; nothing is ever overwritten. A signal
# waits until it is through; after a kill in the middle, whoever cleans up takes the names back (discard).
publish() {
  for file in "$1" "$1.sha256" "$id.json"; do
    if [ -e "$file" ] || [ -L "$file" ]; then fail E_DUMP_FAILED "$directory/$file already exists"; fi
  done
  hold
  if {
    printf '%s\n' "$id" >"$work/publishing" && printf '%s  %s\n' "$2" "$1" >"$work/sidecar" && raw "$3" >"$work/manifest" &&
      sync_file "$work/sidecar" "$work/manifest" &&
      mv "$work/payload" "$1" && mv "$work/sidecar" "$1.sha256" && sync_file . &&
      mv "$work/manifest" "$id.json" && sync_file .
  } 2>"$work/e1"; then
    put published "$id"
    release
  else
    rm -f "$id.json" "$1" "$1.sha256"
    failed E_DUMP_FAILED "the backup could not be renamed to its final name: $(cat "$work/e1")"
  fi
}

# remove_units -- FILE... [-- FILE...]: exact names of ours, a unit's manifest first; when a deletion fails, the rest of that
# unit stays: there is never a manifest without its payload. Fails when anything could not be deleted. Some units at a time: that
# takes few processes, and a kill leaves few payloads without a manifest.
remove_units() {
  all=0 units=0 some=''
  for going_file; do
    [ "$going_file" != -- ] || units=$((units + 1))
    if [ $units -gt 40 ]; then
      # shellcheck disable=SC2086 # our names hold no blanks
      remove_some $some
      units=1 some=''
    fi
    some="$some $going_file"
  done
  # shellcheck disable=SC2086
  remove_some $some
  sync_file .
  return $all
}

# remove_some UNITS: the first file of each, then the second of each whose first is gone, and so on
remove_some() {
  nth=1
  while next_files "$@" && [ -n "$doomed" ]; do
    # shellcheck disable=SC2086
    remove_files $doomed
    nth=$((nth + 1))
  done
}

# next_files UNITS: sets doomed, the nth file of each unit from which no earlier one is left
next_files() {
  doomed=''
  for file; do
    if [ "$file" = -- ]; then
      place=0 going=1
      continue
    fi
    place=$((place + 1))
    if [ "$place" -lt "$nth" ]; then
      if [ -e "$file" ] || [ -L "$file" ]; then going=''; fi
    elif [ "$place" = "$nth" ] && [ -n "$going" ]; then
      doomed="$doomed $file"
    fi
  done
}

remove_files() {
  regular=''
  for file; do
    if [ -L "$file" ] || { [ -e "$file" ] && [ ! -f "$file" ]; }; then
      put undeleted "$file: not a regular file"
      all=1
    else regular="$regular $file"; fi
  done
  # shellcheck disable=SC2086
  [ -z "$regular" ] || rm -f -- $regular 2>/dev/null
  for file in $regular; do
    if [ ! -e "$file" ] || { error=$(rm -f -- "$file" 2>&1) && [ ! -e "$file" ]; }; then
      put deleted "$file"
    else
      put undeleted "$file: $error"
      all=1
    fi
  done
}

# finish ID PAYLOAD SHA256 MANIFEST -- UNITS: publishes, rotates, and tells of the run; then nothing of it is left. What is told (will_tell)
# says that all went well: when it did not, the runner sends another.
finish() {
  id=$1 payload=$2 sha256=$3 manifest=$4
  shift 4
  publish "$payload" "$sha256" "$manifest"
  if [ $# = 0 ] || remove_units "$@"; then tell_run; fi
  rm -rf "$work"
  release_lock
}

# publish_backup ID PAYLOAD SHA256 MANIFEST: as finish, without the rotation, which is then left to `change`
publish_backup() {
  arguments id "$1" payload "$2" sha256 "$3" manifest "$4"
  publish "$payload" "$sha256" "$manifest"
  rm -rf "$work"
}

# change FILE TEXT -- UNITS: a manifest rewritten and units removed, both optional; then tells of the run, as finish
change() {
  file=$1 text=$2
  shift 2
  [ -n "$directory" ] || return 0
  [ -z "$file" ] || put_text "$file" "$text" || failed E_PERM "cannot write $directory/$file"
  if remove_units "$@"; then tell_run; fi
  release_lock
}

# write_manifest FILE TEXT: another text for a manifest, or one for a payload that has lost its own, while the lock is held
write_manifest() { put_text "$1" "$2" || failed E_PERM "cannot write $directory/$1"; }
