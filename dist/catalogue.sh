# shellcheck shell=sh
# What is in the backup directory; the runner decides what it means.

# list_backups: every file whose name could be ours, and the text of each manifest; the runner decides. By a few processes for
# however many files there are.
list_backups() {
  if [ -n "$directory" ]; then
    {
      list_files
      echo "status $?"
    } | mark=$mark awk "$catalogue_awk" >&"$events" || failed E_PERM "$directory could not be listed"
    put free_kib "$(free_kib .)"
    # how the last run ended stands in its first bytes
    if [ -f status.json ] && [ ! -L status.json ]; then put last_run "$(dd if=status.json bs=200 count=1 2>/dev/null)"; fi
  fi
  put listed 1 # what a container or another user says after this is no listing
}

# list_files: a name with a line break could pass for a line of the listing
list_files() {
  for file in "$name"-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z-[0-9a-f][0-9a-f][0-9a-f][0-9a-f].*; do
    case $file in *[!A-Za-z0-9._-]*) ;; *) echo "$file" ;; esac
  done | xargs ls -lnd -- 2>/dev/null
}

# other_names NAME: under which other names there are backups, at most twenty
other_names() {
  [ -n "$directory" ] || return 0
  put other_names "$(
    for file in *-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z-[0-9a-f][0-9a-f][0-9a-f][0-9a-f].json; do
      file=${file%-????????T??????Z-????.json}
      case $file in *[!A-Za-z0-9._-]* | "$1") ;; *) echo "$file" ;; esac
    done | awk '!seen[$0]++ && ++count <= 20 { printf "%s ", $0 }'
  )"
}

# What is told of the lines of `ls -ln`: all of them, and the texts of the manifests, the newest first. Those that do not fit into the
# first 16 MiB come without their long lists, which nothing but a restore or a proof of that backup needs, and put_manifest tells
# then; what goes beyond 64 MiB is not told at all. With the variable `whole` none is shortened. A manifest has 12 MiB at most (MAX_READ_BYTES of manifest.ts).
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
  for (; count > 0 && sent < 67108864; count--) tell(names[count], !whole && sent + sizes[count] > 16777216)
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
  if [ -L "$1" ] || [ ! -f "$1" ]; then fail E_NOT_FOUND "$directory/$1 no longer exists"; fi
  put_file "manifest $1" "$1"
}

# put_manifests FILE...: the whole texts of these, of which the catalogue has told parts alone
put_manifests() {
  {
    ls -lnd -- "$@" 2>/dev/null
    echo 'status 0' # one that is gone is not told
  } | mark=$mark awk -v whole=1 "$catalogue_awk" >&"$events" || failed E_PERM "the manifests in $directory could not be read"
}

# look NAME SOURCE: the catalogue, for reading; what the database is called on the host, where it is a file
look() {
  name=$1
  if [ -z "$restoring" ] && [ -n "$directory" ] && [ -n "$(journals "$name")" ]; then
    put note "a restore was cut off: the next command that changes something first finishes it or rolls it back"
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
