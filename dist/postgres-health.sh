# shellcheck shell=sh
# PostgreSQL: how the live database and its server are, without a backup.

# health_postgres NAMED-ARGUMENTS
# takes: asserts connection container format kind level min_free_kib name password run_as standby verify wanted
health_postgres() {
  arguments "$@"
  examine_source postgres
  passing_on E_DUMP_FAILED 'the look at the database' \
    elsewhere examine_postgres connection "$connection" password "$password"
}

# examine_postgres NAMED-ARGUMENTS: what the server counts by itself; no table is read. Other sessions, and how far replicas are, not every
# role may see.
examine_postgres() {
  arguments "$@"
  enter_place 64
  find_postgres
  postgres_environment
  cat >health.sql <<SQL
\\o /dev/null
$begin_sql
\\o
SELECT 'superuser ' || rolsuper FROM pg_roles WHERE rolname = current_user;
SELECT 'may_create ' || (rolsuper OR rolcreatedb) FROM pg_roles WHERE rolname = current_user;
SELECT 'owns ' || pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database();
SELECT 'sees_all ' || (rolsuper OR pg_has_role('pg_read_all_stats', 'USAGE')) FROM pg_roles WHERE rolname = current_user;
SELECT 'connections ' || count(*) FROM pg_stat_activity WHERE datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend';
SELECT 'max_connections ' || current_setting('max_connections');
SELECT 'longest_transaction ' || coalesce(max(greatest(0, extract(epoch FROM now() - xact_start)))::bigint, 0)
FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend';
SELECT 'replication_slots ' || count(*) FROM pg_replication_slots;
SELECT 'inactive_slots ' || count(*) FROM pg_replication_slots WHERE NOT active;
SELECT 'held_wal ' || coalesce(max(greatest(0, pg_wal_lsn_diff(
  CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)))::bigint, 0) FROM pg_replication_slots;
SELECT 'unused_wal ' || coalesce(max(greatest(0, pg_wal_lsn_diff(
  CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)))::bigint, 0)
FROM pg_replication_slots WHERE NOT active;
SELECT 'wraparound_age ' || max(greatest(age(datfrozenxid), mxid_age(datminmxid))) FROM pg_database;
SELECT 'archiving ' || (current_setting('archive_mode') IN ('on', 'always'));
SELECT 'archive_failures ' || failed_count FROM pg_stat_archiver;
SELECT 'archive_failing ' || coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) FROM pg_stat_archiver;
SELECT 'replicas ' || count(*) FROM pg_stat_replication;
SELECT 'replica_lag ' || max(extract(epoch FROM replay_lag))::bigint FROM pg_stat_replication HAVING max(replay_lag) IS NOT NULL;
SELECT 'standby_lag ' || CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AND EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 0
  ELSE greatest(0, extract(epoch FROM now() - pg_last_xact_replay_timestamp()))::bigint END
WHERE pg_is_in_recovery() AND pg_last_xact_replay_timestamp() IS NOT NULL;
SELECT 'checksum_failures ' || coalesce(to_jsonb(d) ->> 'checksum_failures', '0') FROM pg_stat_database d WHERE datname = current_database();
SELECT 'large_objects ' || count(*) FROM pg_largeobject_metadata;
$(objects_sql)
SELECT 'unreadable ' || count(*) $user_relations AND c.relkind IN ('r', 'p', 'S')
AND NOT (has_schema_privilege(n.oid, 'USAGE') AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT') ELSE has_table_privilege(c.oid, 'SELECT') END);
SELECT 'invalid_indexes ' || count(*) FROM pg_index WHERE NOT indisvalid AND indislive;
$(tables_sql)
SELECT 'estimate ' || c.oid || ' ' || c.reltuples::bigint $user_relations AND c.relkind = 'r' AND c.reltuples >= 0;
COMMIT;
SQL
  run sql -f health.sql >health.facts 2>health.error || postgres_failed $? health.error
  tell_facts health.facts
}
