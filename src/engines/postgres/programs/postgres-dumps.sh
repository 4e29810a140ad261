# shellcheck shell=sh
# PostgreSQL: dumps that this action did not make.
recognisers="recognise_postgres $recognisers"

recognise_postgres() {
  if [ "$form" = folder ]; then
    [ ! -f "$given/toc.dat" ] || refuse_dump unpacked
    return 1
  fi
  case $(first_bytes "$tmp/first" 16) in
    5047444d50*) recognise_archive ;;
    fffe* | feff* | 2d002d00* | 002d002d*) refuse_dump utf16 ;;
    *)
      if [ "$(first_bytes "$tmp/first" 5 257)" = 7573746172 ]; then recognise_tar
      elif [ "$form" = text ]; then recognise_script
      else return 1; fi
      ;;
  esac
}

# recognise_archive: the byte of the format: 1 is custom; the table of contents of a directory says 3
recognise_archive() {
  dump_kind=dump
  [ "$(first_bytes "$tmp/first" 1 10)" = 01 ] || refuse_dump toc
  tell_archive "$tmp/first"
}

# tell_archive FILE: what made an archive, and from what, by its header: the format's version, sizes, the way it is packed (a number before
# 1.15, a byte since), the date in seven numbers, then texts: the database, the version of its server, that of pg_dump. A number is a sign
# and, as a rule, four bytes, the lowest first.
tell_archive() {
  case $(first_bytes "$1" 9) in 5047444d5001??*04) ;; *) return 0 ;; esac
  at=47
  [ "$((0x$(first_bytes "$1" 1 6)))" -ge 15 ] || at=51
  for key in '' dump_made_from dump_made_by; do
    size=$(first_bytes "$1" 5 "$at")
    case $size in 00????0000) ;; *) return 0 ;; esac
    size=${size#00}
    high=${size#??}
    size=$((0x${high%0000}${size%??0000}))
    [ "$size" -le 200 ] || return 0
    [ -z "$key" ] || put "$key" "$(dd if="$1" bs=1 skip=$((at + 5)) count="$size" 2>/dev/null | tr -cd ' -~')"
    at=$((at + 5 + size))
  done
}

# recognise_tar: of pg_dump -Ft, which pg_restore reads by itself, or of the folder that pg_dump -Fd made. Links, devices and
# ways out of the folder have no place in either.
recognise_tar() {
  mkfifo "$tmp/tar" "$tmp/plain" || failed E_PERM "mkfifo failed in $tmp"
  list_tar -tf
  cp "$tmp/list" "$tmp/names"
  if grep -q -e '^/' -e '^\.\./' -e '/\.\./' -e '/\.\.$' "$tmp/list"; then refuse_dump links; fi
  sed 's,^\./,,' "$tmp/list" | grep -x -e 'toc\.dat' -e '[^/]*/toc\.dat' >"$tmp/tocs" || refuse_dump no_toc
  [ "$(grep -c . "$tmp/tocs")" = 1 ] || refuse_dump tocs
  if [ "$(sed q "$tmp/list")" = toc.dat ] && grep -q -x 'restore\.sql' "$tmp/list"; then
    dump_kind=dump
    put dump_tar_format 1
    tell_toc
    return
  fi
  list_tar -tvf
  if grep -q '^[^-d]' "$tmp/list"; then refuse_dump links; fi
  dump_kind=tar
  tell_toc
}

# tell_toc: as tell_archive, of the table of contents in the tar
tell_toc() {
  toc=$(grep -x -e '\(\./\)\{0,1\}toc\.dat' -e '\(\./\)\{0,1\}[^/]*/toc\.dat' "$tmp/names" | sed q)
  unpack_into read_toc <"$dump" >"$tmp/first" 2>"$tmp/error" || refuse_dump torn "$(cat "$tmp/error")"
  tell_archive "$tmp/first"
}

# read_toc: the beginning of it
read_toc() { tar -xOf - -- "$toc" 2>/dev/null | head -c 1024; }

# list_tar OPTION: into the file `list`. GNU tar takes the end of what was cut for the end of the tar, which is 1024 bytes of zero.
list_tar() {
  (tar "$1" - >"$tmp/list" 2>"$tmp/tar.error"; status=$?; cat >/dev/null; exit $status) <"$tmp/tar" &
  lister=$!
  started $lister
  tee "$tmp/tar" <"$tmp/plain" | tail -c 1024 >"$tmp/end" &
  ending=$!
  started $ending
  run unpack <"$dump" >"$tmp/plain" 2>"$tmp/error" || refuse_dump torn "$(cat "$tmp/error")"
  wait $lister || refuse_dump torn "$(cat "$tmp/tar.error")"
  wait $ending
  [ "$(size_of "$tmp/end"):$(tr -d '\000' <"$tmp/end" | wc -c | tr -d ' ')" = 1024:0 ] || refuse_dump torn "the end of the tar is missing"
}

# recognise_script: of pg_dump alone. Of one that it did not write nobody can tell whether it is whole.
recognise_script() {
  case $(first_bytes "$tmp/first" 3) in efbbbf) refuse_dump windows 'a byte order mark at its beginning' ;; esac
  case $(sed q "$tmp/first") in *"$carriage_return") refuse_dump windows 'lines that end in CRLF' ;; esac
  if grep -q '^-- PostgreSQL database cluster dump' "$tmp/head"; then refuse_dump cluster; fi
  if grep -q -e '^\\c ' -e '^\\connect ' "$tmp/first"; then refuse_dump create "$(sed -n 's/^\\c\(onnect\)\{0,1\} //p' "$tmp/first" | sed q)"; fi
  grep -q '^-- PostgreSQL database dump$' "$tmp/head" || return 1
  dump_kind=sql
  put dump_made_from "$(sed -n 's/^-- Dumped from database version //p' "$tmp/head" | sed q | cut -b 1-200)"
  put dump_made_by "$(sed -n 's/^-- Dumped by pg_dump version //p' "$tmp/head" | sed q | cut -b 1-200)"
  [ -n "$packing" ] || tail -n 20 "$dump" | grep -x -- '-- PostgreSQL database dump complete' >/dev/null || refuse_dump cut
}

# unpack_directory: the tar that it reads, of the folder that pg_dump -Fd made, becomes the folder `dump`
unpack_directory() {
  mkdir folder && tar -xof - -C folder || return
  [ -z "$(find folder ! -type f ! -type d)" ] || { echo 'there are links or devices in it' >&2 && return 1; }
  for toc in folder/toc.dat folder/*/toc.dat; do
    if [ -f "$toc" ]; then
      mv "${toc%/toc.dat}" dump
      return
    fi
  done
  echo 'there is no toc.dat in it' >&2
  return 1
}
