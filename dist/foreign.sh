# shellcheck shell=sh
# Dumps that this action did not make: what such a file is, told by its bytes alone.

recognise_own='' # a function of an engine whose dumps are not recognised here

# look_dump PATH: a job of its own. What is no dump that can be restored is told as `dump_refused`, for the runner to put into
# words. Its hash is taken first: whatever is said of it here is said of those bytes.
look_dump() {
  given=$(absolute "$1")
  put dump_given "$given"
  [ ! -d "$given" ] || refuse_dump "$(if [ -f "$given/toc.dat" ]; then echo unpacked; else echo folder; fi)"
  if [ ! -e "$given" ]; then
    case $(ls -Ld -- "$given" 2>&1) in *'ermission denied'*) refuse_dump unreadable ;; *) refuse_dump missing ;; esac
  fi
  dump=$(real "$given")
  put dump_path "$dump"
  [ -f "$dump" ] || refuse_dump special
  [ -r "$dump" ] || refuse_dump unreadable
  [ -s "$dump" ] || refuse_dump empty
  sweep_temporary
  make_temporary
  tmp=$temporary
  work=$tmp notes=$tmp
  (events=2 && while sleep 2 2>/dev/null; do emit elsewhere 0 "$(read_by reader)"; done) >/dev/null 9>&- &
  started $!
  put dump_bytes "$(size_of "$dump")"
  put dump_mtime "$(stat -c %Y "$dump" 2>/dev/null || date -r "$dump" +%s)"
  emit phase checksum "$(size_of "$dump")"
  run sha256sum <"$dump" >"$tmp/sum" 2>"$tmp/error" || refuse_dump unreadable "$(cat "$tmp/error")"
  read -r sum _ <"$tmp/sum"
  put dump_sha256 "$sum"
  compare_sums
  recognise_packing
  recognise_dump
  put dump_kind "$dump_kind"
}

# refuse_dump WORD [TEXT]: ends the job, which has done what it was asked for
refuse_dump() {
  [ -z "${2:-}" ] || put dump_said "$2"
  put dump_refused "$1"
  exit 0
}

# compare_sums: with the file beside it that names it, by sha256sum, by BSD's sha256, or with nothing but a hash in it
compare_sums() {
  names_it='' found=''
  for sums in "$given.sha256" "$dump.sha256"; do
    if [ ! -f "$sums" ] || [ ! -r "$sums" ]; then continue; fi
    found=1
    dd if="$sums" bs=65536 count=1 2>/dev/null | tr -d '\r' >"$tmp/sums"
    while read -r told of || [ -n "$told" ]; do
      if [ "$told" = SHA256 ]; then
        told=${of##* = } of=${of% = *}
        of=${of#"("} of=${of%")"}
      fi
      of=${of#\*}
      case ${#told}:$told in 64:*[!0-9A-Fa-f]*) continue ;; 64:*) ;; *) continue ;; esac
      case ${of##*/} in '' | "${given##*/}" | "${dump##*/}") ;; *) continue ;; esac
      names_it=agrees
      [ "$(printf '%s' "$told" | tr A-F a-f)" = "$sum" ] || refuse_dump sum "$told"
    done <"$tmp/sums"
  done
  [ -z "$found" ] || put dump_sidecar "${names_it:-other}"
}

# first_bytes FILE COUNT [SKIP]: as hexadecimal digits
first_bytes() { dd if="$1" bs=1 count="$2" skip="${3:-0}" 2>/dev/null | od -An -v -tx1 | tr -d ' \n'; }

# packing_of FILE: the name of what it is packed or encrypted with, by its first bytes; nothing when it is neither
packing_of() {
  case $(first_bytes "$1" 16) in
    28b52ffd* | 5?2a4d18*) echo zstd ;;
    1f8b08*) echo gzip ;;
    425a683[1-9]314159265359* | 425a683[1-9]17*) echo bzip2 ;;
    fd377a585a00*) echo xz ;;
    04224d18*) echo lz4 ;;
    4c5a4950*) echo lzip ;;
    5d0000????ff*) echo lzma ;;
    1f9d* | 1fa0*) echo compress ;;
    504b0304* | 504b0506*) echo zip ;;
    377abcaf271c*) echo 7z ;;
    526172211a07*) echo rar ;;
    6167652d656e6372797074696f6e*) echo age ;; # age-encryption.org
    53616c7465645f5f*) echo openssl ;;         # Salted__
    # packets of OpenPGP that begin a message: a session key, or one made from a passphrase; old and new format
    8c0d04* | 85????03* | 84??03* | c30d04* | c1????03* | c1??03* | d2????????01*) echo gpg ;;
    *)
      case $(dd if="$1" bs=64 count=1 2>/dev/null | tr -d '\000' | sed q) in
        '-----BEGIN AGE ENCRYPTED FILE-----'*) echo age ;;
        '-----BEGIN PGP MESSAGE-----'*) echo gpg ;;
      esac
      ;;
  esac
}

# recognise_packing: sets packing, and leaves the first 64 KiB of what is in it in the file `first`
recognise_packing() {
  packing=$(packing_of "$dump")
  case $packing in
    '' | zstd | gzip) need_packing ;;
    *) refuse_dump packed "$packing" ;;
  esac
  put dump_compression "${packing:-none}"
  unpack_into head -c 65536 <"$dump" >"$tmp/first" 2>"$tmp/error" || refuse_dump torn "$(cat "$tmp/error")"
  [ -s "$tmp/first" ] || refuse_dump hollow "${packing:-none}"
  [ -n "$packing" ] || return 0
  inner=$(packing_of "$tmp/first")
  [ -z "$inner" ] || refuse_dump nested "$inner"
}

# recognise_dump: sets dump_kind
recognise_dump() {
  if [ -n "$recognise_own" ] && "$recognise_own"; then return; fi
  case $(first_bytes "$tmp/first" 16) in
    53514c69746520666f726d6174203300) recognise_sqlite ;;
    5047444d50*) recognise_archive ;;
    fffe* | feff* | 2d002d00* | 002d002d*) refuse_dump utf16 ;;
    *)
      if [ "$(first_bytes "$tmp/first" 5 257)" = 7573746172 ]; then
        recognise_tar
      else
        [ "$(tr -d '\000' <"$tmp/first" | wc -c)" -eq "$(size_of "$tmp/first")" ] || refuse_dump unknown
        recognise_script
      fi
      ;;
  esac
}

# recognise_sqlite: a file that was copied in the middle of its life lacks what is in the one beside it
recognise_sqlite() {
  dump_kind=sqlite
  [ -z "$packing" ] || return 0
  [ ! -s "$dump-wal" ] || refuse_dump live "$dump-wal"
  [ "$(first_bytes "$dump-journal" 8)" != d9d505f920a163d7 ] || refuse_dump live "$dump-journal"
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

# recognise_script: PostgreSQL's; those of others are told apart by how they begin. Of one that pg_dump did not write nobody can tell
# whether it is whole.
recognise_script() {
  dump_kind=sql
  case $(first_bytes "$tmp/first" 3) in efbbbf) refuse_dump windows 'a byte order mark at its beginning' ;; esac
  case $(sed q "$tmp/first") in *"$carriage_return") refuse_dump windows 'lines that end in CRLF' ;; esac
  # of the first lines alone: what follows may quote anything
  sed 20q "$tmp/first" >"$tmp/head"
  if grep -q -i -e '^-- \(MySQL\|MariaDB\) dump' -e '^-- phpMyAdmin' -e '^/\*M\{0,1\}!' "$tmp/head"; then refuse_dump mysql; fi
  if grep -q '^-- PostgreSQL database cluster dump' "$tmp/head"; then refuse_dump cluster; fi
  if grep -q -i '^PRAGMA ' "$tmp/head"; then refuse_dump sqlite_script; fi
  if grep -q -e '^\\c ' -e '^\\connect ' "$tmp/first"; then refuse_dump create "$(sed -n 's/^\\c\(onnect\)\{0,1\} //p' "$tmp/first" | sed q)"; fi
  grep -q '^-- PostgreSQL database dump$' "$tmp/head" || refuse_dump unknown
  put dump_made_from "$(sed -n 's/^-- Dumped from database version //p' "$tmp/head" | sed q | cut -b 1-200)"
  put dump_made_by "$(sed -n 's/^-- Dumped by pg_dump version //p' "$tmp/head" | sed q | cut -b 1-200)"
  [ -n "$packing" ] || tail -n 20 "$dump" | grep -x -- '-- PostgreSQL database dump complete' >/dev/null || refuse_dump cut
}

carriage_return=$(printf '\r')

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
