# shellcheck shell=sh
# SQLite: a schema that the tool at hand can not read, since a newer SQLite has written it (a view that sorts in an aggregate needs 3.44,
# DEFAULT 1_000 needs 3.46). Nearly every statement fails then, with the words for damage. Copying and putting back pages asks for no
# schema, and neither do the settings in the header.
unread='' # why that of copy.db, or of its source, can not be read
writer=0

# newer_schema FILE TEXT: whether TEXT is about a statement that this tool does not understand, in a FILE that a newer one has written. Damage
# in the text of a statement looks alike, hence the question by whom it is. Sets writer and what_is_unread.
newer_schema() {
  case $2 in
    # these are about what objects there are, not about a statement
    *') - invalid rootpage'* | *') - orphan index'* | *') - '*'already exists'* | *') - there is already '* | *') - no such table'* | \
      *') - incomplete input'* | *') - '*'is malformed'*) return 1 ;;
    *'malformed database schema ('*') - '* | *'unsupported file format'*) ;;
    *) return 1 ;;
  esac
  written_by "$1"
  # what the header says may still be in the -wal
  if ! newer_than_tool && [ -s "$1-wal" ]; then written_in_wal "$1"; fi
  newer_than_tool || return 1
  what_is_unread=$(raw "$2$newline" | sed 's/.*malformed database schema (\(.*\)) - /\1: /; s/ (11)$//')
}

# number_at FILE OFFSET: of the header, four bytes
number_at() {
  # shellcheck disable=SC2046 # four numbers
  set -- $(od -An -tu1 -j"$2" -N4 "$1" 2>/dev/null)
  echo $((((${1:-0} * 256 + ${2:-0}) * 256 + ${3:-0}) * 256 + ${4:-0}))
}

# written_by FILE: sets writer, the SQLite that wrote the header, as 3053004; 0 where that is no version
written_by() {
  writer=$(number_at "$1" 96)
  if [ "$writer" -lt 3000000 ] || [ "$writer" -ge 10000000 ]; then writer=0; fi
}

# written_in_wal FILE: the same, of the header in the -wal, which SQLite itself takes over into a copy of the first page. The -wal is
# copied first: what a checkpoint takes out of it meanwhile is in the file then.
written_in_wal() {
  check_space . "$(($(size_of "$1-wal") / 1024 + 128))"
  if ! run cp "$1-wal" first.db-wal || ! dd if="$1" of=first.db bs=65536 count=1 2>/dev/null; then failed E_PERM "$1-wal could not be copied"; fi
  case $sqlite_tool in
    sqlite3) sqlite_cli '' "$(pwd)/first.db" 'PRAGMA user_version' ;;
    *) run python3 -I -c "$sqlite_python" ask "$(pwd)/first.db" 0 '' 'PRAGMA user_version' ;;
  esac >/dev/null 2>&1
  written_by first.db
  rm -f first.db first.db-wal first.db-shm
}

newer_than_tool() {
  minor=${sqlite_version#*.}
  patch=${minor#*.}
  major=${sqlite_version%%.*} minor=${minor%%.*} patch=${patch%%.*}
  need_number 'the version of SQLite' "$major$minor$patch"
  [ "$writer" -gt $((major * 1000000 + minor * 1000 + patch)) ]
}

# version_of 3053004: 3.53.4
version_of() { echo "$(($1 / 1000000)).$(($1 / 1000 % 1000)).$(($1 % 1000))"; }

# not_understood: no more can be proven with this tool
not_understood() {
  put written_by "$(version_of "$writer")"
  fail E_TOOL_VERSION "$(say_unread)"
}

say_unread() {
  echo "SQLite $(version_of "$writer") has written the schema, and $sqlite_tool here has SQLite $sqlite_version, which does not understand it: $what_is_unread"
}

# with_settings COMMAND...: as with_facts, of what stands in the header. It takes the lock that pins the snapshot all the same.
with_settings() { "$@" 'PRAGMA user_version' 'PRAGMA application_id' 'PRAGMA page_size'; }

# copy_unread: copy.db and source.values from one snapshot, of a source whose schema can not be read. The runner is told of one object, since
# there is what could not be read.
copy_unread() {
  with_settings take_snapshot "$access" >source.values 2>error || return
  with_settings sqlite_on_copy >copy.values || return
  cmp -s source.values copy.values || fail E_DUMP_FAILED "the copy has different pages or settings than the source"
  header_facts copy.db >copy.facts
  count_pages
  sign_copy
  put objects 1
  warn_unread
}

warn_unread() {
  put note "only the bytes of a copy can be verified, but no table can be read: $(say_unread). Install sqlite3 $(version_of "$writer") or newer on the host"
}

# foresee_unread NAMED-ARGUMENTS: what a backup would say of the schema; leaves nothing
foresee_unread() {
  arguments "$@"
  choose_sqlite
  name_files "$source" ''
  enter_place 64
  only_look
  sqlite_on_live 'SELECT 1 FROM sqlite_master LIMIT 1' >/dev/null && return
  status=$?
  if newer_schema "$live" "$(cat error)"; then
    [ "$verify" = checksum ] || not_understood
    warn_unread
    return
  fi
  # that it is locked, or the journal of a crashed writer lies beside it, will be another story then
  case $status:$(cat error) in 11:* | 26:* | *malformed*) sqlite_failed $status "$(cat error)" ;; esac
}

# sign_copy: a copy names the tool that made it. By whom its schema is says to the next one that it is not damaged.
sign_copy() {
  # shellcheck disable=SC2059 # four bytes, as octal numbers
  printf "$(printf '\\%03o\\%03o\\%03o\\%03o' 0 $((writer / 65536)) $((writer / 256 % 256)) $((writer % 256)))" |
    dd of=copy.db bs=1 seek=96 conv=notrunc 2>error || failed E_DUMP_FAILED "$(cat error)"
}

# header_facts FILE: as with_facts and name_facts tell them, without the objects
header_facts() {
  echo "page_size $(page_size_of "$1")"
  echo "page_count $(number_at "$1" 28)"
  echo "user_version $(number_at "$1" 60)"
  echo "application_id $(number_at "$1" 68)"
  case $(number_at "$1" 56) in
    2) echo 'encoding UTF-16le' ;;
    3) echo 'encoding UTF-16be' ;;
    *) echo 'encoding UTF-8' ;;
  esac
}
