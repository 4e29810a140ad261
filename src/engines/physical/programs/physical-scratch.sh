# shellcheck shell=sh
# PostgreSQL: a set, restored into a throw-away cluster beside the live one, recovered, counted, and removed. Nothing of it may reach anything
# else: it has a configuration of its own, a socket in a folder of its own, no archive, and none of the workers that a cluster brings with
# it, which would go on with subscriptions or scheduled jobs.
scratch_dir=''

# sweep_scratches: what killed runs left, beside the data directory or among the temporary files; their session's process is gone
sweep_scratches() {
  for left_scratch in "${cluster%/*}"/db_backup_scratch_* "${TMPDIR:-/tmp}"/db_backup_scratch_* /var/tmp/db_backup_scratch_* /tmp/db_backup_scratch_*; do
    if [ ! -O "$left_scratch" ] || [ -L "$left_scratch" ] || [ ! -f "$left_scratch/session" ]; then continue; fi
    read -r whose <"$left_scratch/session" || continue
    if [ "$whose" = "$(process_of "${whose%% *}")" ] && alive "${whose%% *}"; then continue; fi
    scratch_dir=$left_scratch
    drop_scratch_cluster
  done
  scratch_dir=''
}

# scratch_place KIB: where there is room for it: beside the data directory, or among the temporary files
scratch_place() {
  place=${cluster%/*}
  free=$(free_kib "$place")
  if [ ! -w "$place" ] || [ "${free:-0}" -lt "$1" ]; then choose_place; fi
  check_temporary "$place" "$1"
}

# try_scratch: the set `label`, to what is asked for
try_scratch() {
  backrest_code=E_RESTORE
  need_number target_timeline "$target_timeline"
  sweep_scratches
  each_tablespace need_in_set
  scratch_place $((set_kib + min_free_kib + 65536))
  scratch_dir=$(mktemp -d "$place/db_backup_scratch_XXXXXX") || failed E_PERM "no directory for the scratch restore in $place"
  case $scratch_dir in *[!A-Za-z0-9/._@+-]*) fail E_SOURCE_INVALID "$place has characters in its path that the command line of a server cannot have" ;; esac
  undo=drop_scratch_cluster
  process_of $$ >"$scratch_dir/session"
  for folder in data socket spaces; do mkdir -m 700 "$scratch_dir/$folder" || failed E_PERM "cannot write to $scratch_dir"; done
  emit phase restore $((set_kib * 1024))
  attend restore_scratch 2>restore.said || backrest_failed $? restore.said
  # so neither does one that is created while this is going on
  chmod 500 "$scratch_dir/data/pg_tblspc" || failed E_PERM "cannot write to $scratch_dir"
  live_cluster=$cluster cluster=$scratch_dir/data server_log=$scratch_dir/log options=''
  find_server
  [ -n "$cluster_bin" ] || fail E_TOOL_MISSING "PostgreSQL $major (postgres, pg_ctl)"
  scratch_configuration
  options="\"-c\" \"config_file=$scratch_dir/postgresql.conf\" $(scratch_options)"
  emit phase recovery 0
  start_server || fail E_RESTORE "the restored server did not come up: $(server_said)"
  await_recovery
  emit phase count 0
  connection="host='$scratch_dir/socket' port='5432' user='$(connection_quoted "$scratch_role")' dbname='template1'"
  unset PGPASSWORD
  check_recovered
  count_cluster
  scratch_asserts
  undo=''
  drop_scratch_cluster
  cluster=$live_cluster
}

# need_in_set OID PLACE: recovery creates a tablespace where it was created first, and would write into the files of the live one there
need_in_set() {
  cut -d ' ' -f 3- set.spaces | grep -Fqx -e "$2" || {
    put young_space "$2"
    fail E_RESTORE "$label"
  }
}

restore_scratch() {
  restore_set "$scratch_dir/data" --archive-mode=off --reset-recovery-option --reset-tablespace-map --tablespace-map-all="$scratch_dir/spaces"
}

scratch_configuration() {
  { printf 'local all all trust\n' >"$scratch_dir/hba" && : >"$scratch_dir/ident" && : >"$scratch_dir/postgresql.conf"; } ||
    failed E_PERM "cannot write to $scratch_dir"
}

# scratch_options: each as an option of the server, which counts more than what the cluster has set by ALTER SYSTEM. Without a hot standby
# nothing of the live server's size is demanded for the recovery.
scratch_options() {
  for option in "data_directory=$scratch_dir/data" "hba_file=$scratch_dir/hba" "ident_file=$scratch_dir/ident" \
    listen_addresses= port=5432 "unix_socket_directories=$scratch_dir/socket" archive_mode=off external_pid_file= hot_standby=off \
    max_worker_processes=0 max_logical_replication_workers=0 max_parallel_workers=0 shared_preload_libraries= session_preload_libraries= \
    local_preload_libraries= logging_collector=off log_destination=stderr synchronous_standby_names= max_prepared_transactions=1000 \
    max_locks_per_transaction=1000 shared_buffers=64MB huge_pages=off ssl=off fsync=off autovacuum=off max_wal_senders=0 \
    archive_cleanup_command= recovery_end_command= statement_timeout=0 cluster_name=db_backup_scratch timezone=UTC; do
    printf '"-c" "%s" ' "$option"
  done
}

# drop_scratch_cluster: with its server
drop_scratch_cluster() {
  if read -r scratch_master <"$scratch_dir/data/postmaster.pid"; then
    case $scratch_master in *[!0-9]* | '') ;; *) stop_scratch ;; esac
  fi 2>/dev/null
  [ ! -d "$scratch_dir/data/pg_tblspc" ] || chmod 700 "$scratch_dir/data/pg_tblspc"
  case $scratch_dir in */db_backup_scratch_??????) rm -rf "$scratch_dir" ;; esac
  [ ! -e "$scratch_dir" ] || put note "the throw-away cluster in $scratch_dir could not be removed"
}

# stop_scratch: nothing of it is needed any more
stop_scratch() {
  works_in "$scratch_master" "$scratch_dir/data" || return 0
  kill -QUIT "$scratch_master"
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    alive "$scratch_master" || return 0
    sleep 0.2 || sleep 1
  done
  kill -KILL "$scratch_master"
}

# count_cluster: the rows of every table of every database: `restored NAME ROWS`, with the database in its name
count_cluster() {
  scratch_server=$connection
  (ask_sql "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1") >databases 2>count.error || postgres_failed $? count.error
  put restored_into "$scratch_dir"
  while IFS= read -r datname; do
    connection="$scratch_server dbname='$(connection_quoted "$datname")'"
    cat >count.sql <<SQL
SELECT format('SELECT ''restored '' || encode(convert_to(%L, ''UTF8''), ''hex'') || '' '' || count(*) FROM ONLY %I.%I',
  concat_ws('.', current_database(), CASE WHEN n.nspname ~ '[.]' THEN quote_ident(n.nspname) ELSE n.nspname END,
    CASE WHEN c.relname ~ '[.]' THEN quote_ident(c.relname) ELSE c.relname END), n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' ORDER BY 1 \\gexec
SQL
    attend count_there >count.facts 2>count.error || postgres_failed $? count.error
    grep -E '^restored [0-9a-f]+ [0-9]+$' count.facts | emit_each
  done <databases
  connection=$scratch_server
}

# connection_quoted TEXT: for between the quotes of a connection string
connection_quoted() { printf '%s' "$1" | sed "s/[\\\\']/\\\\&/g"; }

count_there() { sql -c 'SET search_path = pg_catalog' -c 'SET default_transaction_read_only = on' -f count.sql; }

# scratch_asserts: in the database of the URL, as it was then
scratch_asserts() {
  [ -n "$asserts" ] || return 0
  connection="$scratch_server dbname='$(connection_quoted "$scratch_database")'"
  each_assert assert_scratch
  connection=$scratch_server
}

assert_scratch() { run sql -v VERBOSITY=default -c "$1"; }
