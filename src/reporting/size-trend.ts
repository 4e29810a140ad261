import { parseTime } from './format.js';
import type { BackupFacts, RememberedSize } from './report.js';

const MAX_BACKUPS = 20;
const WIDTH = 900;
const LABEL_FONT = 11;
/** What the scale on the left takes. */
const MARGIN = 70;

/** What is no longer kept, of either. */
const GREY = '#9ca3af';
/** Of each size a chart, since a chart has one scale. */
const CHARTS = [
  { of: 'database', colour: '#3b82f6', size: ({ databaseBytes }: RememberedSize) => databaseBytes },
  { of: 'backup', colour: '#f59e0b', size: ({ bytes }: RememberedSize) => bytes },
] as const;

interface Point extends RememberedSize {
  time: Date;
  isKept: boolean;
}

/**
 * The sizes of the newest backups, oldest first, as mermaid charts: of the database, and of its backup. None when there are not two to
 * compare. `remembered`: those that are no longer kept. Nothing in it comes from outside but numbers and dates, written anew, so it needs
 * no escaping.
 */
export function sizeTrend(backups: BackupFacts[], remembered: readonly RememberedSize[] = []): string[] {
  let points = pointsOf(backups, remembered);
  if (points.length < 2) return [];
  let labels = dateLabels(points.map((point) => point.time));
  while (!haveRoom(labels)) {
    points = points.slice(1);
    labels = dateLabels(points.map((point) => point.time));
  }
  return CHARTS.map(({ of, colour, size }) => {
    const sizes = points.map((point) => ({ bytes: size(point), isKept: point.isKept }));
    // bars of nothing are not drawn, so that those of one series stand where the other has none
    const bars = (isOfIt: boolean) =>
      `  bar [${sizes.map(({ bytes, isKept }) => (isKept === isOfIt ? megabytes(bytes) : '0')).join(', ')}]`;
    const isAllKept = points.every(({ isKept }) => isKept);
    return [
      ...head(isAllKept ? colour : `${colour}, ${GREY}`),
      `  title "Size of the ${of}${isAllKept ? '' : ' (grey: no longer kept)'}"`,
      `  x-axis [${labels.map((label) => `"${label}"`).join(', ')}]`,
      `  y-axis "MB" 0 --> ${megabytes(Math.max(...sizes.map(({ bytes }) => bytes * 1.1), 1))}`,
      bars(true),
      ...(isAllKept ? [] : [bars(false)]),
    ].join('\n');
  });
}

/** The sizes of the newest good backups, oldest first, kept or remembered. */
export function pointsOf(backups: readonly BackupFacts[], remembered: readonly RememberedSize[]): Point[] {
  return [
    ...backups.filter(({ state }) => state === 'ok').flatMap((backup) => pointOf(backup, true)),
    ...remembered.flatMap((size) => pointOf(size, false)),
  ]
    .sort((one, other) => one.time.getTime() - other.time.getTime())
    .slice(-MAX_BACKUPS);
}

function pointOf({ createdAt, bytes, databaseBytes }: RememberedSize, isKept: boolean): Point[] {
  const time = parseTime(createdAt);
  return time === null || !isSize(bytes) || !isSize(databaseBytes)
    ? []
    : [{ createdAt, bytes, databaseBytes, time, isKept }];
}

const head = (colours: string): string[] => [
  '---',
  'config:',
  '  themeVariables:',
  '    xyChart:',
  // Read on white and on dark, whose theme would paint a grey box.
  '      backgroundColor: "transparent"',
  `      plotColorPalette: "${colours}"`,
  '  xyChart:',
  `    width: ${WIDTH}`,
  '    height: 240',
  '    titleFontSize: 16',
  '    xAxis:',
  `      labelFontSize: ${LABEL_FONT}`,
  '---',
  'xychart-beta',
];

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
