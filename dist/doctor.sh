# shellcheck shell=sh
# What a run needs of the host, looked at one by one. Nothing is written but in a temporary folder.

# look_host: what is there
look_host() {
  for tool in $engine_tools $needed_tools; do
    have "$tool" || put missing_tool "$tool"
  done
  for tool in flock zstd gzip curl age gpg sudo docker podman; do
    ! have "$tool" || put tool "$tool"
  done
  client=${SSH_CONNECTION:-}
  put client "${client%% *}"
  [ -z "${SSH_ORIGINAL_COMMAND:-}" ] || put forced 1
}

# look_encryption: whether the tool takes the keys, and whether what decrypts opens what is encrypted
look_encryption() {
  small_folder
  work=$tmp
  packing=''
  add_encryption
  can_open || return 0
  put opens 0
  # shellcheck disable=SC2034 # of pack_stage: nothing has to be made expensive to guess
  derivations=2048
  (pack_stage "$encrypt") </dev/null >"$work/probe" 2>"$work/e_open" || return 0
  passphrase=${encrypt_passphrase:-$decrypt_passphrase}
  opens "$work/probe" || return 0
  put opens 1
}

# look_directory DIRECTORY UMASK: as the next run that changes something would find it
look_directory() {
  open_directory "$1" "$2" look
  [ -z "$directory" ] || check_work_folder
}

# program_at WORD PATH: the file that a shell with that PATH would start
program_at() {
  case $1 in
    */*)
      if [ -f "$1" ] && [ -x "$1" ]; then echo "$1"; fi
      return
      ;;
  esac
  rest=$2:
  while [ -n "$rest" ]; do
    folder=${rest%%:*} rest=${rest#*:}
    if [ -n "$folder" ] && [ -f "$folder/$1" ] && [ -x "$folder/$1" ]; then
      echo "$folder/$1"
      return
    fi
  done
}

# look_program WORD: what a command of the user begins with: a file, or a word of the shell itself
look_program() {
  cd || return 0
  found=$(program_at "$1" "$PATH")
  if [ -z "$found" ]; then case $(command -v "$1") in */* | '') ;; *) found=$1 ;; esac fi
  put program "$found"
}

# look_sudo USER WORD...: whether sudo would run that as this user (empty: root), and what the account may do at all. Nothing is run.
look_sudo() {
  have sudo || fail E_TOOL_MISSING sudo
  small_folder
  work=$tmp notes=$tmp as=$1
  shift
  # sudo has a PATH of its own, and what others can write is nobody's to be run as root
  found=$(program_at "$1" /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
  put program "$found"
  # shellcheck disable=SC2046 # the fields of ls are meant to be split
  [ -z "$found" ] || put program_owner "$(set -- $(ls -Lnd "$found") && echo "$1 $3")"
  run sudo -n -l ${as:+-u "$as"} -- "$@" </dev/null >"$tmp/said.0" 2>&1
  put sudo_status $?
  put sudo_said "$(cat "$tmp/said.0")"
  run sudo -n -l </dev/null >"$tmp/said.0" 2>/dev/null
  put sudo_rules "$(cat "$tmp/said.0")"
}
