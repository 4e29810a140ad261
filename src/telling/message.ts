import { ERRORS } from '../errors.js';
import { formatAge, formatBytes, formatDuration } from '../reporting/format.js';
import type { Report } from '../reporting/report.js';
import { leftUntouched, verdict } from '../reporting/verdict.js';
import type { GitHubRun } from '../run/run.js';
import type { Level } from './when.js';

/** What is told of a run, in plain text that is safe to be shown; each service escapes it for itself. */
export interface Message {
  level: Level;
  /** One line: an icon and the verdict. */
  title: string;
  /** Of a failure what happened and what to do; of any run its problems. */
  sections: { heading: string; text: string }[];
  /** At most ten, each of one line. */
  facts: [name: string, value: string][];
  /** To the run on GitHub. */
  link: string | null;
  /** The last lines of the log; empty unless they are asked for. */
  log: string[];
  /** When it was told, ISO 8601. */
  at: string;
}

export interface Source {
  report: Report;
  github: GitHubRun | null;
  level: Level;
  /** As it was printed. */
  log: readonly string[];
  now: Date;
  /** Makes a text safe to be shown, without any secret. */
  clean: (text: string) => string;
}

const MOST_PROBLEMS = 5;
const MOST_FACTS = 10;

export function messageOf({ report, github, level, log, now, clean }: Source): Message {
  const line = (text: string): string => clean(text).replaceAll('\n', ' ');
  const { icon, text } = verdict(report, line);
  return {
    level,
    title: `${icon} ${level === 'recovered' ? 'Recovered: ' : ''}${line(text)}`,
    sections: sectionsOf(report).map(({ heading, text }) => ({ heading, text: clean(text) })),
    facts: factsOf(report, github)
      .filter(([, value]) => value !== '')
      .slice(0, MOST_FACTS)
      .map(([name, value]) => [name, line(value)]),
    link: github === null ? null : github.runUrl,
    log: log.map(line),
    at: now.toISOString(),
  };
}

function sectionsOf(report: Report): Message['sections'] {
  const { error, problems, ok } = report;
  const code = report.errorCode || 'E_INTERNAL';
  const others = problems.filter(({ message }) => message !== error?.message);
  const shown = others.slice(0, MOST_PROBLEMS).map(({ message, todo }) => `- ${message}${todo ? `. ${todo}` : ''}`);
  if (others.length > shown.length) shown.push(`- and ${others.length - shown.length} more`);
  return [
    ...(ok
      ? []
      : [
          { heading: 'What happened', text: `${code}: ${error?.message ?? 'no error message'}` },
          { heading: 'Usual cause', text: ERRORS[code].cause },
          { heading: 'What to do', text: error?.hint ?? ERRORS[code].fix },
          { heading: 'Left as it was', text: leftUntouched(report) },
        ]),
    ...(shown.length === 0 ? [] : [{ heading: 'Problems', text: shown.join('\n') }]),
  ];
}

/** Empty ones are not known, or mean nothing here. */
function factsOf(report: Report, github: GitHubRun | null): Message['facts'] {
  const { backup, restore, offsite } = report;
  return [
    ['Database', report.name || report.database],
    ['Host', report.host],
    ['Backup', backup?.id ?? ''],
    ['Database size', backup === null ? '' : formatBytes(backup.databaseBytes)],
    ['Backup size', backup === null ? '' : formatBytes(backup.bytes)],
    ['Duration', report.durationMs > 0 ? formatDuration(report.durationMs) : ''],
    ['SHA-256', backup?.sha256 ?? ''],
    ['Retention', report.ok && report.retention.length > 0 ? `${report.kept} kept, ${report.deleted} deleted` : ''],
    ['Off-site copy', offsite?.uri ?? ''],
    ['Restored from', restore?.from ?? ''],
    ['Safety backup', restore?.safetyBackupId ?? ''],
    ['Newest backup', report.newestAgeSeconds === null ? '' : `${formatAge(report.newestAgeSeconds * 1000)} old`],
    ['Repository', github?.repository ?? ''],
  ];
}

export const bodyOf = ({ sections }: Message): string =>
  sections.map(({ heading, text }) => `${heading}\n${text}`).join('\n\n');

export const factLines = ({ facts }: Message): string => facts.map(([name, value]) => `${name}: ${value}`).join('\n');

/** As many of the last lines as have at most `most` of `size` together, each with its line break; the last is always among them. */
export function lastLines({ log }: Message, most: number, size = (text: string) => text.length): string {
  let first = log.length;
  for (let used = 0; first > 0; first--) {
    used += size(`${log[first - 1]}\n`);
    if (used > most && first < log.length) break;
  }
  return log.slice(first).join('\n');
}

/** All of it, for places without markup. */
export function plainText(message: Message): string {
  const log = message.log.length === 0 ? '' : `Log\n${message.log.join('\n')}`;
  const parts = [bodyOf(message), factLines(message), message.link ?? '', log];
  return parts.filter((part) => part !== '').join('\n\n');
}
