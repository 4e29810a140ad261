import { parseTime } from './format.js';
import type { BackupFacts } from './report.js';

const MAX_BACKUPS = 20;
const WIDTH = 900;
const LABEL_FONT = 11;
/** What the scale on the left takes. */
const MARGIN = 70;

/**
 * The sizes of the newest backups, oldest first, as a mermaid chart; null when there are not two to compare. Nothing in it comes
 * from outside but numbers and dates, written anew, so it needs no escaping. `backups` is newest first.
 */
export function sizeTrend(backups: BackupFacts[]): string | null {
  let points = backups
    .filter((backup) => backup.state === 'ok' && isSize(backup.databaseBytes) && isSize(backup.bytes))
    .flatMap(({ databaseBytes, bytes, createdAt }) => {
      const time = parseTime(createdAt);
      return time === null ? [] : [{ databaseBytes, bytes, time }];
    })
    .slice(0, MAX_BACKUPS)
    .reverse();
  if (points.length < 2) return null;
  let labels = dateLabels(points.map((point) => point.time));
  while (!haveRoom(labels)) {
    points = points.slice(1);
    labels = dateLabels(points.map((point) => point.time));
  }

  const series = (sizes: number[]) => `[${sizes.map(megabytes).join(', ')}]`;
  const largest = Math.max(...points.map((point) => Math.max(point.databaseBytes, point.bytes)));
  return [
    '---',
    'config:',
    '  themeVariables:',
    '    xyChart:',
    // Read on white and on dark, whose theme would paint a grey box.
    '      backgroundColor: "transparent"',
    '      plotColorPalette: "#3b82f6, #f59e0b"',
    '  xyChart:',
    `    width: ${WIDTH}`,
    '    height: 320',
    '    titleFontSize: 16',
    '    xAxis:',
    `      labelFontSize: ${LABEL_FONT}`,
    '---',
    'xychart-beta',
    '  title "Size of the database (bars) and of its backup (line)"',
    `  x-axis [${labels.map((label) => `"${label}"`).join(', ')}]`,
    `  y-axis "MB" 0 --> ${megabytes(Math.max(largest * 1.1, 1))}`,
    `  bar ${series(points.map((point) => point.databaseBytes))}`,
    `  line ${series(points.map((point) => point.bytes))}`,
  ].join('\n');
}

/** The shortest form in which no two are the same: mermaid draws equal labels as one. `times` is oldest first. */
export function dateLabels(times: Date[]): string[] {
  const iso = times.map((time) => time.toISOString());
  const day = (text: string) => text.slice(5, 10);
  const hour = (text: string) => text.slice(11, 16);
  const second = (text: string) => text.slice(11, 19);
  const forms = [
    day,
    (text: string) => `${text.slice(8, 10)} ${hour(text)}`,
    (text: string) => `${day(text)} ${hour(text)}`,
  ];
  // Within one day the date would only take room.
  if (new Set(iso.map((text) => text.slice(0, 10))).size === 1) forms.unshift(hour, second);
  for (const form of forms) {
    const labels = iso.map(form);
    if (new Set(labels).size === labels.length) return labels;
  }
  return iso.map((text, i) => `${i + 1}: ${day(text)}`);
}

/** Mermaid writes labels over each other rather than leave one out. Digits are about 0.6 of the font size wide. */
function haveRoom(labels: string[]): boolean {
  const widest = Math.max(...labels.map((label) => label.length)) * 0.6 * LABEL_FONT + 8;
  return labels.length <= 2 || labels.length * widest <= WIDTH - MARGIN;
}

/** Plain decimals: the chart's grammar knows no exponents. */
function megabytes(bytes: number): string {
  const value = bytes / 1e6;
  return value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(6);
}

function isSize(value: number): boolean {
  return Number.isFinite(value) && value >= 0 && value < 1e18;
}
