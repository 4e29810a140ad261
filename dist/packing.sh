# shellcheck shell=sh
# How a payload is packed: the stages that its bytes go through, one word each, in the order of packing. Each is a program of its own,
# whose exit status counts. Empty: the bytes as they are.
packing=''

# choose_packing WANTED: by what the host has
choose_packing() {
  case $1 in
    none) packing='' ;;
    gzip) if have pigz; then packing=pigz; else packing=gzip; fi ;;
    zstd) packing=zstd ;;
    *) if have zstd; then packing=zstd; elif have pigz; then packing=pigz; else packing=gzip; fi ;;
  esac
  need_packing
  put compressor "${packing:-none}"
  [ -z "$packing" ] || put compressor_version "$("$packing" --version 2>&1 | sed -n '/[0-9]\.[0-9]/{p;q;}')"
}

# need_packing: the program of every stage is there
need_packing() {
  for stage in $packing; do
    have "$stage" || fail E_TOOL_MISSING "$stage"
  done
}

pack_stage() {
  case $1 in
    zstd) exec zstd -q -c -T0 "-${level:-3}" ;;
    pigz) exec pigz -c "-${level:-6}" ;;
    gzip) exec gzip -c "-${level:-6}" ;;
  esac
  exit 127
}

unpack_stage() {
  case $1 in
    zstd) exec zstd -q -d -c ;;
    pigz | gzip) exec gzip -d -c ;;
    '') exec cat ;;
  esac
  exit 127
}

# unpack: stdin through every stage, the last one first, in a shell of its own. Fails when any of them does.
unpack() {
  case $packing in *' '*) ;; *) unpack_stage "$packing" ;; esac # which does not come back
  outer=${packing##* } packing=${packing% *}
  exec 7>&1
  statuses=$({
    { (unpack_stage "$outer") 7>&- 8>&-; echo "$?" >&8; } | { (unpack) >&7 7>&- 8>&-; echo "$?" >&8; }
  } 8>&1)
  [ "$statuses" = "0${newline}0" ]
  exit
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
