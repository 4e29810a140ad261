# shellcheck shell=sh
# The commands of the user around the dump of a backup. The one after it is due as soon as the one before is begun.
hooked='' # the id of the work, when there are any
before_command='' after_command=''

# expect_hooks ID LIMIT BEFORE AFTER: the backup that follows has these, each of which may take LIMIT seconds
expect_hooks() {
  hooked=$1 command_limit=$2 before_command=$3 after_command=$4
  due='' begun=''
  [ -z "$after_command" ] || due=.work/hook.$hooked begun=$directory/.work/hook.$hooked.d
}

# before_dump: all that is cheap has been looked at. The note has the limit as well, for a run that finds it
before_dump() {
  [ -n "$hooked" ] || return 0
  [ -z "$due" ] || promise "# $command_limit$newline$after_command"
  [ -n "$before_command" ] || return 0
  put running before-command
  told_of=before_
  run_command "$before_command"
  rm -rf "$tmp"
  tmp=''
  [ "$status" = 0 ] || fail E_HOOK before-command
}

# dumped: what comes now needs the live database no more; in a stage, where it is told of the command by those that wait for the stage
dumped() {
  [ -n "$hooked" ] || return 0
  hold
  launch_promised
  release
}

# end_hooks: the command after the dump has been run, and its end is told
end_hooks() {
  if [ -z "$hooked" ] || [ -z "$due" ] || { [ ! -f "$due" ] && [ ! -d "$begun" ]; }; then return 0; fi
  put running after-command
  told_of=after_
  keep_promise
  rm -rf "$begun"
}

# settle_hooks: what is still due of backups that were cut off, of whatever database, by whoever has the lock now
settle_hooks() {
  own_due=$due own_begun=$begun own_limit=$command_limit
  for left_hook in .work/hook.*; do
    [ -e "$left_hook" ] || continue
    due=${left_hook%.d} begun=$directory/${left_hook%.d}.d told_of=left_ left_how='was run by itself'
    if [ -f "$due" ]; then left_how='had not been run, and was run first'; else await_launch; fi
    for left_file in "$due" "$begun/command"; do
      [ ! -f "$left_file" ] || read_limit "$left_file"
    done
    status=''
    keep_promise
    rm -rf "$begun"
    case $status:$left_how in
      0:*itself) ;;
      0:*) put note "the after-command of a backup that was cut off (${due#.work/hook.}) $left_how" ;;
      *) put note "the after-command of a backup that was cut off (${due#.work/hook.}) $left_how, and ${status:+ended with status }${status:-did not finish}. The application may still be in maintenance mode" ;;
    esac
  done
  due=$own_due begun=$own_begun command_limit=$own_limit told_of=''
}

# read_limit FILE: that of the run that has noted the command
read_limit() {
  read -r _ command_limit <"$1"
  case $command_limit in '' | *[!0-9]*) command_limit=600 ;; esac
}

# await_launch: the guard of a session whose shell was killed may be launching it in this moment
await_launch() {
  for _ in 1 2 3; do
    [ ! -e "$begun/process" ] && [ ! -L "$begun/status" ] || return 0
    sleep 1
  done
}
