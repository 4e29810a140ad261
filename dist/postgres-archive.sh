# shellcheck shell=sh
# PostgreSQL: what a dump holds, read to its end.

# archived TABLE-OF-CONTENTS: the database that the archive was made from, and the tables whose data is in it; sets tables_archived;
# `4; 0 16385 TABLE DATA public docs owner`
archived() {
  put archived_from "$(printf '%s\n' "$1" | sed -n 's/^;  *dbname: //p' | sed q)"
  listed=$(printf '%s\n' "$1" | sed -n 's/^[0-9]*; [0-9]* \([0-9]*\) TABLE DATA .*/\1/p')
  put archived "$listed"
  tables_archived=$(printf '%s\n' "$listed" | grep -c .) || tables_archived=0
}

# restore_tool ARGS...: pg_restore where the tools are, reading the archive from stdin; in a container to its end, since the
# client of Docker takes an input that nobody reads any more for an error
restore_tool() {
  if [ -z "$container" ]; then exec "${pg_bin}pg_restore" "$@"; fi
  # shellcheck disable=SC2016 # it is the shell there that expands it
  exec "$engine" exec -i "$container" sh -c '"$0" "$@" && cat >/dev/null' "${pg_bin}pg_restore" "$@"
}

# read_archive: to the end of the file in any case, so that its hash tells whether it is the file or what pg_dump wrote; a
# pg_restore that was led astray may stop early and tell of no error
read_archive() {
  if [ -n "$once" ]; then read_and_list; else read_to_end; fi
}

once='' # the archive is encrypted: to open it again for its table of contents takes time, or can not be done

# read_and_list: the same, and leaves the table of contents in the file `contents`; there is a fifo `toc`
read_and_list() {
  { (restore_tool -l) && cat >/dev/null; } <"$work/toc" >"$work/contents" 2>"$work/e_toc" &
  listing=$!
  tee "$work/toc" | read_to_end
  status=$?
  wait $listing || : >"$work/contents"
  return $status
}

read_to_end() {
  (restore_tool -f /dev/null)
  status=$?
  rest=$(($(wc -c)))
  case $status in
    0)
      [ $rest -gt 65536 ] || return 0
      echo "pg_restore did not read the last $(counted "$rest" byte)" >&2
      return 3
      ;;
    1) return 3 ;;
    *) return $status ;;
  esac
}

# read_script: a plain dump that was cut between two statements restores without an error; only its last line tells. Its tables
# can be counted; in the rows nothing begins a line by accident that looks so.
read_script() {
  tail -n 20 <"$work/ending" | grep -x -- '-- PostgreSQL database dump complete' >/dev/null &
  ending=$!
  tee "$work/ending" | grep -c '^-- Data for Name: .*; Type: TABLE DATA; Schema: ' >"$work/archived"
  wait $ending && return
  echo 'the line "PostgreSQL database dump complete" is missing at its end' >&2
  return 3
}

# read_tar: its hash was taken on the way; here it is compared
read_tar() { exec sha256sum; }

# read_contents FILE: sets `contents` to the table of contents of an archive, which pg_restore reads no further than it has to
read_contents() {
  if [ -n "$once" ]; then
    contents=$(cat "$work/contents")
    [ -n "$contents" ] || failed E_CHECKSUM "the table of contents could not be read: $(cat "$work/e_toc")"
    return
  fi
  contents=$(unpack_into restore_tool -l <"$1" 2>"$work/e1" 9>&-) ||
    failed E_CHECKSUM "the table of contents could not be read: $(cat "$work/e1")"
}

list_archive() {
  read_contents "$1"
  archived "$contents"
}

# count_copies: of a script, how many tables it fills
count_copies() { grep -c ' FROM stdin;$' || [ $? = 1 ]; }

# read_entries: the names of the files of a tar, each read without unpacking it
read_entries() { exec tar -tf -; }
