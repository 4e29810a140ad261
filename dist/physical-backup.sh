# shellcheck shell=sh
# PostgreSQL: a set of a whole cluster in the repository of its stanza, and what of the repository goes again.

# backup_physical NAMED-ARGUMENTS: from the lock to a set that was read back; its manifest is another request
# takes: asserts connection container holder id jobs kind level lock_wait min_free_kib name password run_as scratch_database stanza verify wanted
backup_physical() {
  arguments "$@"
  [ -n "$directory" ] || exit 99
  put directory "$directory"
  take_lock
  sweep
  list_backups
  check_space . 64 # on a full disk not even what the next steps find could be kept
  make_work
  reach_elsewhere
  set -- connection "$connection" password "$password" stanza "$stanza"
  passing_on E_DUMP_FAILED 'the look at the cluster' elsewhere look_physical "$@"
  before_dump
  live E_DUMP_FAILED 'the backup' take_physical "$@" id "$id" kind "$kind" jobs "$jobs" lock_wait "$lock_wait"
  dumped
  read -r label <"$work/out"
  sha256='' type=default target='' timeline=''
  prove_physical
  end_hooks
}

# prove_physical: the set `label`, elsewhere
prove_physical() {
  live E_CHECKSUM 'the check of the set' prove_set connection "$connection" password "$password" stanza "$stanza" label "$label" \
    verify "$verify" type "$type" target "$target" target_timeline "$timeline" asserts "$asserts" sha256 "$sha256" \
    scratch_database "$scratch_database" jobs "$jobs" min_free_kib "$min_free_kib"
}

# live CODE WHAT FUNCTION ARGS...: runs it elsewhere, while what it tells goes to the runner at once; what it prints is in $work/out
live() {
  otherwise=$1 doing=$2
  shift 2
  hold
  (events=3 && own elsewhere "$@") 3>&1 >"$work/out" &
  lively=$!
  started $lively
  release
  wait $lively
  status=$?
  case $status in
    0) ;;
    99) exit 99 ;;
    *) failed "$otherwise" "$doing ended with status $status" ;;
  esac
}

# inspect_physical NAMED-ARGUMENTS: what a backup would find; writes nothing
# takes: asserts connection container level min_free_kib name password run_as stanza verify wanted
inspect_physical() {
  arguments "$@"
  small_folder
  work=$tmp
  list_backups
  if [ -n "$directory" ] && is_held; then put lock_holder "$(show_holder)"; fi
  reach_elsewhere
  passing_on E_DUMP_FAILED 'the look at the cluster' \
    elsewhere look_physical connection "$connection" password "$password" stanza "$stanza"
  put backup_kib $((min_free_kib + 1024))
}

# repository_physical NAMED-ARGUMENTS: what the repository has
# takes: asserts container level min_free_kib name run_as stanza verify wanted
repository_physical() {
  begin_step "$@"
  reach_elsewhere
  passing_on E_DUMP_FAILED 'the look at the repository' elsewhere read_repository stanza "$stanza"
  end_step
}

# look_physical NAMED-ARGUMENTS: the cluster as its server tells it
look_physical() {
  arguments "$@"
  enter_physical
  find_cluster
  look_at_server
}

# look_at_server: that the server of `database` is the one of the stanza, and what it says of itself
look_at_server() {
  [ -n "$system_id" ] || fail E_SOURCE_MISSING "$cluster is no data directory of PostgreSQL, or a damaged one"
  find_postgres
  postgres_environment
  cat >server.sql <<SQL
SELECT 'server_version ' || encode(convert_to(current_setting('server_version'), 'UTF8'), 'hex');
SELECT 'in_recovery ' || pg_is_in_recovery();
SELECT 'system_identifier ' || system_identifier FROM pg_control_system();
SELECT 'on_server ' || encode(convert_to(d.datname, 'UTF8'), 'hex') FROM pg_database d WHERE d.datallowconn AND NOT d.datistemplate ORDER BY 1;
SELECT 'source_bytes ' || sum(pg_database_size(oid)) FROM pg_database WHERE has_database_privilege(oid, 'CONNECT');
SQL
  { run sql -c 'SET search_path = pg_catalog' -f server.sql >server.facts 2>server.error; } || postgres_failed $? server.error
  tell_facts server.facts
  server_id=$(sed -n 's/^system_identifier //p' server.facts)
  [ "$server_id" = "$system_id" ] || fail E_SOURCE_INVALID 'the server is another one than that of the stanza'
}

# begin_sign: sets sign, the process of a sign of life that goes on until end_sign
begin_sign() {
  while sleep 5 2>/dev/null; do emit waits; done >/dev/null 9>&- &
  sign=$!
}

# end_sign: where something is taken back signals are ignored, and so they are by what was started there
end_sign() {
  kill -KILL "$sign" 2>/dev/null
  wait "$sign" 2>/dev/null
}

# attend FUNCTION ARGS...: as run, with a sign of life while it goes on: pgBackRest has time-outs of its own, and says nothing for hours
attend() {
  begin_sign
  started $sign
  run "$@"
  attended=$?
  stop $sign
  return $attended
}

# patient SECONDS FILE COMMAND ARGS...: the same for what needs the lock of the stanza, which another pgBackRest may hold for that long. What
# it says is in the file.
patient() {
  patience=$(($(date +%s) + $1)) said=$2
  shift 2
  while
    attend "$@" 2>"$said"
    attended=$?
    [ $attended = 50 ] && [ "$(date +%s)" -lt $patience ] && grep -q 'unable to acquire lock.*temporarily unavailable' "$said"
  do
    emit waits
    sleep 2
  done
  return $attended
}

# take_physical NAMED-ARGUMENTS: that WAL reaches the repository, and then a set
take_physical() {
  arguments "$@"
  enter_physical
  find_cluster
  emit phase archive 0
  attend backrest check >/dev/null 2>check.said || {
    attended=$?
    put archiver_said "$(archiver_said)"
    backrest_failed $attended check.said
  }
  emit phase copy $(($(du_kib "$cluster/base") * 1024))
  follow_backup &
  follower=$!
  started $follower
  patient "$lock_wait" backup.said exec_backup || {
    attended=$?
    put archiver_said "$(archiver_said)"
    backrest_failed $attended backup.said
  }
  stop $follower
  made=$(sed -n 's/.*INFO: new backup label = \([0-9DFI_-]*\)$/\1/p' backup.said | tail -n 1)
  [ -n "$made" ] || fail E_DUMP_FAILED "pgBackRest ended well, and named no backup: $(backrest_said backup.said)"
  put made_label "$made"
  echo "$made"
  backrest_said backup.said >warnings
  [ ! -s warnings ] || put made_warnings "$(grep -v 'retention-full\|to retain full backups' warnings)"
}

# exec_backup: in the time zone of the account, by which pgBackRest names its backups: one that is named earlier than the last is refused
exec_backup() {
  unset TZ
  [ -z "$login_zone" ] || export TZ="$login_zone"
  exec pgbackrest --stanza="$stanza" --log-level-console=off --log-level-stderr=detail --log-timestamp=n ${jobs:+--process-max="$jobs"} \
    --type="$kind" --start-fast --no-expire-auto --annotation="db-backup=$id" backup
}

du_kib() {
  # shellcheck disable=SC2046 # the fields of du
  set -- $(du -sk "$1" 2>/dev/null)
  echo "${1:-0}"
}

# follow_backup: how far it is, from the share that it names of each file
follow_backup() {
  size=$(du_kib "$cluster/base")
  while sleep 2 2>/dev/null; do
    share=$(tail -n 5 backup.said 2>/dev/null | sed -n 's/.* DETAIL: .*, \([0-9]\{1,3\}\)\.[0-9]*%).*/\1/p' | tail -n 1)
    [ -z "$share" ] || emit elsewhere $((size * 1024 * share / 100)) 0
  done >/dev/null 9>&-
}

# archiver_said: the last of what the server's log says of archiving: pgBackRest only sees that nothing arrives
archiver_said() {
  log=''
  { read -r postmaster <"$cluster/postmaster.pid" && log=$(readlink "/proc/$postmaster/fd/2"); } 2>/dev/null
  if [ -f "$cluster/current_logfiles" ]; then
    collected=$(sed -n 's/^stderr //p' "$cluster/current_logfiles")
    case $collected in /*) log=$collected ;; ?*) log=$cluster/$collected ;; esac
  fi
  if [ -f "$log" ]; then
    # the lines before each failure are of the command
    tail -n 400 "$log" 2>/dev/null | tr -cd '\12\40-\176\200-\377' | awk '
      /archive command failed/ { said = said_before "\n" $0; said_before = ""; next }
      / (LOG|DETAIL|FATAL|WARNING|HINT|STATEMENT): / { said_before = ""; next }
      { said_before = said_before substr($0, 1, 300) "\n" }
      END { print said }' | dd bs=2048 count=1 2>/dev/null
  fi
}

# prove_set NAMED-ARGUMENTS: the set `label`, at the level of `verify`; then what the repository has. What pgBackRest finds wrong it says, and
# ends well: what it says decides, on the runner.
prove_set() {
  arguments "$@"
  enter_physical
  emit phase checksum 0
  read_set "$sha256"
  if [ "$verify" != checksum ]; then
    # every byte of the set and of the WAL; before 2.55 of all sets
    emit phase check 0
    attend quiet_backrest --set="$label" --output=text --verbose verify >verify.text 2>verify.said || backrest_failed $? verify.said
    tr -cd '\12\40-\176' <verify.text >verify.clean
    put_file verified_text verify.clean
  fi
  tell_repository
  [ "$verify" = restore ] || return 0
  [ -n "$target_timeline" ] || target_timeline=$timeline
  find_postgres
  postgres_environment
  # by trust, who it is makes no difference, but it has to be one who may all
  scratch_role=$( (ask_sql "SELECT rolname FROM pg_roles WHERE oid = 10") 2>/dev/null) || scratch_role=$(connection_value user)
  [ -n "$scratch_role" ] || scratch_role=$my_name
  try_scratch
}

# verify_physical NAMED-ARGUMENTS: of a set that is there
# takes: asserts bytes connection container foreign jobs kind label level min_free_kib name packing password payload plain_bytes proven
# takes: run_as scratch_database sha256 stanza target timeline type verify wanted
verify_physical() {
  begin_step "$@"
  reach_elsewhere
  prove_physical
  end_step
}

# expire_physical NAMED-ARGUMENTS: sets go, with what depends on them, and the WAL that no set needs any more. `sets` has a line for each that
# is named: that one, and then all that pgBackRest may remove with it; `fulls` is how many full ones remain
# takes: asserts container fulls level lock_wait min_free_kib name repo run_as sets stanza verify wanted
expire_physical() {
  # after a backup its folder is there still
  if [ -n "$work" ] && [ -d "$work" ]; then discard "$work"; fi
  begin_step "$@"
  reach_elsewhere
  live E_ROTATE 'removing sets' expire_sets stanza "$stanza" repo "$repo" sets "$sets" fulls "$fulls" lock_wait "$lock_wait"
  end_step
}

expire_sets() {
  arguments "$@"
  enter_physical
  need_number fulls "$fulls"
  need_number repo "$repo"
  printf '%s\n' "$sets" >going
  while read -r label others; do
    [ -n "$label" ] || continue
    for how in --dry-run ''; do
      patient "$lock_wait" expire.said keep_all 9999999 $how --set="$label" </dev/null || backrest_failed $? expire.said
      doomed=$(sed -n 's/.*INFO: .*remove expired backup \([0-9DFI_-]*\)$/\1/p' expire.said | sort)
      # shellcheck disable=SC2086 # labels
      [ "$doomed" = "$(printf '%s\n' "$label" $others | sort)" ] ||
        fail E_ROTATE "pgBackRest would remove other sets than planned: $(raw "$doomed" | tr '\n' ' ')"
    done
    for gone in $label $others; do put expired "$gone"; done
  done <going
  # Every full set that is there by now counts, also one whose manifest nobody can read: with one too few, the WAL of the oldest would go.
  run quiet_backrest info --output=json --repo="$repo" >remaining 2>info.error || backrest_failed $? info.error
  fulls_there=$(awk '{ gsub(/[{},]/, "\n"); print }' remaining | grep -c '^"label":"[0-9]\{8\}-[0-9]\{6\}F"$') || :
  [ "$fulls_there" -le "$fulls" ] || fulls=$fulls_there
  # the sets that remain are as many as there are, so that none goes here
  [ "$fulls" = 0 ] || patient "$lock_wait" expire.said keep_all "$fulls" || backrest_failed $? expire.said
}

# keep_all FULLS ARGS...: expire, by nothing but what is named: whatever the configuration says of how many are kept, that is not for this
# run. WAL stays back to the full set with that number, from the newest.
keep_all() {
  archive=$1
  shift
  exec pgbackrest --stanza="$stanza" --log-level-console=off --log-level-stderr=info --repo="$repo" "--repo$repo-retention-full-type=count" \
    "--repo$repo-retention-full=9999999" "--repo$repo-retention-diff=9999999" "--repo$repo-retention-archive-type=full" \
    "--repo$repo-retention-archive=$archive" "$@" expire
}
