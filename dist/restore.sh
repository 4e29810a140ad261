# shellcheck shell=sh
# What the restores of all engines share: the journal that the next run finds when this one dies.

# begin_restore ID NAME LIMIT: from here on the lock is kept until the session ends, the journal is that of the restore ID, and a command of
# the user may take LIMIT seconds
begin_restore() {
  restoring=$1 name=$2 command_limit=$3 hooked=''
  due=.work/start-$restoring begun=$directory/.work/started-$restoring.d
}

# put_journal TEXT: what is about to be done; empty: nothing any more
put_journal() {
  if [ -n "$1" ]; then put_text ".work/restore-$restoring" "$1" || failed E_PERM "the journal of the restore could not be written"; fi
  [ -n "$1" ] || rm -rf ".work/restore-$restoring" ".work/xact-$restoring" ".work/start-$restoring" ".work/start-$restoring.group" ".work/started-$restoring.d"
}

# journals NAME: of the restores that were cut off, those that this run has looked at apart
journals() {
  for file in ".work/restore-$1" ".work/restore-$1"-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z-[0-9a-f][0-9a-f][0-9a-f][0-9a-f]; do
    [ -f "$file" ] || continue
    case " $left_journals " in *" ${file#.work/} "*) ;; *) echo "${file#.work/}" ;; esac
  done
}

# check_journal: a restore that died is finished or undone before anything else is done with that database
check_journal() {
  [ -z "$restoring" ] || return 0
  for file in $(journals "$name"); do
    put journal_file "$file"
    put_file journal ".work/$file"
    fail E_UNFINISHED "$directory/.work/$file"
  done
}

# leave_journal FILE: it is not about the database of this run, which goes on
leave_journal() { left_journals="$left_journals $1"; }

# settle_journal FILE: nobody will bring that restore to an end any more; what was to be done stays readable
settle_journal() { mv -f ".work/$1" ".work/settled-$1" || fail E_PERM "could not rename the journal $directory/.work/$1"; }

# end_restore: the lock is given back as by any other command
end_restore() { restoring='' due=''; }

begin_step() {
  arguments "$@"
  if [ -n "$work" ]; then make_work; else
    small_folder
    work=$tmp
  fi
  undo=end_step
}

end_step() {
  undo=''
  discard "$work"
}
