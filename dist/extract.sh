# shellcheck shell=sh
# One table of a backup, into a file of the folder that goes with the session (expect_fetched). Nothing is written in the backup
# directory, and its lock is not needed.

# begin_extract: sets work to that folder
begin_extract() {
  work=$fetched notes=$fetched
  put temporary "$work"
  tell_extracting 9>&- &
  teller=$!
  started $teller
}

# tell_extracting: how far it is, as long as there is a folder
tell_extracting() {
  events=2
  while sleep 2 2>/dev/null && [ -d "$work" ]; do
    emit elsewhere "$(($(size_of "$work/copy.db") + $(size_of "$work/payload")))" "$(read_by reader)"
  done >/dev/null
}

end_extract() {
  stop "$teller"
  return 0
}

# unheard STATUS TEXT: ends the job when the stage that says so was not read to its end. On a full disk there is no room for why.
unheard() {
  case $1:$2 in 141:* | 269:* | *'roken pipe'*) ;; *) return 0 ;; esac
  cd "$work" || exit 141
  failed E_DUMP_FAILED "the rows could not be written$newline$(cat e3 e4)"
}

# keep_extracted FUNCTION: what it writes, as the file `payload`
keep_extracted() {
  packed_as=$packing packing='' encrypt='' verify=checksum hash_plain='' compare=''
  directory=$work # of which is told that it is full
  store cat "$1"
  end_extract
}
