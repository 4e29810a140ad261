# shellcheck shell=sh
# PostgreSQL: the tablespaces of a cluster that is put back: each is where it was, beside what is there, and takes its place with the cluster.

# each_tablespace FUNCTION: with the number of each tablespace of the cluster and its place
each_tablespace() {
  for space in "$cluster"/pg_tblspc/*; do
    [ -L "$space" ] || continue
    place=$(readlink "$space")
    oid=${space##*/}
    case $oid in *[!0-9]*) continue ;; esac
    case $place in /*) "$1" "$oid" "$place" ;; *) fail E_SOURCE_INVALID "$space leads to $place" ;; esac
  done
}

tell_tablespace() {
  [ -w "$2" ] || put parent_unwritable "$2"
  put tablespace_kib "$(du_kib "$2")"
}

# refuse_spaces: of the set, where it is not known whose files would be moved aside. A cluster whose data directory is lost has no links any
# more: what is in its places goes aside, unless another cluster has a link to it.
refuse_spaces() {
  if [ -s set.odd ]; then
    put odd_space "$(sed q set.odd)"
    fail E_RESTORE "$label"
  fi
  while read -r oid kib place; do
    for version in "$place"/PG_"$major"_*; do
      [ -d "$version" ] || continue
      user=$(user_of_space "$place")
      if [ -z "$user" ] && [ -O "$version" ]; then
        if leads_to "$cluster" "$place" || [ ! -d "$cluster/pg_tblspc" ]; then continue; fi
      fi
      put foreign_space "$place"
      [ -z "$user" ] || put foreign_cluster "$user"
      fail E_RESTORE "$version"
    done
  done <set.spaces
}

# user_of_space PLACE: the data directory of another cluster that has a tablespace there: one whose server runs, or that Debian knows
user_of_space() {
  for process in /proc/[0-9]*; do
    { [ -d "$process/cwd/pg_tblspc" ] && read -r master <"$process/cwd/postmaster.pid"; } 2>/dev/null || continue
    [ "$process" != "/proc/$master" ] || uses_space "$process/cwd" "$1" || return 0
  done
  for file in /etc/postgresql/*/*/postgresql.conf; do
    [ -r "$file" ] || continue
    data=$(sed -n "s/^ *data_directory *=\{0,1\} *'\([^']*\)'.*/\1/p" "$file" | tail -n 1)
    [ -z "$data" ] || uses_space "$data" "$1" || return 0
  done
}

# uses_space DATA PLACE: says its path, and fails, when it is another data directory than ours and has a tablespace there
uses_space() {
  real=$(real_path "$1")
  if [ -z "$real" ] || [ "$real" = "$(real_path "$cluster")" ] || ! leads_to "$1" "$2"; then return 0; fi
  echo "$real"
  return 1
}

real_path() { (cd "$1" 2>/dev/null && pwd -P); }

# leads_to DATA PLACE: a tablespace of that data directory is there
leads_to() {
  for link in "$1"/pg_tblspc/*; do
    if [ -L "$link" ] && [ "$(real_path "$link")" = "$(real_path "$2")" ]; then return 0; fi
  done
  return 1
}

# note_spaces: of the tablespaces of the set, and of those that the live cluster has besides (`-`): recovery could write into their files when
# it comes to where they were created. `major MAJOR`, `space OID LIVE PLACE`; LIVE is 1 when something is there now.
note_spaces() {
  need_number 'the version of the set' "$major"
  { cat set.spaces && each_tablespace tell_live_space; } >spaces
  {
    echo "major $major"
    while read -r oid kib place; do
      live=0
      for version in "$place"/PG_"$major"_*; do [ ! -d "$version" ] || live=1; done
      echo "space $oid $live $place"
    done <spaces
  } >"$noted" || failed E_RESTORE "cannot write $noted"
}

tell_live_space() { cut -d ' ' -f 3- set.spaces | grep -Fqx -e "$2" || echo "- 0 $2"; }

# each_space FUNCTION: with OID, LIVE and PLACE of each that is noted; sets major
each_space() {
  [ -f "$noted" ] || return 0
  while read -r word oid live place; do
    case $word in
      major) major=$oid ;;
      space) "$1" "$oid" "$live" "$place" ;;
    esac
  done <"$noted"
}

# make_space OID LIVE PLACE: where the new one of it goes
make_space() {
  [ "$1" != - ] || return 0
  { mkdir -p "$3" && mkdir -m 700 "$3/db_backup_new_$id"; } || failed E_PERM "cannot make a directory in $3"
  maps="$maps$1=$3/db_backup_new_$id$newline"
}

drop_new_space() { rm -rf "$3/db_backup_new_$id"; }

# swap_space OID LIVE PLACE: what is there goes aside, what is new gets in, and the link of the cluster leads to the place
swap_space() {
  aside=$3/db_backup_old_$id waiting=$3/db_backup_new_$id
  for version in "$3"/PG_"$major"_*; do
    [ -d "$version" ] || continue
    [ -d "$aside" ] || mkdir -m 700 "$aside" || failed E_RESTORE "cannot make $aside"
    mv "$version" "$aside/" || failed E_RESTORE "$version could not be moved"
  done
  [ "$1" != - ] || return 0
  for version in "$waiting"/PG_*; do
    if [ -d "$version" ]; then mv "$version" "$3/" || failed E_RESTORE "$version could not be moved"; fi
  done
  rmdir "$waiting" 2>/dev/null
  ln -sfn "$3" "$cluster/pg_tblspc/$1" || failed E_RESTORE "the link $cluster/pg_tblspc/$1 could not be set"
}

# space_back OID LIVE PLACE: as often as need be
space_back() {
  aside=$3/db_backup_old_$id
  if [ "$2" = 0 ]; then
    for version in "$3"/PG_"$major"_*; do
      if [ -d "$version" ]; then rm -rf "$version" || exit 1; fi
    done
  fi
  for version in "$aside"/PG_*; do
    [ -d "$version" ] || continue
    { rm -rf "${3:?}/${version##*/}" && mv "$version" "$3/"; } || exit 1
  done
  if [ -d "$aside" ]; then rmdir "$aside"; fi
  drop_new_space "$@"
}

# tell_old_space OID LIVE PLACE
tell_old_space() {
  rmdir "$3/db_backup_old_$id" 2>/dev/null
  [ ! -d "$3/db_backup_old_$id" ] || put old_directory "$3/db_backup_old_$id"
}
