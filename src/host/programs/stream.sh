# shellcheck shell=sh
# One pass over the data: source | compressor | file, with SHA-256 and byte count taken on the way, and the exit status
# of every stage. Each stage is a direct background child, so that signals are acted upon at once; none may fail at its
# redirection, or the others would wait in open() for ever: every file and fifo is made first.
compare='' hash_plain=''

# choose_compressor WANTED: sets compressor (zstd, pigz, gzip, none)
choose_compressor() {
  case $1 in
    none) compressor=none ;;
    gzip) if have pigz; then compressor=pigz; else compressor=gzip; fi ;;
    zstd) compressor=zstd ;;
    *) if have zstd; then compressor=zstd; elif have pigz; then compressor=pigz; else compressor=gzip; fi ;;
  esac
  [ "$compressor" = none ] || have "$compressor" || fail E_TOOL_MISSING "$compressor"
  put compressor "$compressor"
  [ "$compressor" = none ] || put compressor_version "$("$compressor" --version 2>&1 | sed -n '/[0-9]\.[0-9]/{p;q;}')"
}

compress() {
  case $compressor in
    zstd) exec zstd -q -c -T0 "-${level:-3}" ;;
    pigz) exec pigz -c "-${level:-6}" ;;
    gzip) exec gzip -c "-${level:-6}" ;;
    *) exec cat ;;
  esac
}

decompress() {
  case $compressor in
    zstd) exec zstd -q -d -c ;;
    pigz | gzip) exec gzip -d -c ;;
    *) exec cat ;;
  esac
}

# fifos NAME...: in the work folder
fifos() {
  for fifo; do
    mkfifo "$work/$fifo" || failed E_PERM "mkfifo failed in the work folder"
  done
}

# store FUNCTION ARGS...: what the function writes to stdout becomes $work/payload. With hash_plain its hash is taken before
# compression as well, which costs more than all the rest: only where nothing else proves what the payload decompresses to.
store() {
  for file in payload sum count plain_sum plain_count e1 e2 e3 e4 e5 e6; do
    (: >"$work/$file") 2>/dev/null || failed E_PERM "can not write in the work folder"
  done
  fifos source packed packed_hash packed_size file
  plain=$work/source plain_stages='' plain_names=''
  if [ -n "$hash_plain" ]; then
    fifos plain plain_hash plain_size
    plain=$work/plain plain_names=', tee, sha256sum, wc'
  fi
  hold # until each stage is known
  (events=3 && own "$@") 3>&1 >"$work/source" & s1=$! && started $s1
  compress <"$plain" >"$work/packed" 2>"$work/e2" & s2=$! && started $s2
  tee "$work/packed_hash" "$work/packed_size" <"$work/packed" >"$work/file" 2>"$work/e3" & s3=$! && started $s3
  # a stage of its own: on a full disk it dies and stops the rest at once
  cat <"$work/file" >"$work/payload" 2>"$work/e4" & s4=$! && started $s4
  sha256sum <"$work/packed_hash" >"$work/sum" 2>"$work/e5" & s5=$! && started $s5
  wc -c <"$work/packed_size" >"$work/count" 2>"$work/e5" & s6=$! && started $s6
  counter=$s2
  if [ -n "$hash_plain" ]; then
    tee "$work/plain_hash" "$work/plain_size" <"$work/source" >"$work/plain" 2>"$work/e1" & s7=$! && started $s7
    sha256sum <"$work/plain_hash" >"$work/plain_sum" 2>"$work/e6" & s8=$! && started $s8
    wc -c <"$work/plain_size" >"$work/plain_count" 2>"$work/e6" & s9=$! && started $s9
    plain_stages="$s7 $s8 $s9"
    counter=$s9
  fi
  [ -n "$compare" ] || note $counter counter # otherwise the one who reads the file tells how far it is
  release
  ended='' wrong=0
  for stage in $s1 $s2 $s3 $s4 $s5 $s6 $plain_stages; do
    wait "$stage"
    status=$?
    ended="$ended $status"
    [ $status = 0 ] || wrong=1
  done
  stages=''
  case $ended in ' 99 '*) exit 99 ;; esac
  [ $wrong = 0 ] ||
    failed E_DUMP_FAILED "exit status of source, $compressor, tee, write, sha256sum, wc$plain_names:$ended$newline$(cat "$work"/e?)"
  sync_file "$work/payload"
  read -r sha256 _ <"$work/sum"
  bytes=$(($(cat "$work/count")))
  plain_bytes=''
  [ -z "$compare" ] || plain_bytes=$(size_of "$compare")
  if [ -n "$hash_plain" ]; then
    read -r plain_sha256 _ <"$work/plain_sum"
    plain_bytes=$(($(cat "$work/plain_count")))
  fi
  # busybox tee and cat can miss a full disk
  if [ "$(size_of "$work/payload")" != "$bytes" ] || [ "$bytes" = 0 ]; then
    failed E_DUMP_FAILED "the file has $(counted "$(size_of "$work/payload")" byte), the stream had $bytes"
  fi
  put sha256 "$sha256"
  put bytes "$bytes"
  [ -z "$plain_bytes" ] || put plain_bytes "$plain_bytes"
}

not_whole='what the tool wrote is not whole, although it told of no error (is it a wrapper?)'

# read_back FUNCTION FILE: the payload again, from the disk: its own hash, and above the level checksum what it decompresses
# to, which the function reads; its status is 3 when that is no whole dump
read_back() {
  emit phase read_back "$bytes"
  if [ "$verify" = checksum ]; then
    run sha256sum "$2" >"$work/sum" 2>"$work/e1" || failed E_CHECKSUM "$(cat "$work/e1")"
  else
    fifos again unpack unpacked
    hold
    tee "$work/again" <"$2" >"$work/unpack" 2>"$work/e1" & s1=$! && started $s1
    decompress <"$work/unpack" >"$work/unpacked" 2>"$work/e2" & s2=$! && started $s2
    "$1" <"$work/unpacked" >"$work/plain_sum" 2>"$work/e3" & s3=$! && started $s3
    sha256sum <"$work/again" >"$work/sum" 2>"$work/e4" & s4=$! && started $s4
    note $s4 reader
    release
    ended=''
    for stage in $s1 $s2 $s3 $s4; do
      wait "$stage"
      ended="$ended $?"
    done
    stages=''
    rm -f "$work/unpacked" # who comes next in this folder may want a file of that name
    # cmp leaves at the first byte that differs, which ends the stages before it
    case $ended:$(cat "$work/plain_sum") in
      ' 0 0 0 0:'*) ;;
      ' 0 0 3 0:'*)
        read -r again _ <"$work/sum"
        [ "$again" != "$sha256" ] || failed E_DUMP_FAILED "$not_whole: $(cat "$work/e3")"
        ;;
      ' 0 0 1 0:'* | *' 1 0:'*differ*) fail E_CHECKSUM "what the backup decompresses to is not what went in: $(cat "$work/plain_sum" "$work/e3")" ;;
      *) failed E_CHECKSUM "reading the backup back failed; exit status of tee, $compressor, $1, sha256sum:$ended$newline$(cat "$work"/e[1-4])" ;;
    esac
    if [ -n "$hash_plain" ]; then
      read -r again _ <"$work/plain_sum"
      [ "$again" = "$plain_sha256" ] || fail E_CHECKSUM "what the backup decompresses to is not what went in: $again, $plain_sha256"
    fi
  fi
  read -r again _ <"$work/sum"
  [ "$again" = "$sha256" ] || fail E_CHECKSUM "the file on the disk ($again) is not what was written ($sha256)"
}

# compare_plain: what it reads is the copy; byte for byte where we may read that, otherwise by its hash
compare_plain() { if [ -n "$compare" ]; then exec cmp - "$compare"; else exec sha256sum; fi; }

# failed CODE TEXT: like fail, but a full disk is E_NOSPACE, whatever the tool that met it said. On a full disk the
# messages of the tools are lost as well, so the free space decides too.
failed() {
  free=$(free_kib .) inodes=$(free_inodes .)
  case $2 in
    *'No space left'* | *'isk is full'* | *'uota exceeded'*) set -- E_NOSPACE "$2" ;;
    *) if [ "${free:-64}" -lt 64 ] || [ "${inodes:-1}" -lt 1 ]; then set -- E_NOSPACE "$2"; fi ;;
  esac
  if [ "$1" = E_NOSPACE ]; then
    put nospace "${directory:-$(cd "${tmp:-.}/.." && pwd -P)}"
    set -- "$1" "$2; ${free:-unknown} KiB and ${inodes:-unknown} inodes are free"
  fi
  fail "$1" "$2"
}

# check_space FOLDER KIB
check_space() {
  free=$(free_kib "$1")
  if [ "${free:-$2}" -lt "$2" ]; then
    put nospace "$(cd "$1" && pwd -P)"
    put free_kib "$free"
    put needed_kib "$2"
    fail E_NOSPACE "$2 KiB are needed, $free KiB are free"
  fi
  inodes=$(free_inodes "$1")
  if [ "${inodes:-100}" -lt 40 ]; then
    put nospace "$(cd "$1" && pwd -P)"
    fail E_NOSPACE "$inodes inodes are free, 40 are needed"
  fi
}

# payload_kib KIND: the likely size of the new payload: as the newest one of its kind, else half of the database
payload_kib() {
  if [ "$compressor" = none ]; then
    echo $((source_bytes / 1024))
    return
  fi
  newest=''
  for file in "$name"-????????T??????Z-????."$1"*; do
    case $file in *.sha256) ;; *) newest=$file ;; esac
  done
  if [ -f "$newest" ]; then echo $(($(size_of "$newest") / 1024)); else echo $((source_bytes / 2048)); fi
}

# free_kib FOLDER: KiB that may be used there
free_kib() { free_of -Pk "$1"; }

# free_inodes FOLDER: nothing where the file system does not count them
free_inodes() { free_of -Pi "$1"; }

# free_of OPTIONS FOLDER: the column before the percentage
free_of() { df "$1" "$2" 2>/dev/null | sed -n '$s/.* \([0-9][0-9]*\)  *[0-9]*%.*/\1/p'; }

# size_of FILE: its bytes, 0 when it is not there
size_of() {
  # shellcheck disable=SC2046 # the fields of ls are meant to be split
  set -- $(ls -nd -- "$1" 2>/dev/null)
  echo "${5:-0}"
}

sync_file() { sync "$1" 2>/dev/null || sync; }
