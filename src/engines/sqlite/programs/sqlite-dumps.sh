# shellcheck shell=sh
# SQLite: dumps that this action did not make.
recognisers="recognise_sqlite $recognisers"
byte_order_mark=$(printf '\357\273\277')

# recognise_sqlite: a file that was copied in the middle of its life lacks what is in the one beside it
recognise_sqlite() {
  case $form in
    folder) return 1 ;;
    text)
      recognise_statements
      return
      ;;
  esac
  case $(first_bytes "$tmp/first" 4) in fffe[45]?00 | feff00[45]?) refuse_dump sqlite_utf16 ;; esac
  [ "$(first_bytes "$tmp/first" 16)" = 53514c69746520666f726d6174203300 ] || return 1
  dump_kind=sqlite
  [ -z "$packing" ] || return 0
  [ ! -s "$dump-wal" ] || refuse_dump live "$dump-wal"
  [ "$(first_bytes "$dump-journal" 8)" != d9d505f920a163d7 ] || refuse_dump live "$dump-journal"
}

# recognise_statements: as `.dump` of sqlite3 and Python's iterdump begin. Whether it is whole shows when it is carried out.
recognise_statements() {
  case $(tr -d '\r' <"$tmp/head" | sed -e 's/^'"$byte_order_mark"'//' -e '/^$/d' -e '/^--/d' -e '/^\/\*.*\*\/$/d' -e '/^PRAGMA [^;]*;$/d' | sed q) in
    'BEGIN TRANSACTION;' | 'BEGIN;') ;;
    *)
      if grep -q -i '^PRAGMA ' "$tmp/head"; then refuse_dump sqlite_script; fi
      return 1
      ;;
  esac
  case $(first_bytes "$tmp/first" 3) in efbbbf) refuse_dump sqlite_windows 'a byte order mark at its beginning' ;; esac
  case $(sed q "$tmp/head") in *"$carriage_return") refuse_dump sqlite_windows 'lines that end in CRLF' ;; esac
  dump_kind=statements
}
