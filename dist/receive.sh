# shellcheck shell=sh
# A file that the runner sends: in a shell of its own, beside the session. `command`, since functions come in from bash login shells
# through the environment.
set +aefmuvxC # whatever SHELLOPTS says

# receive_file MARK FOLDER FILE: the rest of stdin. The runner waits for the line `ready` before it sends a byte of it: until then
# shells read their stdin in blocks. The session knows by our working directory that we belong to it.
receive_file() {
  umask 077
  if ! cd -P -- "$2" 2>/dev/null || [ -e "$3" ] || [ -L "$3" ]; then
    command printf '\n%s refused\n' "$1"
    return
  fi
  command printf '\n%s ready\n' "$1"
  command cat >"./$3"
  command printf '\n%s end %s\n' "$1" $?
}
