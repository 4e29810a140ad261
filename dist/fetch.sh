# shellcheck shell=sh
# A backup that is brought back from an S3 store: by this host itself, with curl, through a URL that the runner has signed, or sent
# by the runner. The file is in a folder of its own until the session ends, since a restore reads it in several jobs; it never gets
# a name in the backup directory.

# expect_fetched ID: the folder, which the session's shell and its guard must know, to remove it. Without an ID, as in a dry run, it
# is a temporary one.
expect_fetched() {
  [ -z "$fetched" ] || discard "$fetched"
  if [ -n "$1" ]; then
    fetched=$directory/.work/$1
    error=$(mkdir -m 700 "$fetched" 2>&1) || refused "$directory" "$error"
  else
    choose_place
    make_temporary
    fetched=$temporary
  fi
  put fetched "$fetched"
  watch
}

# room_for_fetched BYTES MIN_FREE_KIB
room_for_fetched() {
  [ "$fetched" != "${fetched#"$directory"/}" ] || sweep_temporary
  put needed_for fetched
  check_space "$fetched" $(($1 / 1024 + 1024 + $2))
}

# prepare_fetch URL: whether this host can do it by itself. URL is where the file is, without a signature.
prepare_fetch() {
  if ! have curl; then
    put no_fetch "it has no curl"
    put lacking curl
    return
  fi
  upload_folder
  reach_store "$1" || put no_fetch "it does not reach the store: $unreached"
}

# fetch_file FILE BYTES ETAG URL: what is still missing of it. Tells how much there is, and how the store refused the rest.
fetch_file() {
  upload_folder
  into=$fetched/$1
  config="url = \"$4\""
  [ -z "$3" ] || config=$config$newline'header = "If-Match: \"'"$3"'\""'
  tell_fetched 9>&- &
  started $!
  # -f: the body of an answer that is no success must not get into the file
  call_curl 0 -f -C "$(size_of "$into")" --max-filesize "$2" --speed-limit 100 --speed-time 60
  status=$?
  stop_stages
  if [ $status = 23 ]; then
    put nospace "${fetched%/*}"
    fail E_NOSPACE "$(cat "$tmp/said.0")"
  fi
  size=$(size_of "$into")
  put fetched_bytes "$size"
  [ "$size" -lt "$2" ] || return 0
  [ $status != 33 ] || rm -f "$into" # the store does not send a part of it
  put refused "$status ${code:-000}"
  put refused_said "$(dd if="$tmp/said.0" bs=2000 count=1 2>/dev/null)"
  case $code in [45]??) ;; *) return 0 ;; esac
  into='' # once more for its words, which were thrown away
  call_curl 1 -r 0-0
  put refused "$status $code"
  put refused_body "$(dd if="$tmp/body.1" bs=2000 count=1 2>/dev/null)"
}

# tell_fetched: how much there is, as long as there comes more
tell_fetched() {
  told=0
  while sleep 1; do
    size=$(size_of "$into")
    [ "$size" = "$told" ] || put fetched_bytes "$size"
    told=$size
  done
}

# check_fetched FILE: what has come, before anything else reads it
check_fetched() {
  into=$fetched/$1
  put fetched_bytes "$(size_of "$into")"
  sync_file "$into"
  emit phase checksum "$(size_of "$into")"
  upload_folder
  run sha256sum <"$into" >"$tmp/sum" || failed E_CHECKSUM "$into could not be read"
  read -r sha256 _ <"$tmp/sum"
  put fetched_sha256 "$sha256"
}

# accept_fetched FILE SHA256: it gets beside it what every backup has
accept_fetched() {
  printf '%s  %s\n' "$2" "$fetched/$1" >"$fetched/$1.sha256" || failed E_NOSPACE "the checksum could not be written"
}
