# shellcheck shell=sh
# The backup directory: its safety, what is in it, and every change of it. It is entered once, and every name after that
# is relative, so nobody can put another directory under a run.
# shellcheck disable=SC2154 # name, id: set by the request
directory=''

# check_clock SECONDS TOLERANCE: the runner's time; names, ages and retention rest on it, so it comes before everything
check_clock() {
  clock=$(date +%s)
  apart=$((clock - $1))
  if [ "$apart" -gt "$2" ] || [ "$apart" -lt "-$2" ]; then fail E_CLOCK "$clock"; fi
}

# open_directory DIRECTORY UMASK create|change|look: `change` works in a directory that is there, `look` writes nothing
open_directory() {
  set -- "$(absolute "$1")" "$2" "$3"
  umask "$2"
  if [ ! -d "$1" ]; then
    if [ -e "$1" ] || [ -L "$1" ]; then fail E_PERM "$1 is not a directory"; fi
    if [ "$3" != create ]; then
      put directory "$1"
      put missing "$1"
      return
    fi
    error=$(mkdir -p -- "$1" 2>&1) || refused "$1" "$error"
  fi
  cd -P -- "$1" 2>/dev/null || fail E_PERM "$1 can not be entered by $(id -un)"
  directory=$(pwd -P)
  put directory "$directory"
  check_safe . "$directory"
  [ "$3" != look ] || return 0
  if [ -L .work ]; then fail E_PERM_UNSAFE "$directory/.work is a symbolic link"; fi
  if [ ! -d .work ]; then
    error=$(mkdir -p -m 700 .work 2>&1) || refused "$directory" "$error"
  fi
  check_safe .work "$directory/.work"
  # in a subshell first: a redirection that fails ends a POSIX shell
  error=$( (: >>.work/lock) 2>&1) || refused "$directory" "$error"
  exec 9>>.work/lock
}

# refused DIRECTORY WHAT-THE-SYSTEM-SAID
refused() {
  case $2 in
    *'No space left'* | *'uota exceeded'*)
      put nospace "$1"
      fail E_NOSPACE "$2"
      ;;
    *) fail E_PERM "$(id -un) can not write $1: $2" ;;
  esac
}

# check_safe FOLDER SHOWN: ours, and nobody else may write it
check_safe() {
  # shellcheck disable=SC2046 # the fields of ls are meant to be split
  set -- "$2" $(ls -nd "$1")
  [ "$4" = "$(id -u)" ] || fail E_PERM_UNSAFE "$1 belongs to uid $4, not to $(id -un)"
  case $2 in ?????-??-*) ;; *) fail E_PERM_UNSAFE "$1 has the mode $2: others can write it" ;; esac
}

# --- the work folder ------------------------------------------------------------------------------------------------

# sweep: what dead runs left; under the lock nobody else is at work here
sweep() {
  for left_over in .work/*-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z-????; do
    if [ -L "$left_over" ] || [ ! -d "$left_over" ] || [ "$left_over" = "$work" ] || [ "$directory/$left_over" = "$fetched" ]; then continue; fi
    discard "$left_over"
    put swept "${left_over#.work/}"
  done
  rm -f .work/new.* .work/stale.*
}

# make_work: this run's folder, once it has the lock
make_work() { error=$(mkdir -m 700 "$work" 2>&1) || refused "$directory" "$error"; }

# expect_work ID: the session's shell must know this run's folder, to remove it; the job makes it, once it has the lock. What a job
# before has left in its own goes.
# shellcheck disable=SC2034 # session.sh reads them
expect_work() {
  if [ -n "$work" ] && [ -d "$work" ]; then discard "$work"; fi
  work=.work/$1 notes=$directory/.work/$1
}

# --- the catalogue --------------------------------------------------------------------------------------------------

# list_backups: every file whose name could be ours, and the text of each manifest; the runner decides
list_backups() {
  [ -n "$directory" ] || return 0
  set -- "$name"-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z-[0-9a-f][0-9a-f][0-9a-f][0-9a-f].*
  # a name with a line break could pass for a line of the listing
  for file; do
    case $file in *[!A-Za-z0-9._-]*) ;; *) set -- "$@" "$file" ;; esac
    shift
  done
  if [ $# -gt 0 ]; then
    emit begin files
    ls -lnd -- "$@" 2>/dev/null
    printf '\n%s end\n' "$mark"
    for file; do
      case $file in *.json) [ -L "$file" ] || [ ! -f "$file" ] || put_file "manifest $file" "$file" ;; esac
    done
  fi
  put free_kib "$(free_kib .)"
}

# --- changes ----------------------------------------------------------------------------------------------------------

# put_text FILE TEXT: through the work folder, synced, and renamed over what is there
put_text() {
  [ ! -d "$1" ] || return 1 # mv would put it inside
  { printf '%s' "$2" >".work/new.$$" && sync_file ".work/new.$$" && mv -f ".work/new.$$" "$1"; } 2>/dev/null && return
  rm -f ".work/new.$$"
  return 1
}

# put_status TEXT: for monitors; a status that can not be written is worth a note, not a failure
put_status() {
  [ -n "$directory" ] && [ -d .work ] || return 0
  put_text status.json "$1" || put note "$directory/status.json could not be written"
}

# publish PAYLOAD SHA256 MANIFEST: the names of a backup appear, the manifest last; nothing is ever overwritten. A signal
# waits until it is through; after a kill in the middle, whoever cleans up takes the names back (discard).
publish() {
  for file in "$1" "$1.sha256" "$id.json"; do
    if [ -e "$file" ] || [ -L "$file" ]; then fail E_DUMP_FAILED "$directory/$file exists already"; fi
  done
  hold
  if {
    printf '%s\n' "$id" >"$work/publishing" && printf '%s  %s\n' "$2" "$1" >"$work/sidecar" && printf '%s' "$3" >"$work/manifest" &&
      sync_file "$work/sidecar" && sync_file "$work/manifest" &&
      mv "$work/payload" "$1" && mv "$work/sidecar" "$1.sha256" && sync_file . &&
      mv "$work/manifest" "$id.json" && sync_file .
  } 2>"$work/e1"; then
    put published "$id"
    release
  else
    rm -f "$id.json" "$1" "$1.sha256"
    failed E_DUMP_FAILED "the backup could not be given its name: $(cat "$work/e1")"
  fi
}

# remove_units -- FILE... [-- FILE...]: exact names, a unit's manifest first; when a deletion fails, the rest of that
# unit stays: there is never a manifest without its payload. Fails when anything could not be deleted.
remove_units() {
  going=1 all=0
  for file; do
    if [ "$file" = -- ]; then
      going=1
      continue
    fi
    [ $going = 1 ] || continue
    if [ -L "$file" ] || { [ -e "$file" ] && [ ! -f "$file" ]; }; then
      error='not a regular file'
    elif error=$(rm -f -- "$file" 2>&1) && [ ! -e "$file" ]; then
      put deleted "$file"
      continue
    fi
    put undeleted "$file: $error"
    going=0 all=1
  done
  sync_file .
  return $all
}

# finish: publishes, rotates, and writes the status; then nothing of this run is left. The status says that all went
# well: when it did not, the runner sends another.
finish() {
  arguments id "$1" payload "$2" sha256 "$3" manifest "$4" status "$5"
  shift 5
  publish "$payload" "$sha256" "$manifest"
  if remove_units "$@"; then put_status "$status"; fi
  rm -rf "$work"
  release_lock
}

# publish_backup ID PAYLOAD SHA256 MANIFEST: as finish, without the rotation, which is then left to `change`
publish_backup() {
  arguments id "$1" payload "$2" sha256 "$3" manifest "$4"
  publish "$payload" "$sha256" "$manifest"
  rm -rf "$work"
}

# look NAME SOURCE: the catalogue, for reading; what the database is called on the host, where it is a file
look() {
  name=$1
  if [ -z "$restoring" ] && [ -n "$directory" ] && [ -f ".work/restore-$name" ]; then
    put note "a restore was cut off: the next command that changes something brings it to an end first"
  fi
  list_backups
  [ -z "$2" ] || put source "$(absolute "$2")"
}

# look_locked NAME SOURCE LOCK_WAIT HOLDER: the catalogue, for a change that follows
look_locked() {
  arguments name "$1" lock_wait "$3" holder "$4"
  if [ -n "$directory" ]; then
    take_lock
    sweep
  fi
  look "$1" "$2"
}

# absolute PATH: a relative one starts at the home of the login user
absolute() {
  case $1 in
    /*) printf '%s\n' "$1" ;;
    *) printf '%s\n' "${HOME:?}/$1" ;;
  esac
}

# real PATH: behind symbolic links
real() { readlink -f "$1" 2>/dev/null || echo "$1"; }

# change STATUS FILE TEXT -- UNITS: a manifest rewritten and units removed, both optional
change() {
  arguments status "$1" file "$2" text "$3"
  shift 3
  [ -n "$directory" ] || return 0
  [ -z "$file" ] || put_text "$file" "$text" || failed E_PERM "can not write $directory/$file"
  if remove_units "$@"; then put_status "$status"; fi
  release_lock
}

# hash_file FILE: of an existing backup
hash_file() {
  if [ -L "$1" ] || [ ! -f "$1" ]; then fail E_CHECKSUM "$directory/$1 is not there"; fi
  sum=$(mktemp "${TMPDIR:-/tmp}/db-backup.XXXXXX") || fail E_NOSPACE "no temporary file"
  # shellcheck disable=SC2034 # removed by end_job
  tmp=$sum
  run sha256sum "./$1" >"$sum" || fail E_CHECKSUM "$directory/$1 could not be read"
  read -r sha256 _ <"$sum"
  put sha256 "$sha256"
}

# put_manifest FILE TEXT: another text for a manifest, or one for a payload that has lost its own, while the lock is held
put_manifest() { put_text "$1" "$2" || failed E_PERM "can not write $directory/$1"; }

# prove_payload PAYLOAD COMPRESSION: of a backup that has lost its manifest, whether it is what the checksum beside it says, and how many
# bytes it unpacks to. What speaks against it is told as `unproven`; it is no failure.
prove_payload() {
  compressor=$2
  for file in "$1" "$1.sha256"; do
    if [ -L "$file" ] || [ ! -f "$file" ]; then unproven "$file is not there, or is no regular file"; fi
  done
  tmp=$(mktemp -d "${TMPDIR:-/tmp}/db-backup.XXXXXX") || fail E_NOSPACE "no temporary folder"
  run sha256sum <"$1" >"$tmp/sum" 2>"$tmp/error" || unproven "$1 could not be read: $(cat "$tmp/error")"
  read -r sha256 _ <"$tmp/sum"
  [ "$(dd if="$1.sha256" bs=512 count=1 2>/dev/null)" = "$sha256  $1" ] || unproven "$1.sha256 says something else than its bytes"
  [ "$compressor" = none ] || have "$compressor" || unproven "the host has no $compressor to unpack it"
  mkfifo "$tmp/plain" || failed E_PERM "mkfifo failed in $tmp"
  hold
  wc -c <"$tmp/plain" >"$tmp/count" 2>/dev/null 3>&- 9>&- & counting=$! && started $counting
  release
  run decompress <"$1" >"$tmp/plain" 2>"$tmp/error" || unproven "$1 can not be unpacked: $(cat "$tmp/error")"
  wait $counting
  # shellcheck disable=SC2034 # read in session.sh
  stages=''
  put proven_bytes "$(size_of "./$1")"
  put proven_plain_bytes "$(($(cat "$tmp/count")))"
  put proven_sha256 "$sha256"
}

# unproven WHY: ends the job, which has done what it was asked for
unproven() {
  put unproven "$1"
  exit 0
}
