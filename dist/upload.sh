# shellcheck shell=sh
# A file of the backup directory, sent by this host itself to an S3 store: in parts, by curl, through URLs that the runner has
# signed. They come over the session, and curl reads them from its stdin: they are in no file and on no command line.
into=''

# prepare_upload FILE PART_BYTES URL: whether this host can do that, and the MD5 of each part with the SHA-256 of all of them, of
# one and the same reading. URL is where the file will be, without a signature.
prepare_upload() {
  file=./$1 part=$2
  for tool in curl md5sum; do
    if ! have $tool; then
      put no_upload "it has no $tool"
      put lacking "$tool"
      return
    fi
  done
  upload_folder
  if ! reach_store "$3"; then
    put no_upload "it does not reach the store: $unreached"
    return
  fi
  mkfifo "$tmp/all" || failed E_PERM "mkfifo failed in $tmp"
  hold
  sha256sum <"$tmp/all" >"$tmp/sum" 2>"$tmp/e1" & summing=$! && started $summing
  exec 5>"$tmp/all" # open as long as there are parts
  release
  nth=0 size=$(size_of "$file")
  while [ $((nth * part)) -lt "$size" ]; do
    nth=$((nth + 1))
    hold
    part_of "$nth" | tee "$tmp/all" | md5sum >"$tmp/md5" 2>"$tmp/e2" & stage=$! && started $stage
    release
    wait $stage
    read -r md5 _ <"$tmp/md5"
    put md5 "$nth $md5"
  done
  exec 5>&-
  wait $summing || failed E_CHECKSUM "$directory/$1 could not be read: $(cat "$tmp/e1")"
  stages=''
  read -r sha256 _ <"$tmp/sum"
  put sha256 "$sha256"
}

# upload_parts FILE PART_BYTES WORKERS [NUMBER MD5 URL]...: tells of each part that the store took, and of the first that it did not
upload_parts() {
  file=./$1 part=$2 workers=$3
  shift 3
  upload_folder
  hold
  worker=0
  while [ $worker -lt "$workers" ]; do
    (own upload_share "$@") 3>&- 9>&- &
    started $!
    worker=$((worker + 1))
  done
  release
  for stage in $stages; do wait "$stage"; done
  stages=''
  for refused in "$tmp"/refused.*; do
    [ -f "$refused" ] || break
    put refused "$(cat "$refused")"
    worker=${refused##*.}
    put refused_said "$(dd if="$tmp/said.$worker" bs=2000 count=1 2>/dev/null)"
    put refused_body "$(dd if="$tmp/body.$worker" bs=2000 count=1 2>/dev/null)"
    break
  done
}

# upload_share [NUMBER MD5 URL]...: every so manieth of them; stops where another worker has
upload_share() {
  mkfifo "$tmp/part.$worker" || exit 1
  turn=0
  while [ $# -ge 3 ]; do
    if [ $((turn % workers)) = "$worker" ]; then
      for refused in "$tmp"/refused.*; do [ ! -f "$refused" ] || return 0; done
      upload_part "$@" || return 0
    fi
    turn=$((turn + 1))
    shift 3
  done
}

# upload_part NUMBER MD5 URL: curl holds it in its memory, since it sends the length first
upload_part() {
  hold
  part_of "$1" >"$tmp/part.$worker" & feeding=$! && started $feeding
  release
  config="url = \"$3\"$newline"'header = "Content-MD5: '"$2"'"'
  call_curl "$worker" -X PUT -H 'Expect:' -H 'Content-Type:' -D "$tmp/head.$worker" --data-binary "@$tmp/part.$worker" \
    --speed-limit 100 --speed-time 60
  status=$?
  kill $feeding 2>/dev/null # when curl did not come to reading it
  wait $feeding
  stages=''
  if [ "$status:$code" = 0:200 ]; then
    put part "$1 $(sed -n 's/^[Ee][Tt][Aa][Gg]: *//p' "$tmp/head.$worker" | tr -d '\r' | sed -n '$p')"
    return
  fi
  echo "$1 $status ${code:-000}" >"$tmp/refused.$worker"
  return 1
}

# part_of NUMBER: its bytes
part_of() { dd if="$file" bs=65536 skip=$((($1 - 1) * part / 65536)) count=$((part / 65536)) 2>/dev/null; }

# reach_store URL: without a signature; when there is no store, sets unreached
reach_store() {
  config="url = \"$1\""
  if ! call_curl 0 -I --max-time 20; then
    unreached=$(cat "$tmp/said.0")
    return 1
  fi
  unreached="what answers there, answers HTTP $code"
  case $code in 200 | 30[1278] | 40[01345]) ;; *) return 1 ;; esac
}

# call_curl WORKER OPTIONS...: curl with the lines of config; sets code, the status of its answer, whose body goes into `into`, else
# a file of ours
call_curl() {
  at=$1
  shift
  hold
  : >"$tmp/body.$at"
  printf '%s\n' "$config" |
    curl -q -sS -K - -o "${into:-"$tmp/body.$at"}" -w '%{http_code}' --connect-timeout 15 --max-filesize 1000000 "$@" \
      >"$tmp/code.$at" 2>"$tmp/said.$at" 3>&- 9>&- &
  asking=$!
  started $asking
  release
  wait $asking
  asked=$?
  code=$(cat "$tmp/code.$at")
  return $asked
}

# upload_folder: for what curl answers, and pipes; nothing of the backup is in it
upload_folder() { small_folder; }
