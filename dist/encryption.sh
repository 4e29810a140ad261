# shellcheck shell=sh
# Encryption as a stage of the packing, by age or gpg as they are on the host. A tool reads its secret from a pipe: none is ever an argument,
# in an environment, or in a file. One exception: gpg takes keys from its own folder alone. Each job makes one, of its own and in memory
# where there is a file system in memory, and removes it; nothing of the user's is read or written.

# what the account has exported would stay so
unset encrypt encrypt_for encrypt_to encrypt_passphrase decrypt_age decrypt_gpg decrypt_passphrase passphrase keys
encrypt='' encrypt_for='' encrypt_to='' encrypt_passphrase='' decrypt_age='' decrypt_gpg='' decrypt_passphrase=''
passphrase='' # the one that is tried
keyring=''    # the folder of gpg
derivations=65011712 # bytes that gpg hashes for each passphrase, the most there are: one that is guessed costs as much

# encrypt_with METHOD RECIPIENTS FINGERPRINTS PASSPHRASE: how new payloads are encrypted: by age or gpg; for the public keys of that text,
# of which gpg is told by fingerprints, or with the passphrase
encrypt_with() { encrypt=$1 encrypt_for=$2 encrypt_to=$3 encrypt_passphrase=$4; }

# decrypt_with IDENTITIES KEYS PASSPHRASE: what opens encrypted payloads: those of age, those of gpg
decrypt_with() { decrypt_age=$1 decrypt_gpg=$2 decrypt_passphrase=$3; }

# given TEXT FUNCTION ARGS...: like run, and what the function becomes reads the text on fd 3
given() {
  hold
  { raw "$1$newline" 3>&- 9>&- | { shift && "$@" 3<&0 <&4 4<&- 9>&-; } & } 4<&0
  child=$!
  started $child
  note $child reader
  release
  wait $child
}

# add_encryption: as the last stage of the packing; whether it works is seen on nothing at all, before there is anything to encrypt
add_encryption() {
  [ -n "$encrypt" ] || return 0
  packing="${packing:+$packing }$encrypt"
  need_packing
  put encryption "$encrypt"
  put encryption_version "$("$encrypt" --version 2>&1 | sed q)"
  passphrase=${encrypt_passphrase:-$decrypt_passphrase} # of the key that opens it
  run try_encryption </dev/null >/dev/null 2>"$work/e_$encrypt" && return
  put not_encrypting "$encrypt"
  key_refused "$(cat "$work/e_$encrypt")"
}

# key_refused TEXT: by a tool, which says so; where the folder of gpg is full, that is not the fault of the key
key_refused() {
  case $1 in *'No space left'* | *'uota exceeded'*) [ -z "$keyring" ] || no_room_for_keys "${keyring%/*}" "$1" ;; esac
  failed E_INPUT "$1"
}

no_room_for_keys() {
  put nospace "$1"
  put keys_in "$1"
  fail E_NOSPACE "$2"
}

# try_encryption: of nothing, for which the passphrase need not be made as expensive to guess
try_encryption() {
  derivations=2048
  pack_stage "$encrypt"
}

# can_open: whether what is encrypted here can be decrypted here
can_open() {
  case $encrypt in
    age) [ -n "$decrypt_age" ] ;;
    gpg) [ -n "$encrypt_passphrase$decrypt_gpg" ] ;;
  esac
}

# method_of PACKING: age, gpg, or nothing; it is always the last stage
method_of() {
  case ${1##* } in age | gpg) echo "${1##* }" ;; esac
}

# open_payload FILE: decrypts it to its end, and to nothing, before anything uses a byte of what is in it: gpg knows only there whether it is
# whole. Sets passphrase to the one that fits.
open_payload() {
  need_packing
  [ -n "$(method_of "$packing")" ] || return 0
  emit phase decrypt "$(size_of "$1")"
  passphrase=$decrypt_passphrase said=''
  opens "$1" && return
  said=$(cat "$work/e_open")
  # backups of this run are encrypted with another one
  if [ -n "$encrypt_passphrase" ] && [ "$encrypt_passphrase" != "$passphrase" ]; then
    passphrase=$encrypt_passphrase
    opens "$1" && return
    # of the first it may be known that it fits, and what it opens is damaged
    [ "$(why_closed "$said")" = damage ] || said=$(cat "$work/e_open")
  fi
  not_opened "$said"
}

opens() {
  run unpack_as "${packing##* }" <"$1" >/dev/null 2>"$work/e_open"
  status=$?
  told_killed $status "what decrypts $1"
  return $status
}

# not_opened TEXT: what the tool said
not_opened() {
  put not_opened "$(why_closed "$1")"
  failed E_DECRYPT "$(printf '%s\n' "$1" | sed '/^\[GNUPG:\]/d; /^age: report unexpected/d')"
}

# why_closed TEXT: as far as the tool tells
why_closed() {
  case $newline$1 in
    *'passphrase-encrypted but identities'*) echo age-passphrase ;;
    *"no secret was given"* | *"$newline"'age: error: no identity matched'*) echo key ;;
    *"${newline}[GNUPG:] NEED_PASSPHRASE_SYM"*PASSPHRASE"$newline"* | *"${newline}[GNUPG:] "*' 11_BAD_PASSPHRASE'*) echo passphrase ;;
    *DECRYPTION_KEY*) echo damage ;;
    *"${newline}[GNUPG:] ENC_TO "*) echo key ;;
    *) echo damage ;;
  esac
}

# age_stage: stdin encrypted for the recipients
age_stage() { given "$encrypt_for" age_here -e -R /dev/fd/3; }

# open_age: stdin decrypted
open_age() {
  [ -n "$decrypt_age" ] || { echo 'no secret was given' >&2 && return 1; }
  given "$decrypt_age" age_here -d -i /dev/fd/3
}

age_here() {
  can_be_opened
  exec age "$@"
}

# can_be_opened: the pipe of `given`, by its name in /dev/fd; those of ksh93 are sockets
can_be_opened() {
  [ -S /dev/fd/3 ] || return 0
  echo 'the sh of the host is ksh93, whose pipes are sockets, which cannot be opened by name: use dash or bash as sh' >&2
  exit 1
}

# make_keyring: the folder of gpg, with the keys of this run. The path of its socket must be short.
make_keyring() {
  [ -z "$keyring" ] || return 0
  full=''
  for memory in "${XDG_RUNTIME_DIR:-}" /dev/shm "${TMPDIR:-}" /var/tmp /tmp; do
    case $memory in /*) [ ${#memory} -le 60 ] || continue ;; *) continue ;; esac
    keyring=$(mktemp -d "$memory/db-backup.XXXXXX" 2>/dev/null) || continue
    ! has_some_room "$keyring" || break
    full=$memory keyring=''
  done
  [ -n "$keyring$full" ] || fail E_PERM 'gpg needs its own directory, and none can be created in /dev/shm, /var/tmp or /tmp'
  [ -n "$keyring" ] || no_room_for_keys "$full" 'there is no room for the folder of gpg'
  process_of $$ >"$keyring/session"
  note "$keyring" keyring
  [ "$encrypt" != gpg ] || import_keys encryption-recipients "$encrypt_for" # those of age are none of its
  import_keys decryption-key "$decrypt_gpg"
}

# import_keys INPUT KEYS
import_keys() {
  if [ -z "$2" ] || given "$2" import_here 2>"$work/e_gpg"; then return; fi
  put not_imported "$1"
  key_refused "$(cat "$work/e_gpg")"
}

# remove_keyring FOLDER: with the agent that works in it
remove_keyring() {
  case $1 in /*/db-backup.??????) ;; *) return 0 ;; esac
  [ -O "$1" ] && [ ! -L "$1" ] || return 0
  gpgconf --homedir "$1" --kill all >/dev/null 2>&1 </dev/null
  gpgconf --homedir "$1" --remove-socketdir >/dev/null 2>&1 </dev/null
  rm -rf "$1"
}

# forget_keyring FOLDER: the one that is noted in that work folder
forget_keyring() {
  if read -r noted <"$1/keyring"; then remove_keyring "$noted"; fi 2>/dev/null
}

# gpg_here ARGS...: becomes a gpg that knows nothing but what it was given
gpg_here() {
  exec gpg --homedir "$keyring" --no-options --batch --no-tty --quiet --no-auto-key-retrieve --no-auto-check-trustdb --ignore-time-conflict "$@"
}

import_here() {
  can_be_opened
  gpg_here --import /dev/fd/3
}

# gpg_stage: stdin encrypted. Its own compression would cost more than all the rest; and without a count gpg asks an agent for one.
gpg_stage() {
  set -- --no-autostart --compress-algo none --set-filename ''
  if [ -n "$encrypt_passphrase" ]; then
    given "$encrypt_passphrase" gpg_here "$@" --pinentry-mode loopback --no-symkey-cache --passphrase-fd 3 \
      --cipher-algo AES256 --s2k-digest-algo SHA256 --s2k-count "$derivations" --symmetric
  else
    for one in $encrypt_to; do set -- "$@" -r "$one"; done
    run gpg_here "$@" --trust-model always --encrypt
  fi
}

# open_gpg: stdin decrypted. gpg ends with 0 where it was cut in its header, and where nobody has encrypted it: it has to say that it has
# decrypted one message, and that it is whole. What it says goes to stderr when it has failed.
open_gpg() {
  told=$(mktemp "$keyring/told.XXXXXX") || return
  set --
  [ -n "$decrypt_gpg" ] || set -- --no-autostart
  given "$passphrase" gpg_here "$@" --pinentry-mode loopback --no-symkey-cache --passphrase-fd 3 --status-file "$told" --decrypt
  status=$?
  if [ $status = 0 ] && [ "$(grep -c '^\[GNUPG:\] DECRYPTION_OKAY$' "$told"):$(grep -c '^\[GNUPG:\] GOODMDC$' "$told")" != 1:1 ]; then
    echo 'gpg reported neither an error nor a complete message: the file is truncated, or not encrypted' >&2
    status=3
  fi
  # PLAINTEXT has the name of the file, which in damaged data may be the beginning of what is in it
  [ $status = 0 ] || sed '/^\[GNUPG:\] PLAINTEXT /d' "$told" >&2
  rm -f "$told"
  return $status
}
