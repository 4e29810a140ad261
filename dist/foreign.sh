# shellcheck shell=sh
# Dumps that this action did not make: what such a file is, told by its bytes alone.

# A function for each engine, that of this session first. It is told by `form` what was found: text, bytes, or the folder `given`; the first
# 64 KiB, unpacked, are in the file `first`, of a text the first lines in `head`. It sets dump_kind, refuses what can not be restored, or
# fails: it is none of its dumps.
recognisers=''
carriage_return=$(printf '\r')

# look_dump PATH: a job of its own. What is no dump that can be restored is told as `dump_refused`, for the runner to put into
# words. Its hash is taken first: whatever is said of it here is said of those bytes.
look_dump() {
  given=$(absolute "$1")
  put dump_given "$given"
  if [ -d "$given" ]; then
    form=folder
    recognised || refuse_dump folder
  fi
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
  run sha256sum <"$dump" >"$tmp/sum" 2>"$tmp/error" || {
    check_space "$tmp" 64
    refuse_dump unreadable "$(cat "$tmp/error")"
  }
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
    8c??04* | 8c??05* | 85????03* | 84??03* | c3??04* | c3??05* | c1????03* | c1??03* | d2????????01*) echo gpg ;;
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
  method=$(method_of "$packing")
  if [ -n "$method" ]; then
    open_dump
    put dump_encryption "$method"
  fi
  compressor=${packing%"$method"} compressor=${compressor% }
  case $compressor in
    '' | zstd | gzip) need_packing ;;
    *) refuse_dump packed "$compressor" ;;
  esac
  put dump_compression "${compressor:-none}"
  unpack_into head -c 65536 <"$dump" >"$tmp/first" 2>"$tmp/error" || refuse_dump torn "$(cat "$tmp/error")"
  [ -s "$tmp/first" ] || refuse_dump hollow "${packing:-none}"
  [ -n "$packing" ] || return 0
  inner=$(packing_of "$tmp/first")
  [ -z "$inner" ] || refuse_dump nested "$inner"
}

# open_dump: what is encrypted, where there is something that may open it; adds to packing what is in it
open_dump() {
  case $method in
    age) [ -n "$decrypt_age" ] || refuse_dump packed age ;;
    gpg) [ -n "$decrypt_gpg$decrypt_passphrase$encrypt_passphrase" ] || refuse_dump packed gpg ;;
  esac
  open_payload "$dump"
  unpack_into head -c 64 <"$dump" >"$tmp/first" 2>"$tmp/error" || refuse_dump torn "$(cat "$tmp/error")"
  packing=$(packing_of "$tmp/first")
  packing="${packing:+$packing }$method"
}

# recognise_dump: sets dump_kind
recognise_dump() {
  form=bytes
  if [ "$(tr -d '\000' <"$tmp/first" | wc -c)" -eq "$(size_of "$tmp/first")" ]; then
    form=text
    # of the first lines alone: what follows may quote anything
    sed 20q "$tmp/first" >"$tmp/head"
    if grep -q -i -e '^-- \(MySQL\|MariaDB\) dump' -e '^-- phpMyAdmin' -e '^/\*M\{0,1\}!' "$tmp/head"; then refuse_dump mysql; fi
  fi
  recognised || refuse_dump unknown
}

recognised() {
  for recognise in $recognisers; do "$recognise" && return; done
  return 1
}
