# shellcheck shell=sh
# An existing backup, proven anew.
foreign='' # a dump that this action did not make, which has no checksum beside it

# check_payload: the stored file against the manifest and the checksum beside it, before any tool reads a byte of it; then, where more is
# asked for, whether what encrypts it opens
check_payload() {
  if [ -L "$payload" ] || [ ! -f "$payload" ]; then fail E_CHECKSUM "$payload is missing, or is not a regular file"; fi
  [ "$(size_of "$payload")" = "$bytes" ] || fail E_CHECKSUM "$payload has $(counted "$(size_of "$payload")" byte), but the manifest says $bytes"
  [ -n "$foreign" ] || check_sidecar
  emit phase checksum "$bytes"
  run sha256sum <"$payload" >"$work/sum" 2>"$work/e1" || {
    check_space "$work" 64 # which may be elsewhere
    fail E_CHECKSUM "$payload could not be read: $(cat "$work/e1")"
  }
  read -r again _ <"$work/sum"
  [ "$again" = "$sha256" ] || fail E_CHECKSUM "the SHA-256 of $payload is $again, but the manifest says $sha256"
  [ "$verify" = checksum ] || open_payload "$payload"
}

# check_sidecar: the checksum beside a backup of ours
check_sidecar() {
  if [ -L "$payload.sha256" ] || [ ! -f "$payload.sha256" ]; then fail E_CHECKSUM "$payload.sha256 is missing, or is not a regular file"; fi
  [ "$(dd if="$payload.sha256" bs=512 count=1 2>/dev/null)" = "$sha256  $payload" ] ||
    fail E_CHECKSUM "$payload.sha256 does not match the manifest"
}

# unpack_to FILE BYTES: the payload, unpacked, which must come to exactly that many bytes
unpack_to() {
  check_space "$work" "$(($2 / 1024 + min_free_kib))"
  emit phase unpack "$2"
  : >"$1"
  # twice the size is the end in any case: shells count in different units
  run unpack_limited $(($2 / 512 + 64)) <"$payload" >"$1" 2>"$work/e1" || {
    status=$?
    told_killed $status "what unpacks $payload"
    failed E_CHECKSUM "$payload cannot be decompressed, or decompresses to more than its manifest says (status $status): $(cat "$work/e1")"
  }
  [ "$(size_of "$1")" = "$2" ] || fail E_CHECKSUM "$payload decompresses to $(counted "$(size_of "$1")" byte), but the manifest says $2"
}

unpack_limited() {
  ulimit -f "$1" 2>/dev/null
  unpack
}

# each_assert FUNCTION: the first value that each statement returns, by the function; which ones are true is for the runner to say
each_assert() {
  nth=0
  printf '%s\n' "$asserts" >"$work/asserts"
  while IFS= read -r statement; do
    [ -n "$statement" ] || continue
    nth=$((nth + 1))
    "$1" "$statement" >"$work/value" 2>"$work/value.error" || put "assert_error_$nth" "$(cat "$work/value.error")"
    put "assert_$nth" "$(dd if="$work/value" bs=1024 count=1 2>/dev/null | sed 's/|.*//; q')"
  done <"$work/asserts"
}

# hash_file FILE: of an existing backup
hash_file() {
  if [ -L "$1" ] || [ ! -f "$1" ]; then fail E_CHECKSUM "$directory/$1 is missing"; fi
  small_folder
  tell_reading
  run sha256sum <"./$1" >"$tmp/sum" || fail E_CHECKSUM "$directory/$1 could not be read"
  read -r sha256 _ <"$tmp/sum"
  put sha256 "$sha256"
}

# prove_payload PAYLOAD PACKING: of a backup that has lost its manifest, whether it is what the checksum beside it says, and how many
# bytes it unpacks to. What speaks against it is told as `unproven`; it is no failure.
prove_payload() {
  packing=$2
  for file in "$1" "$1.sha256"; do
    if [ -L "$file" ] || [ ! -f "$file" ]; then unproven "$file is missing, or is not a regular file"; fi
  done
  small_folder
  tell_reading
  run sha256sum <"$1" >"$tmp/sum" 2>"$tmp/error" || unproven "$1 could not be read: $(cat "$tmp/error")"
  read -r sha256 _ <"$tmp/sum"
  [ "$(dd if="$1.sha256" bs=512 count=1 2>/dev/null)" = "$sha256  $1" ] || unproven "its bytes do not match $1.sha256"
  for stage in $packing; do
    have "$stage" || unproven "$stage is not installed on the host to unpack it"
  done
  mkfifo "$tmp/plain" || failed E_PERM "mkfifo failed in $tmp"
  hold
  wc -c <"$tmp/plain" >"$tmp/count" 2>/dev/null 3>&- 9>&- & counting=$! && started $counting
  release
  run unpack <"$1" >"$tmp/plain" 2>"$tmp/error" || unproven "$1 cannot be unpacked: $(cat "$tmp/error")"
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
