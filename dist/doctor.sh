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

# look_program WORD: what a command of the user begins with
look_program() {
  put program "$(cd && command -v "$1")"
}

# look_sudo USER WORD...: whether sudo would run that as this user (empty: root), and what the account may do at all. Nothing is run.
look_sudo() {
  have sudo || fail E_TOOL_MISSING sudo
  as=$1
  shift
  put program "$(command -v "$1")"
  said=$(sudo -n -l ${as:+-u "$as"} -- "$@" 2>&1 </dev/null)
  put sudo_status $?
  put sudo_said "$said"
  put sudo_rules "$(sudo -n -l 2>/dev/null </dev/null)"
}
