import { facts } from '../../host/program.js';
import { TOLD_ELSEWHERE as BY_POSTGRES } from '../postgres/told-elsewhere.js';

/** What only its own backups and restores tell. */
const NOT_HERE: readonly string[] = facts(
  'archived archived_from checked client_fixes client_package counting_ended in_place maintenance restored_uncounted roles roles_missing rows same_database target_free_kib target_state',
);

/** As of the engine whose programs these use (../postgres/told-elsewhere.ts), and what pgBackRest tells. */
export const TOLD_ELSEWHERE: readonly string[] = [
  ...BY_POSTGRES.filter((one) => !NOT_HERE.includes(one)),
  'waits',
  ...facts('backrest_version backrest_status archiver_said'),
  ...facts('cluster cluster_missing cluster_damaged cluster_version segment_bytes timeline cluster_state'),
  ...facts('archive_timeout archive_backlog wal_pending'),
  ...facts('wal history made_label made_warnings set_hash expired sets verified_text'),
  ...facts(
    'parent_unwritable cluster_link cluster_mount cluster_kib left_beside server_running unit unit_stop server_unasked lost_commits lost_more',
  ),
  ...facts('tablespace_kib room set_hash_wanted odd_space foreign_space foreign_cluster young_space'),
  ...facts('restore_warnings stopped old_directory unarchived unreached'),
  ...facts('archived_to recovery_said recovered_timeline recovered_lsn recovered_at aimed_at holds_archive'),
];
