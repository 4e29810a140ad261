import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BackupError, ERRORS } from '../../src/errors.js';
import { actions } from '../../src/platform/actions.js';
import { usePlatform } from '../../src/platform/platform.js';
import { lastLines } from '../../src/reporting/last-lines.js';
import { helpPages } from '../../src/reporting/pages.js';
import { type BackupFacts, type Report, recordFailure } from '../../src/reporting/report.js';
import { renderSummary, writeSummary } from '../../src/reporting/summary.js';
import { COMMANDS } from '../../src/settings/settings.js';
import { failedReport, HOSTILE, sampleBackup, sampleReport, sampleRestore } from './sample-report.js';

/** The Markdown without its code blocks, in which everything is literal. */
function outsideFences(markdown: string): string {
  return markdown.replace(/^(`{3,})[a-z]*\n[\s\S]*?\n\1$/gm, '');
}

/** A cell ends at a bar, and nothing here escapes one by a backslash. */
function columnCounts(markdown: string): number[][] {
  const tables: number[][] = [];
  let current: number[] | null = null;
  for (const line of outsideFences(markdown).split('\n')) {
    if (line.startsWith('|')) {
      if (current === null) {
        current = [];
        tables.push(current);
      }
      current.push(line.split('|').length - 2);
    } else current = null;
  }
  return tables;
}

/** Our own links, to the letter: the last line of a failure. */
function linksOf(code: string): string {
  const { error, restore } = helpPages(code);
  return `[More about \`${code}\`](${error}) · [Restore step by step](${restore})`;
}

function expectSound(markdown: string): void {
  const outside = Object.keys(ERRORS).reduce((text, code) => text.replace(linksOf(code), ''), outsideFences(markdown));
  expect(outside.replace(/<\/?(?:code|details|summary)>|<br>|<wbr>/g, '')).not.toMatch(/[<>\\]|\]\(/);
  expect(outside).not.toContain('```');
  for (const tag of ['code', 'details', 'summary']) {
    expect(outside.split(`<${tag}>`).length).toBe(outside.split(`</${tag}>`).length);
  }
  const tables = columnCounts(markdown);
  expect(tables.length).toBeGreaterThan(0);
  for (const counts of tables) expect(new Set(counts).size).toBe(1);
}

/** The same text wherever a report can carry one from outside. */
function reportSaying(text: string, changes: Partial<Report> = {}): Report {
  const backup = sampleBackup(0, { id: text, path: text, createdAt: text, sha256: text, pinned: text, reason: text });
  return failedReport({
    error: { message: text, hint: text, left: 'nothing-kept' },
    startedAt: text,
    skipped: text,
    host: text,
    database: text,
    name: text,
    directory: text,
    backup,
    recovery: [text],
    backups: [backup, backup],
    retention: [{ id: text, keep: false, reasons: [text, text] }],
    offsite: { uri: text, versionId: text, via: 'none', lockedUntil: text },
    tables: [{ name: text, rows: 1 }],
    stages: [{ name: text, ms: 1 }],
    problems: [{ level: 'error', code: 'E_ROTATE', message: text }],
    notes: [text],
    checked: [{ what: text, found: text }],
    ...changes,
  });
}

describe('renderSummary', () => {
  test('a good backup, from verdict to recovery', () => {
    const markdown = renderSummary(sampleReport());
    expectSound(markdown);
    const order = [
      '## ✅ Backup of `app` is good: content verified',
      '| Backup | `app-20261120T101500Z-7f3a` |',
      '| Size | database **302 MB**, backup **83 MB** (zstd, 3.6 times smaller) |',
      '| Verified | content: every byte',
      '| Host | `db.example.org` |',
      '| Time | **14 s** · connect 0.3 s · dump 3.2 s (94.4 MB/s) · verify 4.1 s (73.7 MB/s) · rotate 0.1 s |',
      '### Retention: 6 kept, 1 deleted',
      '| `app-20261114T101500Z-7f40` | **deleted** | no rule keeps it | 284\u00a0MB | 77.6\u00a0MB |',
      '```mermaid\n',
      '### Contents: 3 tables, 1\u00a0304\u00a0710 rows',
      '| `orders` | 1\u00a0284\u00a0551 |',
      '### How to restore by hand',
      "sqlite3 /srv/app/app.db '.restore /tmp/app.db'\n```",
    ];
    const places = order.map((part) => markdown.indexOf(part));
    expect(places).not.toContain(-1);
    expect(places).toEqual([...places].sort((a, b) => a - b));
  });

  test('of PostgreSQL it says whether a backup has ever been restored', () => {
    const dump = (age: number, verifiedLevel: 'content' | 'restore') =>
      sampleBackup(age, { engine: 'postgres', verifiedLevel });
    const of = (backups: BackupFacts[], changes: Partial<Report> = {}) =>
      renderSummary(sampleReport({ backup: backups[0] ?? null, backups, ...changes }));
    expect(of([dump(0, 'content'), dump(1, 'content')])).toContain('never restored yet');
    expect(of([dump(0, 'content')], { command: 'verify' })).toContain('never restored yet');
    for (const text of [
      of([dump(0, 'content'), dump(1, 'restore')]),
      of([dump(0, 'restore')]),
      of([dump(0, 'content')], { command: 'pin' }),
      renderSummary(sampleReport()),
    ]) {
      expect(text).not.toContain('never restored yet');
    }
  });

  describe('of what is in the store', () => {
    const s3 = { uri: 's3://b/app/', backups: 2, backupsBytes: 9e7, retention: [], deleted: 0, hidden: false };

    test('list has a column for where each is', () => {
      const places = [['host', 's3'], ['s3'], ['host']] as const;
      const backups = places.map((some, age) => sampleBackup(age, { places: [...some] }));
      const text = renderSummary(sampleReport({ command: 'list', retention: [], backups, s3 }));
      expect(text).toContain('| Backup | Where | Taken');
      backups.forEach(({ id }, at) => {
        expect(text).toContain(`| \`${id}\` | ${['host, S3', 'S3', 'host'][at]} |`);
      });
      expect(text).toMatch(/\| In S3 \| 2 backups, 90 MB/);
      expect(renderSummary(sampleReport({ command: 'list', retention: [], backups }))).not.toContain('Where');
    });

    test('a plan that was not carried out whole does not read as if it had been', () => {
      const retention = [0, 1, 2].map((age) => ({ id: sampleBackup(age).id, keep: age === 0, reasons: ['why'] }));
      const whole = renderSummary(sampleReport({ s3: { ...s3, retention, deleted: 2, hidden: true } }));
      expect(whole).toContain('### Retention in S3: 2 kept, 2 deleted');
      expect(whole).toContain('The bucket keeps versions');
      const half = renderSummary(
        sampleReport({ ok: false, errorCode: 'E_ROTATE', s3: { ...s3, retention, deleted: 1 } }),
      );
      expect(half).toContain('### Retention plan in S3: 1 to keep, 2 to delete');
      expect(half).toContain('1 of 2 deleted');
      expect(half).toContain('1 backup on the host and 1 backup in S3 had been deleted before the failure');
    });
  });

  test('the catalogue tells a good backup from one of a database that was destroyed', () => {
    const backups = [
      sampleBackup(0, { tables: 0, rows: 0 }),
      sampleBackup(1, { uncounted: 1 }),
      sampleBackup(2, { rows: null, uncounted: 3 }),
      sampleBackup(3, { tables: null, rows: null, commit: null }),
    ];
    const text = renderSummary(sampleReport({ command: 'list', retention: [], backups }));
    const cells = text.split('\n').flatMap((line) => {
      return line.startsWith('| `app-') ? [line.split(' | ').slice(5, 8)] : [];
    });
    expect(cells).toEqual([
      ['0', '0', '`0123456`'],
      ['3', 'at least 1\u00a0303\u00a0710', '`0123456`'],
      ['3', 'not counted', '`0123456`'],
      ['', '', ''],
    ]);
  });

  const headingAfter = (title: string, markdown: string) =>
    new RegExp(`^### ${title}$[\\s\\S]*?^### (.*)$`, 'm').exec(markdown)?.[1];
  /** The block below a heading. */
  const blockBelow = (title: string, markdown: string) =>
    /```[\s\S]*?```/.exec(markdown.split(`\n### ${title}\n`)[1] ?? '')?.[0].split('\n');

  test('of a restore it says how to undo it, right after what it did', () => {
    const undo = { backup: 'app-20261120T101700Z-00ff', confirm: 'a: "b" `c`', 'dry-run': 'false' };
    const of = (restore: Parameters<typeof sampleRestore>[0]) =>
      sampleReport({ command: 'restore', backup: null, restore: sampleRestore(restore) });
    const text = renderSummary(of({ undo }));
    expect(headingAfter('Restore', text)).toBe('How to undo this restore');
    expect(blockBelow('How to undo this restore', text)).toEqual([
      '```yaml',
      'backup: app-20261120T101700Z-00ff',
      'confirm: "a: \\"b\\" `c`"',
      'dry-run: false',
      '```',
    ]);
    // in the words of what comes after a plan
    const inWords = 'start your restore workflow again (Run workflow), type these values into its form,';
    expect(text).toContain(inWords);
    expect(renderSummary(of({ next: undo }))).toContain(inWords);
    expect(text).toContain('Without a form, set them as inputs with `command: restore`:');
    expect(renderSummary(of({}))).not.toContain('undo');
    expect(lastLines(of({ undo })).slice(1)).toEqual([
      '  backup: app-20261120T101700Z-00ff',
      '  confirm: "a: \\"b\\" `c`"',
      '  dry-run: false',
      `✅ Restored ${sampleBackup().id}`,
    ]);
    const noted = of({ undo, undoNote: 'It goes with the job.' });
    expect(renderSummary(noted)).toContain('dry-run: false\n```\n\nIt goes with the job.\n');
    expect(lastLines(noted).at(-2)).toBe('note: It goes with the job.');
    // a word of YAML is none
    expect(lastLines(of({ undo: { confirm: 'off' } }))).toContain('  confirm: "off"');
  });

  test('of a plan it says what to type next, right after the plan', () => {
    const next = { backup: 'app-20261120T101700Z-00ff', confirm: 'app.db', 'dry-run': 'false' };
    const plan = sampleReport({ command: 'restore', dryRun: true, backup: null, restore: sampleRestore({ next }) });
    const lines = ['backup: app-20261120T101700Z-00ff', 'confirm: app.db', 'dry-run: false'];
    expect(blockBelow('What to do next', renderSummary(plan))).toEqual(['```yaml', ...lines, '```']);
    expect(headingAfter('Restore', renderSummary(plan))).toBe('What to do next');
    expect(renderSummary(plan)).toContain('### What to do next\n\nTo restore exactly this backup,');
    expect(lastLines(plan).slice(0, -1)).toEqual([
      'to restore exactly this backup, run again with these inputs, and leave the others as they are:',
      ...lines.map((line) => `  ${line}`),
    ]);
    expect(renderSummary({ ...plan, restore: sampleRestore({}) })).not.toContain('What to do next');
  });

  test('the last line of the log is the verdict', () => {
    const { id } = sampleBackup();
    const last = (changes: Partial<Report>) => lastLines(sampleReport(changes)).at(-1);
    expect(last({})).toBe(`✅ Backup ${id} of app: 83 MB, verified: content, 6 kept, 1 deleted`);
    expect(last({ problems: [{ level: 'warning', message: 'x' }] })).toMatch(
      /^⚠️ Backup .*, 1 deleted, with 1 problem$/,
    );
    expect(last({ command: 'prune' })).toBe('✅ Retention of app: 1 deleted, 6 kept');
    expect(last({ dryRun: true })).toMatch(/^⚠️ Dry run, nothing was changed: /);
    expect(lastLines(failedReport())).toEqual([]);
  });

  test('a total says what was not counted', () => {
    const title = (tables: Report['tables']) =>
      renderSummary(sampleReport({ tables }))
        .split('\n')
        .find((line) => line.startsWith('### Contents'));
    const of = (...rows: (number | null)[]) => rows.map((count, at) => ({ name: `t${at}`, rows: count }));
    expect(title(of(1))).toBe('### Contents: 1 table, 1 row');
    expect(title(of(1000, null, 2))).toBe('### Contents: 3 tables, at least 1\u00a0002 rows (1 table not counted)');
    expect(title(of(null, null, 0))).toBe('### Contents: 3 tables, at least 0 rows (2 tables not counted)');
    expect(title(of(null, null))).toBe('### Contents: 2 tables, rows not counted');
  });

  test('notes are no problems, and a dry run tells what it has looked at', () => {
    const noted = renderSummary(sampleReport({ notes: ['the rows of 2 tables were not counted'] }));
    expectSound(noted);
    expect(noted).toContain('## ✅ Backup of `app` is good: content verified\n');
    expect(noted).toContain('### Notes\n\n- the rows of 2 tables were not counted');
    const checked = [
      { what: 'Login', found: 'deploy on db' },
      { what: 'Space', found: '3 GB free' },
    ];
    const dry = renderSummary(sampleReport({ dryRun: true, backup: null, checked }));
    expectSound(dry);
    expect(dry).toContain('everything that a backup of `app` needs is in place');
    expect(dry).toContain('Below are the checks and the plan.');
    expect(dry).toContain('| Login | deploy on db |\n| Space | 3 GB free |');
  });

  test('says nothing of a compression that gained nothing', () => {
    const size = (bytes: number) =>
      renderSummary(sampleReport({ backup: sampleBackup(0, { bytes, databaseBytes: 100_000_000 }) }))
        .split('\n')
        .find((line) => line.startsWith('| Size |'));
    expect(size(96_000_000)).toBe('| Size | database **100 MB**, backup **96 MB** (zstd) |');
    expect(size(50_000_000)).toContain('(zstd, 2.0 times smaller)');
  });

  test('where the off-site copy is', () => {
    const offsite = {
      uri: 's3://b/p/app/x.zst',
      versionId: 'v1',
      via: 'host',
      lockedUntil: '2026-12-20T10:15:00Z',
    } as const;
    const markdown = renderSummary(sampleReport({ offsite }));
    expectSound(markdown);
    const row =
      markdown
        .split('\n')
        .find((line) => line.startsWith('| Off-site |'))
        ?.replaceAll('<wbr>', '') ?? '';
    for (const text of ['x&#46;zst', 'v1', 'straight from the host', 'read back', 'locked until'])
      expect(row).toContain(text);
    expect(renderSummary(sampleReport())).not.toContain('Off-site');
  });

  test('a failure tells code, what, why, what to do, what is left', () => {
    const markdown = renderSummary(failedReport());
    expectSound(markdown);
    expect(markdown).toContain('## ❌ Backup of `app` failed: E_NOSPACE');
    expect(markdown).toContain('**What happened**<br>/home/deploy/db-backups: 120 MB free');
    expect(markdown).toContain(`**Usual cause of \`E_NOSPACE\`**<br>${ERRORS.E_NOSPACE.cause}`);
    expect(markdown).toContain('**What to do**<br>Free 213 MB on /dev/sda1 or set `directory`');
    expect(markdown).toContain(
      '**Left as it was**<br>Nothing was kept, nothing was rotated, and the database was not changed.',
    );
    expect(markdown).toContain(linksOf('E_NOSPACE'));
    expect(markdown).not.toContain('How to restore');
  });

  test('the failure itself is not told again among the problems', () => {
    const report = failedReport({ problems: [{ level: 'warning', message: 'clock is off' }] });
    recordFailure(report, new BackupError('E_BUSY', 'the database stayed locked'), 'nothing-kept');
    const markdown = renderSummary(report);
    expect(markdown.split('the database stayed locked')).toHaveLength(2);
    expect(markdown).toContain('### Problems\n\n- ⚠️ clock is off\n\n');
  });

  test('each line of an input error is a line', () => {
    const error = { message: 'keep: one\nhost: two', hint: 'h', left: 'nothing-contacted' as const };
    expect(renderSummary(failedReport({ errorCode: 'E_INPUT', error }))).toContain('keep: one<br>host: two');
  });

  test('a dry run says that nothing was changed, and speaks of a plan', () => {
    const markdown = renderSummary(sampleReport({ command: 'prune', dryRun: true, deleted: 0 }));
    expect(markdown).toContain('**This was a dry run: nothing was changed on the host.**');
    expect(markdown).toContain('### Retention plan: 6 to keep, 1 to delete');
    expect(markdown).not.toContain('deleted** |');
  });

  test('a plan that was not carried out is not told as done', () => {
    const markdown = renderSummary(failedReport({ retention: sampleReport().retention, errorCode: 'E_POLICY' }));
    expect(markdown).toContain('The plan was carried out only in part: 0 of 1 deleted.');
    expect(markdown).toContain('| **delete** |');
  });

  test('`list` shows the catalogue with what is wrong and what is pinned', () => {
    const backups = [
      sampleBackup(0, { signed: true }),
      sampleBackup(1, { state: 'damaged', pinned: 'before migration' }),
      sampleBackup(2, { state: 'forged' }),
    ];
    const markdown = renderSummary(sampleReport({ command: 'list', backup: null, retention: [], backups }));
    expectSound(markdown);
    expect(markdown).toMatch(/\| ⚠️ damaged \|.*\| deploy, 📌 before migration \|/);
    expect(markdown).toMatch(/\| content, signed \|/);
    expect(markdown).toMatch(/\| ⚠️ forged \|/);
  });

  test('30 rows are shown, the rest is folded away', () => {
    const backups = Array.from({ length: 50 }, (_, i) => sampleBackup(i));
    const markdown = renderSummary(sampleReport({ command: 'list', retention: [], backups }));
    expect(markdown.slice(0, markdown.indexOf('<details>')).match(/^\| `app-/gm)).toHaveLength(30);
    expect(markdown).toContain('<summary>20 more backups</summary>');
    expectSound(markdown);
  });

  test('rows that break a foreign key are told', () => {
    expect(renderSummary(sampleReport({ foreignKeyViolations: 3 }))).toContain('3 rows without the row they refer to');
  });

  test('the recovery block is longer than any run of backticks in it', () => {
    const markdown = renderSummary(sampleReport({ recovery: ['echo ````', '<b>'] }));
    expect(markdown).toContain('`````sh\necho ````\n<b>\n`````');
  });

  test('recovery commands are shown whole or not at all', () => {
    const markdown = renderSummary(sampleReport({ recovery: ['rm -rf /', 'x'.repeat(20_000)] }));
    expect(markdown).not.toContain('rm -rf');
    expect(markdown).toContain('The commands are too long to show here');
  });

  test.each(COMMANDS)('no text from outside breaks the page of `%s`', (command) => {
    for (const text of HOSTILE) {
      expectSound(renderSummary(reportSaying(text, { command })));
      expectSound(renderSummary(reportSaying(text, { command, ok: true, retention: [], dryRun: true })));
    }
  });

  test('any text, anywhere', () => {
    const text = fc.oneof(
      fc
        .array(fc.constantFrom(...HOSTILE, '`', '|', '\\', '<', '\n', '\n```\n'), { maxLength: 6 })
        .map((parts) => parts.join('')),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(text, (said) => expectSound(renderSummary(reportSaying(said)))),
      { numRuns: 300 },
    );
  });

  test('nothing from outside is in the chart', () => {
    const backups = [sampleBackup(0, { id: 'SPY', path: 'SPY', reason: 'SPY', pinned: 'SPY' }), sampleBackup(1)];
    const markdown = renderSummary(sampleReport({ backups, name: 'SPY' }));
    const charts = [...markdown.matchAll(/```mermaid\n([\s\S]*?)\n```/g)].map(([, chart]) => chart).join('\n');
    expect(charts).toContain('bar [299, 302]');
    expect(charts).toContain('bar [82.1, 83.0]');
    expect(charts).not.toContain('SPY');
  });

  test.each(['x', '|', '<', '`', '@', '\u0007', '日', 'a `b` '])(
    'stays under 200 kB with 5000 of everything and texts of 1 MB of %j',
    (unit) => {
      const huge = unit.repeat(1_000_000 / unit.length);
      const base = reportSaying(huge);
      const many = <T>(list: T[]): T[] => Array.from({ length: 5000 }, () => list[0] as T);
      const report = {
        ...base,
        backups: many(base.backups),
        recovery: many(base.recovery),
        retention: many([{ id: huge, keep: true, reasons: many([huge]) }]),
        tables: many(base.tables),
        stages: many(base.stages),
        problems: many(base.problems),
      };
      for (const changes of [{}, { retention: [] }]) {
        const markdown = renderSummary({ ...report, ...changes });
        expect(Buffer.byteLength(markdown)).toBeLessThan(200_000);
        expectSound(markdown);
      }
    },
  );
});

describe('writeSummary', () => {
  test('appends to the summary file of the step; without one it rejects', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'summary-'));
    const before = process.env.GITHUB_STEP_SUMMARY;
    try {
      usePlatform(actions);
      delete process.env.GITHUB_STEP_SUMMARY;
      await expect(writeSummary(sampleReport())).rejects.toThrow('GITHUB_STEP_SUMMARY');

      const file = join(folder, 'summary');
      writeFileSync(file, 'before\n');
      process.env.GITHUB_STEP_SUMMARY = file;
      await writeSummary(sampleReport());
      expect(readFileSync(file, 'utf8')).toBe(`before\n${renderSummary(sampleReport())}`);
    } finally {
      if (before === undefined) delete process.env.GITHUB_STEP_SUMMARY;
      else process.env.GITHUB_STEP_SUMMARY = before;
      rmSync(folder, { recursive: true });
    }
  });
});
