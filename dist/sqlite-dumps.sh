# shellcheck shell=sh
# SQLite: dumps that this action did not make.
recognisers="recognise_sqlite $recognisers"

# recognise_sqlite: a file that was copied in the middle of its life lacks what is in the one beside it
recognise_sqlite() {
  case $form in
    folder) return 1 ;;
    text)
      if grep -q -i '^PRAGMA ' "$tmp/head"; then refuse_dump sqlite_script; fi
      return 1
      ;;
  esac
  [ "$(first_bytes "$tmp/first" 16)" = 53514c69746520666f726d6174203300 ] || return 1
  dump_kind=sqlite
  [ -z "$packing" ] || return 0
  [ ! -s "$dump-wal" ] || refuse_dump live "$dump-wal"
  [ "$(first_bytes "$dump-journal" 8)" != d9d505f920a163d7 ] || refuse_dump live "$dump-journal"
}
