# shellcheck shell=sh
# PostgreSQL: what a restore to an earlier moment would lose, counted in the WAL that the live server still has.

# count_lost MOMENT: `lost_commits N`, the transactions that have written something and were committed after the moment (UTC), and `lost_more`
# where there may be others, since that WAL does not go back so far. At most 256 segments are read.
count_lost() {
  [ -x "${cluster_bin}pg_waldump" ] || return 0
  (ask_sql 'SELECT pg_walfile_name(pg_current_wal_insert_lsn())') >wal.name 2>lost.error || return 0
  read -r last_wal <wal.name
  case $last_wal in *[!0-9A-F]* | '') return 0 ;; esac
  # when a segment was written for the last time; those that wait to be used again have a later name
  digits=$(raw "${1%.*}" | tr -d ': -')
  TZ=UTC0 touch -t "${digits%??}.${digits#????????????}" moment || return 0
  find "$cluster/pg_wal/" -type f -name "${last_wal%????????????????}????????????????" -newer moment >newer
  find "$cluster/pg_wal/" -type f -name "${last_wal%????????????????}????????????????" >there
  for wal_list in newer there; do
    sed 's,.*/,,' $wal_list | sort | awk -v last="$last_wal" '$1 <= last' >$wal_list.sorted
  done
  read -r first_wal <newer.sorted || {
    put lost_commits 0
    return 0
  }
  read -r oldest <there.sorted
  [ "$first_wal" != "$oldest" ] || put lost_more 1
  if [ "$(grep -c . newer.sorted)" -gt 256 ]; then
    put lost_more 1
    first_wal=$(tail -n 256 newer.sorted | sed q)
  fi
  # it ends with an error, where the WAL ends
  attend dump_commits >commits 2>lost.error
  put lost_commits "$(awk -v moment="$1" '{ sub(/^.* desc: COMMIT(_PREPARED [0-9]+:)? /, "") } substr($0, 1, 26) > moment' commits | grep -c .)"
}

dump_commits() {
  TZ=UTC0 "${cluster_bin}pg_waldump" -p "$cluster/pg_wal" -r Transaction "$first_wal" "$last_wal" | grep ' desc: COMMIT'
}
