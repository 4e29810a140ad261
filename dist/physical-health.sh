# shellcheck shell=sh
# PostgreSQL: how a cluster's archiving is, without a backup.

# health_physical NAMED-ARGUMENTS
# takes: asserts connection container level min_free_kib name password run_as stanza verify wanted
health_physical() {
  arguments "$@"
  small_folder
  work=$tmp
  reach_elsewhere
  passing_on E_DUMP_FAILED 'the look at the cluster' \
    elsewhere examine_physical connection "$connection" password "$password" stanza "$stanza"
  put backup_kib $((min_free_kib + 1024))
}

examine_physical() {
  arguments "$@"
  enter_physical
  tell_repository
  look_at_server
  # on a standby nothing is archived, and it has no WAL of its own to compare with
  cat >archiver.sql <<SQL
SELECT 'archiving ' || (current_setting('archive_mode') IN ('on', 'always'));
SELECT 'archive_failures ' || failed_count FROM pg_stat_archiver;
SELECT 'archive_failing ' || coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) FROM pg_stat_archiver;
SELECT 'archive_timeout ' || extract(epoch FROM current_setting('archive_timeout')::interval)::bigint;
SELECT 'wal_pending ' || CASE WHEN pg_is_in_recovery() THEN false
  ELSE coalesce(pg_walfile_name(pg_current_wal_lsn()) > substr(last_archived_wal, 1, 24), true) END FROM pg_stat_archiver;
SELECT 'SELECT ''archive_backlog '' || count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE ''%.ready'''
WHERE has_function_privilege('pg_ls_archive_statusdir()', 'EXECUTE') \\gexec
SELECT 'inactive_slots ' || count(*) FROM pg_replication_slots WHERE NOT active;
SELECT 'unused_wal ' || coalesce(max(greatest(0, pg_wal_lsn_diff(
  CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)))::bigint, 0)
FROM pg_replication_slots WHERE NOT active;
SQL
  { run sql -c 'SET search_path = pg_catalog' -f archiver.sql >archiver.facts 2>archiver.error; } || postgres_failed $? archiver.error
  tell_facts archiver.facts
}
