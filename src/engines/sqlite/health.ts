import { type Finding, odd, wrong } from '../../backups/finding.js';
import type { Facts } from '../../host/session.js';
import { counted, formatBytes } from '../../reporting/format.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import type { DatabaseHealth } from '../health.js';

/** A WAL of this size, and larger than the database, is one that no checkpoint has been able to empty. */
const LARGE_WAL = 64 << 20;
/** Free pages are worth a word when they take as much, and half of the file. */
const MUCH_FREE = 64 << 20;

/** What programs/sqlite-health.sh has told; `tables` as the copy of a backup has them. */
export function sqliteHealth(facts: Facts, tables: DatabaseHealth['tables']): DatabaseHealth {
  const path = facts.path('source');
  const number = (key: string): number | null => facts.numberOrNull(key);
  const pageSize = number('page_size');
  const free = number('free_pages');
  const integrity = facts.get('integrity');
  const figures = {
    integrity: integrity === null ? null : integrity === 'ok' ? 'ok' : quoteOutside(integrity, 500),
    pageSize,
    pageCount: number('page_count'),
    freePages: free,
    foreignKeyErrors: number('foreign_keys'),
    journalMode: facts.get('live_wal') ? 'wal' : 'rollback',
    walBytes: number('wal_bytes'),
  };
  // what a copy of it has: the file, with what is in the WAL
  const bytes = (figures.pageCount ?? 0) * (pageSize ?? 0) || facts.number('source_bytes');
  const freeBytes = (free ?? 0) * (pageSize ?? 0);
  const notes: string[] = [];
  if (facts.get('unexamined') !== null) {
    notes.push(
      `${path} was not read to its end: it is not in WAL mode, so reading it would keep its writers waiting. Verifying a backup reads all of it`,
    );
  }
  if (freeBytes > MUCH_FREE && freeBytes * 2 > bytes) {
    notes.push(`${formatBytes(freeBytes)} of ${path} are free pages: \`VACUUM\` frees them, while nobody writes`);
  }
  const isEmpty = facts.get('objects') === '0';
  return { bytes, tables, isEmpty, estimated: false, figures, findings: findingsOf(path, facts, figures), notes };
}

function findingsOf(path: string, facts: Facts, figures: DatabaseHealth['figures']): Finding[] {
  const { integrity, foreignKeyErrors, walBytes } = figures;
  const found: Finding[] = [];
  if (typeof integrity === 'string' && integrity !== 'ok') {
    found.push(
      wrong(
        'E_SOURCE_CORRUPT',
        `SQLite found damage in ${path}: ${integrity}`,
        'Keep the older backups. Check the disk, then restore the newest good backup.',
      ),
    );
  }
  const hot = facts.get('hot_journal');
  if (hot !== null) {
    found.push(
      odd(
        'E_UNHEALTHY',
        `${quoteOutside(hot, 40)} of a writer that crashed lies beside ${path}, so it was not opened`,
        'The next connection that may write rolls it back: let the application open it, or take a backup.',
      ),
    );
  }
  if (typeof foreignKeyErrors === 'number' && foreignKeyErrors > 0) {
    found.push(
      odd(
        'E_UNHEALTHY',
        `foreign keys of ${path} are violated in ${counted(foreignKeyErrors, 'row')}`,
        '`PRAGMA foreign_key_check` names them. A backup is a faithful copy, so it has them as well.',
      ),
    );
  }
  if (typeof walBytes === 'number' && walBytes > LARGE_WAL && walBytes * 2 > facts.number('source_bytes')) {
    found.push(
      odd(
        'E_UNHEALTHY',
        `the WAL of ${path} is ${formatBytes(walBytes)}, larger than the database`,
        'A reader that never ends keeps checkpoints from emptying it. Look for a transaction that was left open.',
      ),
    );
  }
  return found;
}
