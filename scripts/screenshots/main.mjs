/**
 * Looks at job summaries in a browser, light and dark, wide and narrow: those of the demonstration, from the folder that is given,
 * and some that it does not make. Then takes the pictures of the documentation; with --check it only looks.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failedReport, HOSTILE, sampleReport } from '../../__tests__/reporting/sample-report.ts';
import { renderSummary } from '../../src/reporting/summary.ts';
import { startBrowser } from './browser.mjs';
import { complaints, MEASURE } from './checks.mjs';
import { documentOf } from './page.mjs';

const IMAGES = fileURLToPath(new URL('../../docs/images', import.meta.url));
const MAX_BYTES = 250_000;
/** Of the pictures: GitHub shows them at most as wide as its column. */
const WIDTH = 900;

const BEFORE_BACKUPS =
  "[...document.querySelectorAll('h3')].find((title) => title.textContent === 'Backups').previousElementSibling";
/** Of a summary of the demonstration, down to an element. */
const PICTURES = [
  // what follows are the contents and the commands to restore
  { name: 'summary', of: 'backup', until: "document.querySelector('pre.chart')" },
  { name: 'plan', of: 'plan', until: BEFORE_BACKUPS },
  { name: 'restored', of: 'restore', until: BEFORE_BACKUPS },
];

const [folder = '', ...flags] = process.argv.slice(2);
const demo = (name) => readFileSync(join(folder, `${name}.md`), 'utf8');

const EVERYWHERE = [1200, 400].flatMap((width) => ['light', 'dark'].map((scheme) => ({ width, scheme })));
const NARROW = [{ width: 400, scheme: 'light' }];
const summaries = [
  { name: 'backup', markdown: demo('backup'), looks: EVERYWHERE },
  { name: 'plan', markdown: demo('plan'), looks: EVERYWHERE },
  { name: 'restore', markdown: demo('restore'), looks: EVERYWHERE },
  { name: 'failure', markdown: renderSummary(failedReport()), looks: EVERYWHERE },
  ...HOSTILE.map((text, i) => ({ name: `hostile ${i + 1}`, markdown: hostile(text), looks: NARROW })),
];

const browser = await startBrowser();
try {
  const page = await browser.page();
  let wrong = 0;
  for (const { name, markdown, looks } of summaries) {
    for (const { width, scheme } of looks) {
      await page.show(documentOf(markdown), { width, scheme, scale: 1 });
      const failures = await page.evaluate('drawCharts()');
      const charts = markdown.split('```mermaid').length - 1;
      const found = complaints(await page.evaluate(MEASURE), failures, charts);
      for (const complaint of found) console.error(`${name}, ${width} pixels, ${scheme}: ${complaint}`);
      wrong += found.length;
    }
  }
  console.log(`screenshots: ${summaries.length} summaries looked at, ${wrong} complaints`);
  if (wrong > 0) process.exitCode = 1;
  if (!flags.includes('--check')) {
    for (const picture of PICTURES) for (const scheme of ['light', 'dark']) await take(page, picture, scheme);
  }
  await page.close();
} finally {
  await browser.close();
}

async function take(page, { name, of, until }, scheme) {
  await page.show(documentOf(demo(of)), { width: WIDTH, scheme, scale: 1 });
  await page.evaluate('drawCharts()');
  const height = await page.evaluate(`Math.ceil((${until}).getBoundingClientRect().bottom) + 16`);
  const png = await page.screenshot(WIDTH, height);
  const file = join(IMAGES, `${name}-${scheme}.png`);
  if (png.length > MAX_BYTES) throw new Error(`${file} would have ${png.length} bytes, more than ${MAX_BYTES}`);
  mkdirSync(IMAGES, { recursive: true });
  writeFileSync(file, png);
  console.log(`screenshots: ${file}, ${png.length} bytes`);
}

/** The same text wherever a report has one from outside, as far as a backup that failed late has them. */
function hostile(text) {
  const good = sampleReport();
  return renderSummary(
    failedReport({
      error: { message: text, hint: text },
      host: text,
      database: text,
      name: text,
      directory: text,
      backup: good.backup === null ? null : { ...good.backup, id: text, path: text, pinned: text },
      recovery: [text],
      retention: good.retention.map((decision) => ({ ...decision, reasons: [text] })),
      tables: [{ name: text, rows: 1 }],
      stages: [{ name: text, ms: 1 }],
      problems: [{ level: 'warning', message: text }],
    }),
  );
}
