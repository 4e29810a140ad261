import type { KeepRules } from '../backups/retention.js';
import { formatDuration, parseDuration } from './units.js';

const RULES = ['last', 'within', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
type Rule = (typeof RULES)[number];

/** More is a typing error; also keeps every sum of the planner far from where numbers lose precision. */
const MOST = 100_000;
const EXAMPLES = 'expected rules such as "5" or "daily=7 weekly=4"';

const isRule = (text: string): text is Rule => (RULES as readonly string[]).includes(text);

/**
 * Reads what `keep` takes: `5` (the same as `last=5`), or rules separated by blanks, commas or newlines.
 * Throws an Error that states the rule and quotes the part that broke it.
 */
export function parseKeep(text: string): KeepRules {
  const whole = text.trim();
  if (/^\d+$/.test(whole)) return { last: parseCount(whole, whole) };
  const parts = whole
    .replace(/\s*=\s*/g, '=')
    .split(/[\s,]+/)
    .filter((part) => part !== '');
  if (parts.length === 0) throw new Error(`${EXAMPLES}, got ""`);
  const rules: KeepRules = {};
  for (const part of parts) {
    const [name = '', value, ...rest] = part.split('=');
    if (value === undefined || rest.length > 0) throw new Error(`${EXAMPLES}, got ${JSON.stringify(part)}`);
    if (!isRule(name))
      throw new Error(`unknown rule, expected one of ${RULES.join(', ')}, got ${JSON.stringify(part)}`);
    if (rules[name] !== undefined) throw new Error(`the rule ${name} is given twice, got ${JSON.stringify(whole)}`);
    rules[name] = name === 'within' ? parseWithin(value, part) : parseCount(value, part);
  }
  return rules;
}

function parseCount(digits: string, part: string): number {
  const count = /^\d{1,6}$/.test(digits) ? Number(digits) : 0;
  if (count < 1 || count > MOST)
    throw new Error(`expected a whole number from 1 to ${MOST}, got ${JSON.stringify(part)}`);
  return count;
}

function parseWithin(value: string, part: string): number {
  let ms: number;
  try {
    ms = parseDuration(value);
  } catch (error) {
    throw new Error(`${(error as Error).message}, got ${JSON.stringify(part)}`);
  }
  if (ms < 1_000 || ms > MOST * 86_400_000) {
    throw new Error(`expected a duration from 1s to ${MOST}d, got ${JSON.stringify(part)}`);
  }
  return ms;
}

/** Writes rules in the order of the documentation; `parseKeep` reads them back. */
export function formatKeep(rules: KeepRules): string {
  return RULES.flatMap((name) => {
    const value = rules[name];
    if (value === undefined) return [];
    return [`${name}=${name === 'within' ? formatDuration(value) : value}`];
  }).join(' ');
}
