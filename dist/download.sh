# shellcheck shell=sh
# A file of the backup directory, for the runner, on stdout: in a shell of its own, beside the session. `command`, since functions
# come in from bash login shells through the environment.
set +aefmuvxC # whatever SHELLOPTS says

# send_file MARK DIRECTORY FILE: between two lines that begin with MARK, whatever a login script printed before; the last one has
# always the same length
send_file() {
  if ! cd -P -- "$2" 2>/dev/null || [ -L "$3" ] || [ ! -f "$3" ]; then
    command printf '\n%s missing\n' "$1"
    return
  fi
  # shellcheck disable=SC2046 # the fields of ls are meant to be split
  set -- "$1" "$3" $(command ls -nd -- "./$3")
  command printf '\n%s size %s\n' "$1" "$7"
  command cat "./$2"
  command printf '\n%s end %03d\n' "$1" $?
}
