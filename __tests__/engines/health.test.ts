import { describe, expect, test } from '@jest/globals';
import { postgresHealth } from '../../src/engines/postgres/health.js';
import { sqliteHealth } from '../../src/engines/sqlite/health.js';
import { Facts } from '../../src/host/facts.js';
import { formatCount } from '../../src/reporting/format.js';

const facts = (entries: Record<string, string>): Facts => {
  const made = new Facts();
  for (const [key, text] of Object.entries(entries)) made.add(key, text);
  return made;
};

describe('PostgreSQL', () => {
  const look = (entries: Record<string, string>) =>
    postgresHealth(facts({ source_bytes: '8000000', sees_all: 'true', ...entries }));

  test.each<[Record<string, string>, string[]]>([
    [{}, []],
    [{ connections: '79', max_connections: '100' }, []],
    [{ connections: '80', max_connections: '100' }, ['warning 80 of 100 connections are in use']],
    [{ longest_transaction: '3600' }, []],
    [{ longest_transaction: '7260' }, ['warning a transaction has been open for 2 h 1 min']],
    [{ longest_transaction: '7260', sees_all: 'false' }, []],
    [{ inactive_slots: '1', unused_wal: '1073741824' }, []],
    [{ inactive_slots: '1', held_wal: '9000000000', unused_wal: '5' }, []],
    [{ held_wal: '20000000000' }, ['warning a replication slot that is being read retains 20 GB of WAL']],
    [{ unreadable: '1' }, ['warning the role may not read 1 table or sequence']],
    [
      { inactive_slots: '1', held_wal: '20000000000', unused_wal: '9000000000' },
      ['error a replication slot that nobody reads retains 9 GB of WAL'],
    ],
    [{ wraparound_age: '500000000' }, []],
    [
      { wraparound_age: '700000000' },
      [`warning the oldest transaction number of the server is ${formatCount(7e8)} transactions old`],
    ],
    [
      { wraparound_age: '1700000000' },
      [`error the oldest transaction number of the server is ${formatCount(17e8)} transactions old`],
    ],
    [{ archiving: 'false', archive_failing: 'true' }, []],
    [{ archiving: 'true', archive_failing: 'true' }, ['error the server cannot archive its WAL']],
    [{ replica_lag: '300' }, []],
    [{ replica_lag: '400' }, ['warning a replica is 6 min 40 s behind']],
    [{ in_recovery: 'true', standby_lag: '400' }, ['warning this standby is 6 min 40 s behind']],
    [{ checksum_failures: '2' }, ['error the server found 2 pages of this database with a wrong checksum']],
    [{ invalid_indexes: '2' }, ['warning this database has 2 invalid indexes']],
  ])('%j', (entries, expected) => {
    const { findings } = look(entries);
    expect(findings).toHaveLength(expected.length);
    for (const [nth, text] of expected.entries()) {
      expect(`${findings[nth]?.level} ${findings[nth]?.message}`).toContain(text);
      expect(findings[nth]?.todo).not.toBe('');
    }
  });

  test('what is no number is an error of the program, not a figure', () => {
    expect(() => look({ connections: '1; DROP' })).toThrow('the host reported connections as');
  });
});

describe('SQLite', () => {
  const MB = 1_048_576;
  const look = (entries: Record<string, string>) =>
    sqliteHealth(
      facts({ source: '/srv/app.db', source_bytes: String(100 * MB), live_wal: '1', page_size: '4096', ...entries }),
      [],
    );

  test.each<[Record<string, string>, string[]]>([
    [{ integrity: 'ok', foreign_keys: '0' }, []],
    [{ integrity: 'Page 3: \u001b[2Jnever used' }, ['error SQLite found damage in /srv/app.db: Page 3: ']],
    [{ foreign_keys: '1' }, ['warning foreign keys of /srv/app.db are violated in 1 row']],
    [{ foreign_keys: '2' }, ['warning foreign keys of /srv/app.db are violated in 2 rows']],
    [{ wal_bytes: String(50 * MB) }, []],
    [{ wal_bytes: String(110 * MB) }, ['warning the WAL of /srv/app.db is 115 MB, larger than the database']],
    [{ wal_bytes: String(80 * MB), source_bytes: String(2000 * MB) }, []],
    [{ hot_journal: 'a hot journal' }, ['warning a hot journal of a writer that crashed lies beside /srv/app.db']],
  ])('%j', (entries, expected) => {
    const { findings } = look(entries);
    expect(findings.map(({ level, message }) => `${level} ${message}`)).toEqual(
      expected.map((text) => expect.stringContaining(text)),
    );
    for (const { message, todo } of findings) {
      expect(todo).not.toBe('');
      expect(message).not.toContain('\u001b');
    }
  });

  test('its size is that of a copy: the file with what is in the WAL, and not both', () => {
    const grown = { source_bytes: String(200 * MB), page_count: '2', integrity: 'ok' };
    expect(look(grown).bytes).toBe(8192);
    expect(look({ source_bytes: String(200 * MB) }).bytes).toBe(200 * MB);
    expect(look({ objects: '0' }).isEmpty).toBe(true);
    expect(look({}).isEmpty).toBe(false);
  });

  test.each([
    [String(10 * 256), []],
    [String(51 * 256), []], // less than 64 MiB
    [String(70 * 256), ['73.4 MB of /srv/app.db are free pages: `VACUUM` frees them, while nobody writes']],
  ])('%s free pages', (free, notes) => {
    expect(look({ free_pages: free }).notes).toEqual(notes);
  });
});
