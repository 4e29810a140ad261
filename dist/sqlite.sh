# shellcheck shell=sh
# SQLite: one committed state of a database that is being written to, and the proof that the copy is one.
#
# Plain `.backup` starts again with every commit of another process and never ends under constant writers; a read
# transaction on the same connection pins the snapshot. `-init /dev/null`, since -batch still reads ~/.sqliterc. The
# source is an absolute path; the copy has a fixed name in the current folder, for dot-commands parse quotes in their
# own way. Without the sqlite3 tool, Python's sqlite3 module does the same in the same order (sqlite.py).
# shellcheck disable=SC3013 # test -ef: dash, bash and busybox have it

engine_tools="cmp"

# What went wrong, where the source is copied; of an existing backup it is E_CHECKSUM, or E_RESTORE where it can not be told
corrupt=E_SOURCE_CORRUPT torn=E_DUMP_FAILED unproven=E_DUMP_FAILED

# The first statement of every connection: nothing that stands in a database is carried out, in views, triggers, generated columns,
# indexes, or (which trusted_schema does not reach: quick_check evaluates them all the same) in the CHECKs of its tables. The edit() of
# the sqlite3 tool starts programs.
sqlite_distrust='PRAGMA trusted_schema = off; PRAGMA ignore_check_constraints = on'
# Nor is a library loaded: FTS4 calls the function that its option uncompress= names in a statement of its own, which the schema does not
# make less trusted. The tool tells what it has set, on a line of its own.
sqlite_closed='.dbconfig load_extension off'

# The objects of the schema. sqlite_master is a name that no object can take.
sqlite_objects="SELECT 'object ' || hex(type) || ' ' || hex(name) || ' ' || hex(tbl_name) || ' ' || CAST(rootpage AS INTEGER) || ' ' || hex(coalesce(sql, ''))
FROM (SELECT * FROM sqlite_master ORDER BY rowid)"

# with_facts COMMAND...: runs it with the statements that tell what must be alike in the source, read inside the pinned snapshot, and in
# the copy. Statements, since a view may be called pragma_page_size. schema_version is not alike: a copy counts it up.
with_facts() { "$@" 'PRAGMA page_size' 'PRAGMA page_count' 'PRAGMA user_version' 'PRAGMA application_id' 'PRAGMA encoding' "$sqlite_objects"; }

# name_facts: what they print, one line each, by name
name_facts() { sed '1s/^/page_size /; 2s/^/page_count /; 3s/^/user_version /; 4s/^/application_id /; 5s/^/encoding /'; }

# count_statement OFFSET: sets counting, which asks of how many tables, 50 at most, and for the statement that counts their rows, as lines of
# a number and a name (which may be empty). That is passed as one word, of which Linux allows 128 KiB: hence 50, and only names of up to
# 700 bytes. Of tables alone, which SQLite stores in that form: a virtual one needs its module; its shadow tables are counted.
count_statement() {
  counting="SELECT count(*) || ' ' || group_concat('SELECT count(*) || '' ' || hex(name) || ''' FROM \"' || replace(name, '\"', '\"\"') || '\"', ' UNION ALL ')
FROM (SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
AND sql LIKE 'CREATE TABLE %' AND length(CAST(name AS BLOB)) <= 700 ORDER BY name LIMIT 50 OFFSET $1)"
}

# find_sqlite: checks the source as the user who will read it; sets source_bytes
find_sqlite() {
  source=$(absolute "$source")
  put source "$source"
  reach_elsewhere
  passing_on E_PERM "the look at the database as ${run_as:-$my_name}" elsewhere look_sqlite "$source"
  source_bytes=$(passed_on source_bytes)
  need_number source_bytes "$source_bytes"
}

# look_sqlite SOURCE
look_sqlite() {
  source=$1
  if [ ! -e "$source" ]; then
    case $(ls -Ld -- "$source" 2>&1) in
      *'ermission denied'*) fail E_PERM "$my_name may not look into the folder of $source" ;;
      *) fail E_SOURCE_MISSING "$source" ;;
    esac
  fi
  no_directory "$source" "$source"
  [ -f "$source" ] || fail E_SOURCE_INVALID "$source is not a regular file"
  # shellcheck disable=SC2046 # the fields of ls are meant to be split; busybox has no stat -c everywhere
  set -- $(ls -nLd -- "$source")
  owner=$3
  # shellcheck disable=SC2046
  set -- $(ls -lLd -- "$source")
  put owner "$3"
  if [ "$my_uid" != 0 ] && [ "$my_uid" != "$owner" ]; then fail E_SOURCE_OWNER "$source"; fi
  [ -s "$source" ] || fail E_SOURCE_INVALID "$source is empty (0 bytes)"
  [ -r "$source" ] || fail E_PERM "$my_name may not read $source"
  [ "$(dd if="$source" bs=15 count=1 2>/dev/null)" = 'SQLite format 3' ] ||
    fail E_SOURCE_INVALID "$source does not start with the SQLite header: it is not a SQLite database, or it is encrypted"
  source=$(real "$source")
  check_names "$source"
  put source_bytes "$(($(size_of "$source") + $(size_of "$source-wal")))"
  choose_sqlite
  tell_sqlite
}

# no_directory PATH SHOWN
no_directory() {
  [ -d "$1" ] || return 0
  put is_directory 1
  fail E_SOURCE_INVALID "$2 is a directory"
}

# check_names FILE: -wal and -journal belong to a name. Through another one of the same file (a hard link, the mount of a single file) what
# is in them is not there, and is not seen either by those who use the first after a restore.
check_names() {
  # shellcheck disable=SC2046 # the fields of ls are meant to be split
  set -- "$1" $(ls -nd -- "$1")
  if [ "$3" != 1 ]; then
    put other_name link
    fail E_SOURCE_INVALID "$1 is one of $3 names of the same file (hard links)"
  fi
  for fd in /proc/[0-9]*/fd/*; do
    [ "$fd" -ef "$1" ] || continue
    other=$(readlink "$fd")
    [ "$other" != "$1" ] || continue
    # the mount of a whole folder has other names as well, and the same files under them
    for beside in "${fd%/*}"/*; do
      case $(readlink "$beside") in
        "$other-wal") [ "$beside" -ef "$1-wal" ] || under_other_name "$1" "${fd#/proc/}" ;;
        "$other-journal") [ "$beside" -ef "$1-journal" ] || under_other_name "$1" "${fd#/proc/}" ;;
      esac
    done
  done
  # the checksum VFS of SQLite
  case $(od -An -tu1 -j20 -N1 "$1" 2>/dev/null) in
    *' 8') put note "the pages of $1 have 8 reserved bytes, as for checksums (cksumvfs): the checksum of the first page is wrong in every copy and after a restore, until the application writes that page" ;;
  esac
}

# under_other_name FILE PID/...
under_other_name() {
  put other_name mount
  fail E_SOURCE_INVALID "$1 is open in pid ${2%%/*} ($({ tr -d '\n' <"/proc/${2%%/*}/comm"; } 2>/dev/null)) under the name $other, with files beside it that are not here"
}

# choose_sqlite: sets sqlite_tool and sqlite_version. A tool of before 3.31 carries out what stands in a database, whatever it is told;
# the module of Python has no functions that reach outside.
choose_sqlite() {
  sqlite_tool=sqlite3 sqlite_version='' told=''
  if have sqlite3; then
    told=$(sqlite3 -batch -init /dev/null :memory: "$sqlite_closed" "$sqlite_distrust" 'PRAGMA trusted_schema' 'SELECT sqlite_version()' 2>&1)
    case $told in
      *"load_extension off${newline}0$newline"*)
        sqlite_version=${told##*"$newline"}
        return
        ;;
    esac
  fi
  sqlite_tool=python3
  sqlite_version=$(python3 -I -c 'import sqlite3; sqlite3.Connection.backup; print(sqlite3.sqlite_version)' 2>/dev/null) && return
  have sqlite3 || fail E_TOOL_MISSING sqlite3
  fail E_TOOL_VERSION "sqlite3 $(sqlite3 -version 2>&1 | sed q)"
}

# tell_sqlite: with what it is done
tell_sqlite() {
  put sqlite_tool "$sqlite_tool"
  put sqlite_version "$sqlite_version"
}

# sqlite_cli MODE DATABASE STATEMENT...
sqlite_cli() {
  opened_as=$1 opened=$2
  shift 2
  run sqlite3 -batch -init /dev/null -bail ${opened_as:+"$opened_as"} "$opened" \
    '.output /dev/null' "$sqlite_closed" '.output' "$sqlite_distrust" "$@"
}

# produce_sqlite NAMED-ARGUMENTS: the copy, proven at the level asked for, on stdout; runs as the user who may read the source
produce_sqlite() {
  arguments "$@"
  choose_sqlite
  enter_place "$((source_bytes / 1024 + min_free_kib))"
  emit phase copy "$source_bytes"
  copy_sqlite
  dumped
  if [ -n "$unread" ]; then
    :
  elif [ "$verify" = checksum ]; then
    put objects "$(grep -ac '^object ' source.facts)"
  else
    emit phase check "$(size_of copy.db)"
    check_sqlite
  fi
  emit phase compress "$(size_of copy.db)"
  run cat copy.db
}

# copy_sqlite: copy.db and source.facts from one snapshot
copy_sqlite() {
  unread=''
  sqlite_snapshot -readonly
  status=$?
  # a crashed writer's hot journal: only a connection that may write can roll it back
  if [ $status = 8 ] && [ -s "$(real "$source")-journal" ]; then
    put note "a hot journal of a crashed writer lies beside the database, which was opened for writing once so that SQLite rolls it back"
    sqlite_snapshot ''
    status=$?
  fi
  if [ $status != 0 ] && newer_schema "$(real "$source")" "$(cat error)"; then
    [ "$verify" = checksum ] || not_understood
    unread=$(say_unread)
    copy_unread
    status=$?
  fi
  [ $status = 0 ] || sqlite_failed $status "$(cat error)"
  [ -s copy.db ] || fail E_DUMP_FAILED "the copy is empty"
}

sqlite_snapshot() {
  with_facts take_snapshot "$1" >source.values 2>error
  status=$?
  name_facts <source.values >source.facts
  return $status
}

# take_snapshot MODE STATEMENT...: what the statements print is of the very state that is copied
take_snapshot() {
  access=$1
  shift
  case $sqlite_tool in
    sqlite3) sqlite_cli "$access" "$source" ".timeout $busy_ms" BEGIN "$@" ".backup 'copy.db'" COMMIT ;;
    *) run python3 -I -c "$sqlite_python" snapshot "$source" "$busy_ms" "$access" "$@" ;;
  esac
}

# sqlite_on_copy STATEMENT...: read-only and immutable, so that no -wal or -shm appears; right only for a file nobody writes
sqlite_on_copy() {
  case $sqlite_tool in
    sqlite3) sqlite_cli -readonly 'file:copy.db?immutable=1' "$@" ;;
    *) run python3 -I -c "$sqlite_python" query "$@" ;;
  esac 2>error
}

# check_sqlite: every page read by SQLite itself; size, schema and settings compared with the source's
check_sqlite() {
  copy_facts
  cmp -s source.facts copy.facts || fail E_DUMP_FAILED "the copy has different pages, settings or schema objects than the source"
  prove_sqlite
}

# count_pages: sets page_size and page_count of copy.db, by the lines that are not the schema's, and holds its size against them
count_pages() {
  page_size='' page_count='' encoding=''
  { read -r _ page_size && read -r _ page_count && read -r _ && read -r _ && read -r _ encoding; } <copy.facts
  need_number 'the size of a page' "$page_size"
  need_number 'the number of pages' "$page_count"
  copy_bytes=$(size_of "$(real copy.db)")
  [ "$((page_size * page_count))" = "$copy_bytes" ] ||
    fail "$torn" "the copy has $copy_bytes bytes, but $page_count pages of $page_size bytes"
}

# copy_facts: of copy.db. A restore goes on where its schema can not be read: sets unread.
copy_facts() {
  unread=''
  with_facts sqlite_on_copy >copy.values || {
    status=$?
    newer_schema copy.db "$(cat error)" || sqlite_failed $status "$(cat error)"
    [ -n "$proven" ] || not_understood
    unread=$(say_unread)
    header_facts copy.db >copy.facts
    return
  }
  name_facts <copy.values >copy.facts
}

# What a copy may have for its indexes to be looked into as well, which reads every row once for each of them
cheap_bytes=67108864
# What is restored was proven to that level when it was made; empty: it is proven now. And whether its content could not be judged
proven='' tolerated='' deep=''

# prove_sqlite: what copy.db holds, for the manifest or to be compared with one
prove_sqlite() {
  count_pages
  put encoding "$encoding"
  put page_size "$page_size"
  put page_count "$page_count"
  if [ -n "$unread" ]; then
    put unread "$unread"
    put objects 1
    restored_as_bytes "$unread"
    return
  fi
  put objects "$(grep -ac '^object ' copy.facts)"
  check_content
  # violations are a matter of the application's data, not of the backup
  # `temp.`: there the database has no say in what that name means
  if sqlite_on_copy 'SELECT count(*) FROM temp.pragma_foreign_key_check' >check; then
    put foreign_keys "$(cat check)"
  else
    put note "the foreign keys could not be checked: $(cat error)"
  fi
  if [ -n "$tolerated" ]; then tell_rows tolerant_copy; else tell_rows sqlite_on_copy; fi
}

# tolerant_copy SQL: what can be counted
tolerant_copy() {
  sqlite_on_copy "$1" && return
  put uncounted "$(cat error)"
  : >error
}

# check_content: the rows must be sound, by quick_check. What integrity_check finds beyond that is in indexes alone, which REINDEX mends,
# or is a matter of functions that this tool does not know: it is told, and is no reason to refuse the only copy.
check_content() {
  in_indexes='' tolerated=''
  if [ -n "$deep" ] || [ "$copy_bytes" -le "$cheap_bytes" ]; then
    sqlite_on_copy 'PRAGMA integrity_check(5)' >check && [ "$(cat check)" = ok ] && return
    in_indexes=$(cat check error)
  fi
  sqlite_on_copy 'PRAGMA quick_check(5)' >check || {
    not_sound $? "$(cat check error)"
    return
  }
  # a tool that could not write its answer does not always say so
  [ -s check ] || failed E_DUMP_FAILED "quick_check of the copy gave no answer: $(cat error)"
  if [ "$(cat check)" != ok ]; then
    not_sound 11 "quick_check of the copy: $(cat check)"
  elif [ -n "$in_indexes" ]; then
    if beyond_tool "$in_indexes"; then put note "not all indexes could be checked, because $sqlite_tool on the host does not know what the application knows: $in_indexes"; else
      put note "the rows are sound, but an index is damaged: stop writing, check the disk, and run REINDEX on the database: $in_indexes"
    fi
  fi
}

# beyond_tool TEXT: it is about what the application knows and this tool does not
beyond_tool() {
  case $1 in
    *'no such collation'* | *'no such function'* | *'unknown function'* | *'no such module'* | *'no such tokenizer'* | *'unsafe use of'* | \
      *'wrong number of arguments'*) ;;
    *) return 1 ;;
  esac
}

# not_sound STATUS TEXT: of the rows. A restore asks for no more than was proven when the backup was made.
not_sound() {
  if [ "$proven" != checksum ] && { [ -z "$proven" ] || ! beyond_tool "$2"; }; then sqlite_failed "$1" "$2"; fi
  tolerated=1
  restored_as_bytes "$2"
}

# restored_as_bytes WHY
restored_as_bytes() { put note "the content of the backup cannot be checked here, so it is restored as the bytes that were backed up: $1"; }

# tell_rows FUNCTION: the rows of each table, by the function that asks the database
tell_rows() {
  offset=0
  while :; do
    count_statement $offset
    "$1" "$counting" >counts || sqlite_failed $? "$(cat error)"
    counting=$(cat counts)
    [ -n "$counting" ] || break
    "$1" "${counting#* }" >check || sqlite_failed $? "$(cat error)"
    while read -r count table; do
      emit "$rows" "$table" "$count"
    done <check
    [ "${counting%% *}" = 50 ] || break
    offset=$((offset + 50))
  done
}

# sqlite_failed STATUS TEXT
sqlite_failed() {
  if [ "$1" -gt 128 ]; then
    set -- "$1" "$2$sqlite_tool was killed by signal $(($1 - 128)); when nobody did that, the host was out of memory"
  else
    set -- "$1" "$2 (status $1 of $sqlite_tool)"
  fi
  case $1:$2 in
    [56]:* | *'is locked'* | *'is busy'*) fail E_BUSY "$2" ;;
    11:* | 26:* | *malformed* | *'not a database'*) fail "$corrupt" "$2" ;;
    13:* | *'isk is full'*) failed E_NOSPACE "$2" ;;
    8:* | 14:* | *readonly* | *'unable to open'*) failed E_PERM "$2" ;;
    *) failed "$unproven" "$2" ;;
  esac
}

# backup_sqlite NAMED-ARGUMENTS: from the lock to a payload that was read back; publishing it is another request
# takes: asserts busy_ms holder id level lock_wait min_free_kib name run_as source verify wanted
backup_sqlite() {
  arguments "$@"
  back_up sqlite
}

source_sqlite() {
  find_sqlite
  choose_packing "$wanted"
  kind=sqlite
}

room_sqlite() { if [ -n "$run_as" ]; then echo 0; else echo $((source_bytes / 1024)); fi; }

store_sqlite() {
  compare=$work/copy.db hash_plain=''
  [ -z "$run_as" ] || compare='' hash_plain=1 # it is in a folder that only that user may enter
  # the lock (9) is for shells alone: a stage that outlives them must not keep it from the next run
  store compare_plain elsewhere produce_sqlite source "$source" source_bytes "$source_bytes" verify "$verify" busy_ms "$busy_ms" \
    min_free_kib "$min_free_kib" 9>&-
  read_back compare_plain "$work/payload" 9>&-
  rm -f "$work/copy.db"
  [ "$verify" = restore ] || return 0
  payload=$work/payload
  choose_sqlite # here it may be another one than that of run-as
  unpack_to "$work/copy.db" "$plain_bytes" 9>&-
  (own rehearse_sqlite 9>&-) || exit $?
}

# inspect_sqlite NAMED-ARGUMENTS: what a backup would find; writes nothing in the backup directory
# takes: asserts busy_ms level min_free_kib name run_as source verify wanted
inspect_sqlite() {
  arguments "$@"
  look_before sqlite
  passing_on E_PERM "the look into the database as ${run_as:-$my_name}" elsewhere foresee_unread source "$source" verify "$verify" busy_ms 0
}

# verify_sqlite NAMED-ARGUMENTS: an existing backup, in a copy of it that is thrown away
# takes: asserts busy_ms bytes foreign kind level min_free_kib name packing payload plain_bytes proven run_as sha256 source verify
# takes: wanted
verify_sqlite() {
  arguments "$@"
  proven='' # it is now, whatever it was
  make_work_somewhere
  check_payload
  [ "$verify" != checksum ] || return 0
  choose_sqlite
  tell_sqlite
  unpack_dump "$work/copy.db" 9>&-
  rehearse_sqlite 9>&-
}

assert_sqlite() { sqlite_on_copy "$1" || { cat error >&2 && return 1; }; }

# rehearse_sqlite: copy.db in the work folder, opened as an application would, and thrown away
rehearse_sqlite() {
  cd "$work" || fail E_PERM "$work cannot be entered"
  work=. rows=restored corrupt=E_CHECKSUM torn=E_CHECKSUM unproven=E_RESTORE
  [ "$(dd if=copy.db bs=15 count=1 2>/dev/null)" = 'SQLite format 3' ] || fail E_CHECKSUM "it does not start with the SQLite header"
  emit phase check "${plain_bytes:-$(size_of copy.db)}"
  copy_facts
  [ "$verify" != restore ] || deep=1
  prove_sqlite
  if [ "$verify" = restore ]; then each_assert assert_sqlite; fi
  rm -f copy.db
}
