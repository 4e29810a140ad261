# shellcheck shell=sh
# PostgreSQL: a cluster is put back. The new data directory is restored beside the live one while the server goes on, both are renamed while
# it is stopped, and the old one stays beside it: it is the way back. Until the restore is accepted the archive is held: the server archives
# nothing, so that a time line that is given up leaves no trace in the repository, where it would lead later recoveries astray.
#
# What is beside a data directory DATA, of the restore ID: DATA.db_backup_new_ID, DATA.db_backup_old_ID, DATA.db_backup_turn_ID, the process of
# the step that is at work, and DATA.db_backup_note_ID, which says where the tablespaces are and how the server ran, and in its last line
# `done` when the restored one has come up. In the place of each tablespace a db_backup_new_ID and db_backup_old_ID as well.
new='' old='' noted='' turn='' postmaster='' options='' server_log=''

# What stands for the archive_command as long as the archive is held: it fails, so that nothing is thrown away
hold_command='/bin/false db_backup_hold'

# look_restore_physical NAMED-ARGUMENTS: the cluster that would be replaced, and the repository. `moment`: to which one is restored, or empty
# takes: asserts connection container label level min_free_kib moment name password run_as sha256 stanza verify wanted
look_restore_physical() {
  begin_step "$@"
  reach_elsewhere
  passing_on E_RESTORE 'the look at the cluster' \
    elsewhere look_at_cluster connection "$connection" password "$password" stanza "$stanza" label "$label" sha256 "$sha256" \
    moment "$moment"
  end_step
}

# load_restore_physical NAMED-ARGUMENTS: the new data directory, complete, beside the live one
# takes: asserts connection container id jobs label level lock_wait min_free_kib name password run_as sha256 stanza target timeline type verify wanted
load_restore_physical() {
  step_physical load_cluster "$@"
}

# swap_restore_physical NAMED-ARGUMENTS: the new one in the place of the live one, and recovered; or everything as it was
# takes: asserts connection container id jobs label level lock_wait min_free_kib name password run_as sha256 stanza target timeline type verify wanted
swap_restore_physical() {
  step_physical swap_cluster "$@"
}

# back_restore_physical NAMED-ARGUMENTS: the old one again, also after the restored one has come up
# takes: asserts connection container id jobs label level lock_wait min_free_kib name password run_as sha256 stanza target timeline type verify wanted
back_restore_physical() {
  step_physical back_cluster "$@"
}

# settle_restore_physical NAMED-ARGUMENTS: the restored one is accepted: it archives again; the old one stays
# takes: asserts connection container id jobs label level lock_wait min_free_kib name password run_as sha256 stanza target timeline type verify wanted
settle_restore_physical() {
  step_physical settle_cluster "$@"
}

# recover_restore_physical NAMED-ARGUMENTS: after a run that died; by what is there
# takes: asserts connection container id jobs label level lock_wait min_free_kib name password run_as sha256 stanza target timeline type verify wanted
recover_restore_physical() {
  step_physical recover_cluster "$@"
}

# step_physical FUNCTION NAMED-ARGUMENTS
step_physical() {
  function=$1
  shift
  begin_step "$@"
  reach_elsewhere
  live E_RESTORE 'the restore' "$function" connection "$connection" password "$password" stanza "$stanza" id "$id" label "$label" \
    type "$type" target "$target" target_timeline "$timeline" jobs "$jobs" sha256 "$sha256" min_free_kib "$min_free_kib"
  end_step
}

# enter_step NAMED-ARGUMENTS: elsewhere: what every step has to know
enter_step() {
  arguments "$@"
  case $id in '' | *[!A-Za-z0-9._-]*) fail E_INTERNAL 'the id of the restore is malformed' ;; esac
  enter_physical
  find_cluster
  new=$cluster.db_backup_new_$id old=$cluster.db_backup_old_$id noted=$cluster.db_backup_note_$id
  undo_first=1 backrest_code=E_RESTORE
  take_turn
}

# take_turn: one step at a time: that of a run that was killed may still be taking back what it had begun
take_turn() {
  turn=$cluster.db_backup_turn_$id
  while
    whose=''
    { read -r whose <"$turn"; } 2>/dev/null
    [ -n "$whose" ] && [ "$whose" = "$(process_of "${whose%% *}")" ] && alive "${whose%% *}"
  do
    emit waits
    sleep 1
  done
  read -r whose _ </proc/self/stat
  process_of "$whose" >"$turn" || failed E_RESTORE "cannot write $turn"
}

end_turn() { rm -f "$turn"; }

look_at_cluster() {
  arguments "$@"
  enter_physical
  tell_repository
  parent=${cluster%/*}
  [ -d "$parent" ] || fail E_SOURCE_MISSING "$parent"
  [ -w "$parent" ] || put parent_unwritable "$parent"
  if [ -L "$cluster" ]; then put cluster_link "$cluster"; fi
  for left_beside in "$cluster".db_backup_old_*; do [ ! -d "$left_beside" ] || put left_beside "$left_beside"; done
  # what the repository has lost is told by the list of sets
  if grep -qF "\"label\":\"$label\"" sets.text; then
    read_set "$sha256"
    refuse_spaces
    rooms_of_set
    while read -r kib folder; do put room "$kib $(free_kib "$folder") $folder"; done <set.rooms
  fi
  [ -d "$cluster" ] || return 0
  [ "$(stat -c %d "$cluster" 2>/dev/null)" = "$(stat -c %d "$parent" 2>/dev/null)" ] || put cluster_mount "$cluster"
  put cluster_kib "$(du_kib "$cluster")"
  each_tablespace tell_tablespace
  is_running || return 0
  put server_running 1
  unit=$(sed -n 's,.*/\([A-Za-z0-9@._-]*\.service\)$,\1,p' "/proc/$postmaster/cgroup" 2>/dev/null | sed q)
  case $unit in
    postgres*)
      put unit "$unit"
      put unit_stop "${cluster_bin}pg_ctl stop -D $cluster -m fast"
      ;;
  esac
  if [ -z "$system_id" ]; then
    put server_unasked 'its data directory is damaged'
    return 0
  fi
  find_postgres
  postgres_environment
  if (ask_sql 'SELECT 1') >/dev/null 2>server.error; then
    look_at_server
    tell_cluster_users
    [ -z "$moment" ] || count_lost "$moment"
  else put server_unasked "$(tail -n 1 server.error)"; fi
}

tell_cluster_users() {
  cat >users.sql <<SQL
SELECT 'session ' || encode(convert_to(concat_ws(', ', usename, datname, application_name, state), 'UTF8'), 'hex')
FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend' LIMIT 50;
SQL
  run sql -c 'SET search_path = pg_catalog' -f users.sql >users.facts 2>users.error || return 0
  tell_facts users.facts
}

# load_cluster NAMED-ARGUMENTS
load_cluster() {
  enter_step "$@"
  undo=end_turn
  case $type:$target in
    time:20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]\ [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]+00 | default: | immediate:) ;;
    *) fail E_INTERNAL "the target $type $target is malformed" ;;
  esac
  need_number target_timeline "$target_timeline"
  need_number min_free_kib "$min_free_kib"
  if [ -e "$new" ] || [ -e "$old" ]; then fail E_RESTORE "$new or $old is there already"; fi
  read_set "$sha256"
  refuse_spaces
  rooms_of_set
  while read -r kib folder; do check_space "$folder" $((kib + min_free_kib)); done <set.rooms
  undo=drop_new_cluster
  note_spaces
  server_programs "$major"
  [ -n "$cluster_bin" ] || fail E_TOOL_MISSING "PostgreSQL $major (postgres, pg_ctl, pg_controldata), which the set is of"
  mkdir -m 700 "$new" || failed E_PERM "cannot make $new"
  maps=''
  each_space make_space
  emit phase restore $((set_kib * 1024))
  attend restore_beside 2>restore.said || backrest_failed $? restore.said
  backrest_said restore.said >warnings
  [ ! -s warnings ] || put restore_warnings "$(cat warnings)"
  [ -f "$new/global/pg_control" ] || fail E_RESTORE 'pgBackRest ended well, and restored no cluster'
  # so that nothing is fetched by a path that is not there any more, and nothing is archived
  printf "archive_command = '%s'\n" "$hold_command" >>"$new/postgresql.auto.conf" || failed E_RESTORE "cannot write to $new"
  undo=''
  end_turn
}

drop_new_cluster() {
  begin_sign
  rm -rf "$new"
  each_space drop_new_space
  rm -f "$noted"
  end_turn
  end_sign
}

# restore_beside: into the new data directory
restore_beside() {
  set -- --archive-mode=preserve --recovery-option="restore_command=pgbackrest --stanza=$stanza archive-get %f \"%p\""
  while IFS= read -r map; do
    [ -z "$map" ] || set -- "$@" --tablespace-map="$map"
  done <<MAPS
$maps
MAPS
  restore_set "$new" "$@"
}

# swap_cluster NAMED-ARGUMENTS
swap_cluster() {
  enter_step "$@"
  [ -f "$new/global/pg_control" ] || fail E_RESTORE "$new is not there"
  running=''
  how_it_runs
  if is_running; then
    running=1
    archive_rest
  fi
  missing=''
  [ -e "$cluster" ] || missing=1
  printf 'running %s\nmissing %s\nlog %s\noptions %s\n' "$running" "$missing" "$server_log" "$options" >>"$noted" || failed E_RESTORE "cannot write $noted"
  undo=put_back
  stop_server || failed E_RESTORE "the server could not be stopped: $(tail -n 3 stop.said)"
  put stopped 1
  if [ -z "$missing" ]; then
    mv "$cluster" "$old" || failed E_RESTORE "$cluster could not be renamed"
  fi
  mv "$new" "$cluster" || failed E_RESTORE "$new could not be renamed"
  each_space swap_space
  emit phase recovery 0
  find_server
  [ "$(setting archive_command)" = "$hold_command" ] ||
    fail E_RESTORE 'the archive_command of the server cannot be held back, because its command line or a later file sets it'
  start_server || failed E_RESTORE "the restored server did not come up: $(server_said)"
  await_recovery
  check_recovered
  put aimed_at "$target"
  echo 'done' >>"$noted" || failed E_RESTORE "cannot write $noted"
  undo=''
  end_turn
  put old_directory "$old"
  put state restored
}

# put_back: what undoes a swap at any point
put_back() {
  begin_sign
  (back_to_old) >>back.said 2>&1 && put state unchanged
  end_sign
}

# archive_rest: what was committed until now goes into the repository, as far as that works: after it comes a commit, so that the last
# moment before it can be recovered as well
archive_rest() {
  find_postgres
  postgres_environment
  cat >rest.sql <<SQL
\\o /dev/null
SELECT pg_logical_emit_message(true, 'db-backup', 'restore');
\\o
SELECT pg_walfile_name(pg_switch_wal());
SQL
  segment=$( (sql -c 'SET search_path = pg_catalog' -f rest.sql) 2>rest.error) || {
    put unarchived "$(tail -n 1 rest.error)"
    return 0
  }
  waited=0
  while [ $waited -lt 30 ]; do
    [ "$( (ask_sql "SELECT substr(last_archived_wal, 1, 24) >= substr('$segment', 1, 24) FROM pg_stat_archiver") 2>/dev/null)" != t ] || {
      put archived_to "$segment"
      return 0
    }
    emit waits
    sleep 1
    waited=$((waited + 1))
  done
  put unarchived "$segment"
}

# back_to_old: from whatever point: the old directory is live again, and runs when it did
back_to_old() {
  # from here on there is no other way, whoever goes it to its end
  if [ "$(tail -n 1 "$noted" 2>/dev/null)" = 'done' ]; then
    { sed '/^done$/d' "$noted" >"$noted.new" && mv "$noted.new" "$noted"; } || exit 1
  fi
  running=$(sed -n 's/^running //p' "$noted" 2>/dev/null) server_log=$(sed -n 's/^log //p' "$noted" 2>/dev/null)
  options=$(sed -n 's/^options //p' "$noted" 2>/dev/null) missing=$(sed -n 's/^missing //p' "$noted" 2>/dev/null)
  if [ -d "$old" ] || [ -n "$missing" ]; then
    if [ -d "$cluster" ]; then
      stop_server || "${cluster_bin}pg_ctl" stop -D "$cluster" -m immediate -s -w -t 60 || exit 1
      rm -rf "$new"
      mv "$cluster" "$new" || exit 1
    fi
    each_space space_back
    [ ! -d "$old" ] || mv "$old" "$cluster" || exit 1
  fi
  rm -rf "$new"
  each_space drop_new_space
  if [ -n "$running" ]; then
    # one that was told to stop does so, whoever told it
    while is_running && [ "$(server_status)" = stopping ]; do
      emit waits
      sleep 0.5 2>/dev/null || sleep 1
    done
    if ! is_running; then
      start_server || exit 1
      await_recovery
    fi
  fi
  rm -f "$noted" "$noted.new"
  end_turn
}

back_cluster() {
  enter_step "$@"
  [ -d "$old" ] || [ -e "$noted" ] || fail E_RESTORE "$old is not there"
  (back_to_old) 2>back.said || failed E_RESTORE "the old data directory could not be put back: $(tail -n 3 back.said)"
  put state unchanged
}

settle_cluster() {
  enter_step "$@"
  release_hold
  [ ! -d "$old" ] || put old_directory "$old"
  each_space tell_old_space
  rm -f "$noted"
  end_turn
}

# release_hold: the server archives as it is configured, from the next segment on
release_hold() {
  conf=$cluster/postgresql.auto.conf
  if grep -q "db_backup_hold" "$conf" 2>/dev/null; then
    { sed '/^archive_command = .*db_backup_hold/d' "$conf" >"$conf.db_backup" && chmod 600 "$conf.db_backup" && mv "$conf.db_backup" "$conf"; } ||
      failed E_RESTORE "$conf could not be written"
  fi
  is_running || return 0
  "${cluster_bin}pg_ctl" reload -D "$cluster" -s >/dev/null 2>&1 || fail E_RESTORE 'the server could not be told to archive again'
  # the new timeline is in the repository from its beginning, as far as the role may see to that
  find_postgres
  postgres_environment
  (ask_sql 'SELECT pg_switch_wal()') >/dev/null 2>&1 || :
}

recover_cluster() {
  enter_step "$@"
  if [ "$(tail -n 1 "$noted" 2>/dev/null)" = 'done' ] && [ ! -d "$new" ]; then
    put traces 1
    put state restored
    end_turn
    return
  fi
  if [ -e "$new" ] || [ -e "$old" ] || [ -e "$noted" ]; then put traces 1; fi
  if [ -d "$old" ] && [ ! -e "$noted" ]; then
    # settled already, but for the journal
    put state restored
    end_turn
    return
  fi
  (back_to_old) 2>back.said || failed E_RESTORE "the old data directory could not be put back: $(tail -n 3 back.said)"
  put state unchanged
}
