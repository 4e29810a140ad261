# shellcheck shell=sh
# One pass over the data: source | packing | file, with SHA-256 and byte count taken on the way, and the exit status
# of every stage. Each stage is a direct background child, so that signals are acted upon at once; none may fail at its
# redirection, or the others would wait in open() for ever: every file and fifo is made first.
compare='' hash_plain=''
seen='' # the reader has read what was packed, before it was encrypted

# fifos NAME...: in the work folder
fifos() {
  for fifo; do
    shift
    set -- "$@" "$work/$fifo"
  done
  mkfifo "$@" || failed E_PERM "mkfifo failed in the work directory"
}

# running_stage NAME PID: one more stage of a pipe that runs now
running_stage() {
  started "$2"
  running="$running $1:$2"
}

# await_stages: waits for all of them. Sets `ended` to how each did, and `wrong` to those that failed, ` NAME STATUS` each; fails when one did.
await_stages() {
  names='' ended='' wrong=''
  for one in $running; do
    wait "${one#*:}"
    status=$?
    names="$names, ${one%%:*}" ended="$ended $status"
    [ $status = 0 ] || wrong="$wrong ${one%%:*} $status"
  done
  ended=${names#, }:$ended stages='' running=''
  [ -z "$wrong" ]
}

# store READER FUNCTION ARGS...: what the function writes to stdout becomes $work/payload. With hash_plain its hash is taken before
# compression as well, which costs more than all the rest: only where nothing else proves what the payload decompresses to. What can not be
# read back, since it is encrypted for others, the reader gets here, on the way to the encryption: see read_back.
store() {
  plain_reader=$1
  shift
  files='payload sum count plain_sum plain_count read e1 e2 e3 e4 e5 e6 e_reader'
  for stage in $packing; do files="$files e_$stage e_un$stage"; done
  (for file in $files; do : >"$work/$file" || exit; done) 2>/dev/null || failed E_PERM "cannot write to the work directory"
  pipes='source packed_hash packed_size file' plain=$work/source running=''
  [ -z "$hash_plain" ] || pipes="$pipes plain plain_hash plain_size" plain=$work/plain
  for stage in $packing; do pipes="$pipes packed_$stage"; done
  if [ -z "$encrypt" ] || [ "$verify" = checksum ] || can_open; then seen=''; else
    seen=1 pipes="$pipes seen unseen${compressor:+ unpacked_$compressor}"
  fi
  # shellcheck disable=SC2086 # words
  fifos $pipes
  hold # until each stage is known
  (events=3 && own "$@") 3>&1 >"$work/source" & running_stage source $!
  counter=''
  from=$plain
  for stage in $packing; do
    if [ -n "$seen" ] && [ "$stage" = "$encrypt" ]; then
      tee "$work/seen" <"$from" >"$work/unseen" 2>"$work/e2" & running_stage tee $!
      start_reader "$work/seen" "$compressor"
      from=$work/unseen
    fi
    pack_stage "$stage" <"$from" >"$work/packed_$stage" 2>"$work/e_$stage" & running_stage "$stage" $!
    from=$work/packed_$stage counter=${counter:-$!}
  done
  tee "$work/packed_hash" "$work/packed_size" <"$from" >"$work/file" 2>"$work/e3" & running_stage tee $!
  counter=${counter:-$!}
  # a stage of its own: on a full disk it dies and stops the rest at once
  cat <"$work/file" >"$work/payload" 2>"$work/e4" & running_stage write $!
  sha256sum <"$work/packed_hash" >"$work/sum" 2>"$work/e5" & running_stage sha256sum $!
  wc -c <"$work/packed_size" >"$work/count" 2>"$work/e5" & running_stage wc $!
  if [ -n "$hash_plain" ]; then
    tee "$work/plain_hash" "$work/plain_size" <"$work/source" >"$work/plain" 2>"$work/e1" & running_stage tee $!
    sha256sum <"$work/plain_hash" >"$work/plain_sum" 2>"$work/e6" & running_stage sha256sum $!
    wc -c <"$work/plain_size" >"$work/plain_count" 2>"$work/e6" & running_stage wc $!
    counter=$!
  fi
  [ -n "$compare" ] || note "$counter" counter # otherwise the one who reads the file tells how far it is
  release
  await_stages || case $wrong in
    ' source 99'*) exit 99 ;;
    " $plain_reader 3") failed E_DUMP_FAILED "$not_whole: $(cat "$work/e_reader")" ;;
    *)
      refuse_other
      failed E_DUMP_FAILED "exit status of $ended$newline$(cat "$work"/e[1-9_]*)"
      ;;
  esac
  if [ -n "$encrypt" ] && [ "$(packing_of "$work/payload")" != "$encrypt" ]; then
    fail E_DUMP_FAILED "the output of $encrypt is not encrypted, although it reported no error (is it a wrapper?)"
  fi
  end_hooks
  sync_file "$work/payload"
  read -r sha256 _ <"$work/sum"
  read -r bytes <"$work/count"
  plain_bytes=''
  [ -z "$compare" ] || plain_bytes=$(size_of "$compare")
  if [ -n "$hash_plain" ]; then
    read -r plain_sha256 _ <"$work/plain_sum"
    read -r plain_bytes <"$work/plain_count"
  fi
  # busybox tee and cat can miss a full disk
  if [ "$(size_of "$work/payload")" != "$bytes" ] || [ "$bytes" = 0 ]; then
    failed E_DUMP_FAILED "the file has $(counted "$(size_of "$work/payload")" byte), but the stream had $bytes"
  fi
  put sha256 "$sha256"
  put bytes "$bytes"
  [ -z "$plain_bytes" ] || put plain_bytes "$plain_bytes"
}

not_whole='the output of the tool is not complete, although it reported no error (is it a wrapper?)'

# unlike TEXT: what came out again is not what went in
unlike() { fail E_CHECKSUM "the backup does not decompress to what was written: $1"; }

# refuse_other: when that is what the reader has found; cmp leaves at the first byte that differs, which ends the stages before it
refuse_other() {
  case $wrong:$(cat "$work/read") in
    " $plain_reader 1:"* | *" $plain_reader 1:"*differ*) unlike "$(cat "$work/read" "$work/e_reader")" ;;
  esac
}

# start_reader PIPE PACKING: starts the stages that unpack what comes from there, and the reader, which leaves what it found in the file
# `read`; its status is 3 when that is no whole dump
start_reader() {
  coming=$1 unpacking=''
  for packer in $2; do unpacking="$packer $unpacking"; done
  for packer in $unpacking; do
    unpack_stage "$packer" <"$coming" >"$work/unpacked_$packer" 2>"$work/e_un$packer" & running_stage "un$packer" $!
    coming=$work/unpacked_$packer
  done
  "$plain_reader" <"$coming" >"$work/read" 2>"$work/e_reader" & running_stage "$plain_reader" $!
}

# read_back READER FILE: the payload again, from the disk: its own hash, and above the level checksum what it decompresses to
read_back() {
  plain_reader=$1
  emit phase read_back "$bytes"
  if [ "$verify" = checksum ] || [ -n "$seen" ]; then
    run sha256sum "$2" >"$work/sum" 2>"$work/e1" || failed E_CHECKSUM "$(cat "$work/e1")"
  else
    pipes='again stored' running=''
    for stage in $packing; do pipes="$pipes unpacked_$stage"; done
    # shellcheck disable=SC2086 # words
    fifos $pipes
    hold
    tee "$work/again" <"$2" >"$work/stored" 2>"$work/e1" & running_stage tee $!
    start_reader "$work/stored" "$packing"
    sha256sum <"$work/again" >"$work/sum" 2>"$work/e4" & running_stage sha256sum $!
    note $! reader
    release
    await_stages || {
      read -r again _ <"$work/sum"
      [ -z "$foreign" ] || case $again:$wrong in "$sha256: $plain_reader 3") fail E_CHECKSUM "$2 is not whole: $(cat "$work/e_reader")" ;; esac
      case $again:$wrong in "$sha256: $plain_reader 3") failed E_DUMP_FAILED "$not_whole: $(cat "$work/e_reader")" ;; esac
      refuse_other
      method=$(method_of "$packing")
      case "$wrong " in *" un$method 141 "*) ;; *" un${method:-of nothing} "*) not_opened "$(cat "$work/e_un$method")" ;; esac
      [ "$wrong" = " $plain_reader 3" ] || failed E_CHECKSUM "reading the backup back failed; exit status of $ended$newline$(cat "$work"/e[1-9_]*)"
    }
  fi
  read -r again _ <"$work/sum"
  [ "$again" = "$sha256" ] || fail E_CHECKSUM "the file on the disk ($again) is not what was written ($sha256)"
  if [ -n "$hash_plain" ] && [ "$verify" != checksum ]; then
    read -r again _ <"$work/read"
    [ "$again" = "$plain_sha256" ] || unlike "$again, $plain_sha256"
  fi
}

# compare_plain: what it reads is the copy; byte for byte where we may read that, otherwise by its hash. On the way, the copy is there when its
# first byte comes.
compare_plain() {
  if [ -z "$compare" ]; then exec sha256sum; fi
  if [ -z "$seen" ]; then exec cmp - "$compare"; fi
  dd bs=1 count=1 2>/dev/null >"$work/first"
  cat "$work/first" - | cmp - "$compare"
}

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
    fail E_NOSPACE "$2 KiB needed, $free KiB free"
  fi
  inodes=$(free_inodes "$1")
  if [ "${inodes:-100}" -lt 40 ]; then
    put nospace "$(cd "$1" && pwd -P)"
    fail E_NOSPACE "40 inodes needed, $inodes free"
  fi
}

# payload_kib KIND: the likely size of the new payload: as the newest one of its kind, else half of the database
payload_kib() {
  if [ -z "$compressor" ]; then
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
free_of() {
  column=$(df "$1" "$2" 2>/dev/null)
  column=${column##*"$newline"}
  case $column in *'% /'*) column=${column%%'% /'*} ;; *) return 0 ;; esac
  column=${column%[!0-9]*}
  while case $column in *' ') ;; *) false ;; esac do column=${column% }; done
  column=${column##* }
  case $column in *[!0-9]*) ;; *) echo "$column" ;; esac
}

# size_of FILE: its bytes, 0 when it is not there
size_of() {
  # shellcheck disable=SC2046 # the fields of ls are meant to be split
  set -- $(ls -nd -- "$1" 2>/dev/null)
  echo "${5:-0}"
}

# sync_file FILE...
sync_file() { sync "$@" 2>/dev/null || sync; }
