import { facts } from '../../host/program.js';

/** What the programs tell as another user or in a container (host/program.ts); held against them by __tests__/repository/told-elsewhere.test.ts. */
export const TOLD_ELSEWHERE: readonly string[] = [
  'restored',
  ...facts('pg_bin pg_dump_version client_package client_fixes sqlstate denied'),
  // of the server and of who logs in
  ...facts(
    'on_server server_version server_version_num system_identifier in_recovery role login_role role_set superuser may_create',
  ),
  ...facts('extension bound data_directory maintenance same_database'),
  // of a database
  ...facts(
    'source_bytes encoding like search_path owns property properties_left kept_setting session subscriptions slots',
  ),
  ...facts(
    'installed extension_rows used_extension of_extension unread foreign_table foreign_object system_schema path_functions',
  ),
  ...facts('objects large_objects tables table rows guarded unlogged_left'),
  // of how it is
  ...facts(
    'sees_all connections max_connections longest_transaction replication_slots inactive_slots held_wal unused_wal unreadable',
  ),
  ...facts('wraparound_age archiving archive_failing archive_failures replicas replica_lag standby_lag'),
  ...facts('checksum_failures invalid_indexes estimate'),
  // of a dump
  ...facts('checked counting_ended roles roles_missing archived archived_from'),
  // of a restore
  ...facts(
    'restored_into restored_uncounted assert_N assert_error_N target_state target_free_kib traces in_place state',
  ),
];
