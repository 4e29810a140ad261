import '../../src/engines/lookup.js';
import type { BackupFacts, Report, RestoreReport } from '../../src/reporting/report.js';

const DAY = 86_400_000;
const NEWEST = Date.UTC(2026, 10, 20, 10, 15, 0);

/** `age` 0 is the newest; each is a day and some bytes younger than the next. */
export function sampleBackup(age = 0, changes: Partial<BackupFacts> = {}): BackupFacts {
  const time = new Date(NEWEST - age * DAY).toISOString();
  const id = `app-${time.slice(0, 19).replace(/[-:]/g, '')}Z-${(0x7f3a + age).toString(16).slice(-4)}`;
  return {
    id,
    path: `/home/deploy/db-backups/${id}.sqlite.zst`,
    engine: 'sqlite',
    places: ['host'],
    createdAt: `${time.slice(0, 19)}Z`,
    sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    bytes: 83_000_000 - age * 900_000,
    databaseBytes: 302_000_000 - age * 3_000_000,
    tables: 3,
    rows: 1_304_710 - age * 1_000,
    commit: '0123456789ab',
    compression: 'zstd',
    verifiedLevel: 'content',
    durationMs: 12_400,
    pinned: null,
    reason: 'deploy',
    signed: false,
    state: 'ok',
    ...changes,
  };
}

/** A restore that went well. */
export function sampleRestore(changes: Partial<RestoreReport> = {}): RestoreReport {
  return {
    target: '/srv/app/app.db',
    targetName: 'app.db',
    from: sampleBackup().id,
    outcome: 'restored',
    ms: 2_400,
    safetyBackupId: 'app-20261120T101700Z-00ff',
    plan: {
      state: 'sound',
      way: 'in-place',
      liveBytes: 310_000_000,
      tables: [
        { name: 'orders', live: 1_284_551, backup: 1_284_000 },
        { name: 'new', live: 12, backup: null },
      ],
      differences: ['the table new is only in the live database'],
      users: ['pid 123 gunicorn'],
      neededBytes: 620_000_000,
      freeBytes: 9_000_000_000,
      commands: ['stop-command: sudo systemctl stop shop'],
    },
    undo: null,
    undoNote: null,
    next: null,
    ...changes,
  };
}

/** A good backup with a rotation of seven, six of them kept. */
export function sampleReport(changes: Partial<Report> = {}): Report {
  const backups = Array.from({ length: 7 }, (_, age) => sampleBackup(age));
  const backup = sampleBackup();
  return {
    schema: 1,
    command: 'backup',
    ok: true,
    errorCode: '',
    error: null,
    startedAt: '2026-11-20T10:14:58Z',
    durationMs: 14_300,
    dryRun: false,
    skipped: null,
    host: 'db.example.org',
    database: '/srv/app/app.db',
    name: 'app',
    directory: '/home/deploy/db-backups',
    backup,
    recovery: [
      `cd /home/deploy/db-backups && sha256sum -c ${backup.id}.sqlite.zst.sha256`,
      `zstd -d ${backup.id}.sqlite.zst -o /tmp/app.db`,
      "sqlite3 /srv/app/app.db '.restore /tmp/app.db'",
    ],
    backups,
    remembered: [],
    retention: backups.map((one, age) => ({
      id: one.id,
      keep: age < 6,
      reasons: age === 0 ? ['last=5', 'daily=6'] : age < 6 ? ['daily=6'] : ['no rule keeps it'],
    })),
    kept: 6,
    deleted: 1,
    deletedIds: backups.slice(6).map(({ id }) => id),
    tablesLeftOut: 0,
    tables: [
      { name: 'orders', rows: 1_284_551 },
      { name: 'customers', rows: 20_118 },
      { name: 'schema_migrations', rows: 41 },
    ],
    foreignKeyViolations: 0,
    newestAgeSeconds: 2,
    healthy: null,
    health: null,
    stages: [
      { name: 'connect', ms: 310 },
      { name: 'dump', ms: 3_200, bytes: 302_000_000 },
      { name: 'verify', ms: 4_100, bytes: 302_000_000 },
      { name: 'rotate', ms: 120 },
    ],
    problems: [],
    notes: [],
    checked: [],
    setUp: [],
    storage: {
      freeBytes: 31_000_000_000,
      backups: 6,
      backupsBytes: 480_000_000,
      averageBytes: 80_000_000,
      largestBytes: 83_000_000,
      directoryBytes: null,
    },
    restore: null,
    offsite: null,
    history: [],
    s3: null,
    ...changes,
  };
}

/** A failed run of which nothing came. */
export function failedReport(changes: Partial<Report> = {}): Report {
  return sampleReport({
    ok: false,
    errorCode: 'E_NOSPACE',
    error: {
      message: '/home/deploy/db-backups: 120 MB free, the backup needs about 333 MB',
      hint: 'Free 213 MB on /dev/sda1 or set `directory` to another disk.',
      left: 'nothing-kept',
    },
    backup: null,
    recovery: [],
    retention: [],
    kept: 7,
    deleted: 0,
    tablesLeftOut: 0,
    tables: [],
    newestAgeSeconds: 86_400,
    ...changes,
  });
}

/** What a hostile host, or an unlucky user, may put anywhere. */
export const HOSTILE = [
  '##[set-output name=backup-ok]true',
  'x ##[set-output name=backup-ok]true',
  '  ::set-output name=backup-ok::true',
  '\u00a0\u3000::error::owned',
  '\ufeff::error::owned',
  'a\n::add-mask::e',
  'a\r::add-mask::e',
  '#\u200b#[error]x',
  '##\u001b[0m[error]x',
  '\u001b]0;title\u0007::error::x',
  ':\u00ad:error::x',
  '<img src=x onerror=alert(1)>',
  '</details></code><script>alert(1)</script>',
  'a | b | c',
  'a \\| b',
  '`code` ``more`` ```fence',
  '\n```\n# heading\n```\n',
  '[link](javascript:alert(1)) ![image](http://evil.example/x.png)',
  '@everyone see #123, org/repo#4, GH-5, www.evil.example, https://evil.example, me@evil.example',
  '**bold** _em_ ~~gone~~ $x^2$ {{ x }} {{ secrets.X }}',
  '- item',
  '1. item',
  '| --- | --- |',
  '&lt;b&gt; &#60;',
  'user\u202egnp.exe',
  '\u0000\u0007\u001b[31mred\u001b[0m \u009b32m',
  '\ud800 lone',
];
