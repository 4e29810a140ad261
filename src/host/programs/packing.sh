# shellcheck shell=sh
# How a payload is packed: the stages that its bytes go through, one word each, in the order of packing. Each is a program of its own,
# whose exit status counts. Empty: the bytes as they are.
packing=''

# choose_packing WANTED: by what the host has; sets compressor as well, the program that makes the payload smaller
choose_packing() {
  case $1 in
    none) packing='' ;;
    gzip) if have pigz; then packing=pigz; else packing=gzip; fi ;;
    zstd) packing=zstd ;;
    *) if have zstd; then packing=zstd; elif have pigz; then packing=pigz; else packing=gzip; fi ;;
  esac
  need_packing
  compressor=$packing
  put compressor "${packing:-none}"
  [ -z "$packing" ] || put compressor_version "$("$packing" --version 2>&1 | sed -n '/[0-9]\.[0-9]/{p;q;}')"
  add_encryption
}

# need_packing: the program of every stage is there
need_packing() {
  for stage in $packing; do
    have "$stage" || fail E_TOOL_MISSING "$stage"
    [ "$stage" != gpg ] || make_keyring
  done
}

pack_stage() {
  case $1 in
    zstd) exec zstd -q -c -T0 "-${level:-3}" ;;
    pigz) exec pigz -c "-${level:-6}" ;;
    gzip) exec gzip -c "-${level:-6}" ;;
    age | gpg) own "${1}_stage" ;;
    *) exit 127 ;;
  esac
  exit # with the status of that
}

unpack_stage() {
  case $1 in
    zstd) exec zstd -q -d -c ;;
    pigz | gzip) exec gzip -d -c ;;
    age | gpg) own "open_$1" ;;
    '') exec cat ;;
    *) exit 127 ;;
  esac
  exit
}

# unpack: stdin through every stage, the last one first, in a shell of its own. Fails when any of them does.
unpack() {
  case $packing in *' '*) own unpack_two ;; *) unpack_stage "$packing" ;; esac
  exit
}

# unpack_two: the last stage, and what is before it; the status of the one that is the reason
unpack_two() {
  between=${work:-$tmp}/unpacking_${#packing}
  rm -f "$between"
  mkfifo "$between" || return
  hold
  { unpack_as "${packing##* }" <&4 >"$between" 4<&- & } 4<&0
  outer=$! && started $outer
  unpack_as "${packing% *}" <"$between" &
  inner=$! && started $inner
  release
  wait $outer
  outer=$?
  wait $inner
  inner=$?
  # who was killed is the reason for what the other one says
  if was_killed $outer || [ $inner = 0 ]; then return $outer; else return $inner; fi
}

# was_killed STATUS: by somebody, or for want of memory; that says nothing of the data
was_killed() { case $1 in 137 | 143) ;; *) return 1 ;; esac }

# told_killed STATUS WHAT: ends the job when that was killed
told_killed() { ! was_killed "$1" || fail E_REMOTE_LOST "$2 was killed (status $1)"; }

# unpack_as PACKING: by these stages alone, in a shell of its own
unpack_as() {
  packing=$1
  unpack
}

# unpack_into FUNCTION ARGS...: what stdin unpacks to, for the function, whose output goes on; fails as it does. One that leaves before
# the end breaks the unpacking off; when it has read all, unpacking must have come to its end as well.
unpack_into() (
  exec 7>&1
  statuses=$({
    { (unpack) 7>&- 8>&-; echo "unpacked $?" >&8; } |
      { ("$@") >&7 7>&- 8>&-; echo "read $? left $(head -c 1 | wc -c | tr -d ' ')" >&8; }
  } 8>&1)
  status=${statuses#*read }
  status=${status%% *}
  [ "$status" = 0 ] || exit "$status"
  case $newline$statuses$newline in
    *"${newline}unpacked 0$newline"* | *" left 1$newline"*) ;;
    *) exit 1 ;;
  esac
)
