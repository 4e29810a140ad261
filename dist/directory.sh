# shellcheck shell=sh
# The backup directory: its safety, what is in it, and every change of it. It is entered once, and every name after that
# is relative, so nobody can put another directory under a run.
directory=''
engine_tools='' # what an engine needs besides, whatever is done
shelf=''

# check_clock SECONDS TOLERANCE: the runner's time; names, ages and retention rest on it, so it comes before everything
check_clock() {
  clock=$(date +%s)
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
      return
    fi
    error=$(mkdir -p -- "$1" 2>&1) || refused "$1" "$error"
  fi
  cd -P -- "$1" 2>/dev/null || {
    put unusable "$1"
    fail E_PERM "$1 can not be entered by $my_name"
  }
  directory=$(pwd -P)
  put directory "$directory"
  check_safe . "$directory"
  if [ "$3" = look ]; then
    usable . || put unwritable "$directory"
    return 0
  fi
  if [ -L .work ]; then
    put leads_away "$directory/.work"
    fail E_PERM_UNSAFE "$directory/.work is a symbolic link"
  fi
  if [ ! -d .work ]; then
    error=$(mkdir -p -m 700 .work 2>&1) || refused "$directory" "$error"
  fi
  check_safe .work "$directory/.work"
  # in a subshell first: a redirection that fails ends a POSIX shell
  error=$( (: >>.work/lock) 2>&1) || refused "$directory" "$error"
  exec 9>>.work/lock
  shelf=$directory/.work
}

# need_tools: what every run needs, before it does anything
need_tools() {
  for tool in awk $engine_tools dd df mkfifo mktemp sed sha256sum tee wc xargs; do
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
      fail E_PERM "$my_name can not write $1: $2"
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
  fail E_PERM_UNSAFE "$1 has the mode $2: others can write it"
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
  if [ -n "$work" ] && [ -d "$work" ]; then discard "$work"; fi
  work=.work/$1 notes=$directory/.work/$1
}

# --- the catalogue --------------------------------------------------------------------------------------------------

# list_backups: every file whose name could be ours, and the text of each manifest; the runner decides. By a few processes for
# however many files there are.
list_backups() {
  if [ -n "$directory" ]; then
    {
      list_files
      echo "status $?"
    } | mark=$mark awk "$catalogue_awk" >&"$events" || failed E_PERM "$directory could not be listed"
    put free_kib "$(free_kib .)"
  fi
  put listed 1 # what a container or another user says after this is no listing
}

# list_files: a name with a line break could pass for a line of the listing
list_files() {
  for file in "$name"-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z-[0-9a-f][0-9a-f][0-9a-f][0-9a-f].*; do
    case $file in *[!A-Za-z0-9._-]*) ;; *) echo "$file" ;; esac
  done | xargs ls -lnd -- 2>/dev/null
}

# What is told of the lines of `ls -ln`: all of them, and the texts of the manifests, the newest first. Those that do not fit into the
# first 16 MiB come without their long lists, which nothing but a restore or a proof of that backup needs, and put_manifest tells
# then; what goes beyond 64 MiB is not told at all. A manifest has 12 MiB at most (MAX_READ_BYTES of manifest-fields.ts).
# shellcheck disable=SC2016 # awk's variables
catalogue_awk='
BEGIN { mark = ENVIRON["mark"]; lines = 0; count = 0; sent = 0; ended = 1 }
/^status / { ended = $2; next }
{
  if (lines++ % 5000 == 0) print (lines > 1 ? mark " end\n" : "") mark " begin files"
  print
  if (/^-/ && $NF ~ /\.json$/ && $5 <= 12582912) { names[++count] = $NF; sizes[count] = $5 }
}
END {
  if (lines) print mark " end"
  # 123: one of the files was gone before it could be looked at
  if (ended != 0 && ended != 123) exit 1
  for (; count > 0 && sent < 67108864; count--) tell(names[count], sent + sizes[count] > 16777216)
  if (count > 0) print mark " set untold " count
}
# As we write manifests, a list begins and ends in lines of its own.
function tell(name, briefly, line, first, end, last) {
  print mark " begin manifest " name
  for (first = 1; (getline line < name) > 0; first = 0) {
    if (first) briefly = briefly && line == "{"
    if (end != "" && line != end && line != last) continue
    end = ""
    if (briefly && first) line = "{ \"shortened\": true,"
    if (briefly && line ~ /^(  "recovery"|    "(tables|properties|roles)"): \[$/) {
      end = line
      sub(/".*/, "]", end)
      last = end ","
    }
    print line
    sent += length(line) + 1
  }
  close(name)
  print mark " end"
}'

# put_manifest FILE: the whole text of one
put_manifest() {
  if [ -L "$1" ] || [ ! -f "$1" ]; then fail E_NOT_FOUND "$directory/$1 is not there any more"; fi
  put_file "manifest $1" "$1"
}

# --- changes ----------------------------------------------------------------------------------------------------------

# put_text FILE TEXT: through the work folder, synced, and renamed over what is there
put_text() {
  [ ! -d "$1" ] || return 1 # mv would put it inside
  { raw "$2" >".work/new.$$" && sync_file ".work/new.$$" && mv -f ".work/new.$$" "$1"; } 2>/dev/null && return
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
    printf '%s\n' "$id" >"$work/publishing" && printf '%s  %s\n' "$2" "$1" >"$work/sidecar" && raw "$3" >"$work/manifest" &&
      sync_file "$work/sidecar" "$work/manifest" &&
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

# finish: publishes, rotates, and writes the status; then nothing of this run is left. The status says that all went
# well: when it did not, the runner sends another.
finish() {
  id=$1 payload=$2 sha256=$3 manifest=$4 status=$5
  shift 5
  publish "$payload" "$sha256" "$manifest"
  if [ $# = 0 ] || remove_units "$@"; then put_status "$status"; fi
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
  if [ -z "$restoring" ] && [ -n "$directory" ] && [ -n "$(journals "$name")" ]; then
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
    *) printf '%s\n' "$HOME/$1" ;;
  esac
}

# real PATH: behind symbolic links
real() { readlink -f "$1" 2>/dev/null || echo "$1"; }

# change STATUS FILE TEXT -- UNITS: a manifest rewritten and units removed, both optional
change() {
  status=$1 file=$2 text=$3
  shift 3
  [ -n "$directory" ] || return 0
  [ -z "$file" ] || put_text "$file" "$text" || failed E_PERM "can not write $directory/$file"
  if remove_units "$@"; then put_status "$status"; fi
  release_lock
}

# hash_file FILE: of an existing backup
hash_file() {
  if [ -L "$1" ] || [ ! -f "$1" ]; then fail E_CHECKSUM "$directory/$1 is not there"; fi
  small_folder
  tell_reading
  run sha256sum <"./$1" >"$tmp/sum" || fail E_CHECKSUM "$directory/$1 could not be read"
  read -r sha256 _ <"$tmp/sum"
  put sha256 "$sha256"
}

# write_manifest FILE TEXT: another text for a manifest, or one for a payload that has lost its own, while the lock is held
write_manifest() { put_text "$1" "$2" || failed E_PERM "can not write $directory/$1"; }

# prove_payload PAYLOAD PACKING: of a backup that has lost its manifest, whether it is what the checksum beside it says, and how many
# bytes it unpacks to. What speaks against it is told as `unproven`; it is no failure.
prove_payload() {
  packing=$2
  for file in "$1" "$1.sha256"; do
    if [ -L "$file" ] || [ ! -f "$file" ]; then unproven "$file is not there, or is no regular file"; fi
  done
  small_folder
  tell_reading
  run sha256sum <"$1" >"$tmp/sum" 2>"$tmp/error" || unproven "$1 could not be read: $(cat "$tmp/error")"
  read -r sha256 _ <"$tmp/sum"
  [ "$(dd if="$1.sha256" bs=512 count=1 2>/dev/null)" = "$sha256  $1" ] || unproven "$1.sha256 says something else than its bytes"
  for stage in $packing; do
    have "$stage" || unproven "the host has no $stage to unpack it"
  done
  mkfifo "$tmp/plain" || failed E_PERM "mkfifo failed in $tmp"
  hold
  wc -c <"$tmp/plain" >"$tmp/count" 2>/dev/null 3>&- 9>&- & counting=$! && started $counting
  release
  run unpack <"$1" >"$tmp/plain" 2>"$tmp/error" || unproven "$1 can not be unpacked: $(cat "$tmp/error")"
  wait $counting
  stages=$teller
  put proven_bytes "$(size_of "./$1")"
  put proven_plain_bytes "$(($(cat "$tmp/count")))"
  put proven_sha256 "$sha256"
}

# unproven WHY: ends the job, which has done what it was asked for
unproven() {
  put unproven "$1"
  exit 0
}
