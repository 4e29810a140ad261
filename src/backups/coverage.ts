import * as v from 'valibot';
import { isObject, list, object, text } from '../schemas.js';

/** What a backup holds of its database: the patterns that it was made with, as pg_dump takes them. null: everything. */
export interface Coverage {
  excludeTable: string[];
  excludeTableData: string[];
  schema: string[];
  /** Of a backup whose manifest was lost nobody knows. */
  unknown?: true;
}

export const UNKNOWN_COVERAGE: Coverage = { excludeTable: [], excludeTableData: [], schema: [], unknown: true };

const PATTERNS = list(text(1));
const OF_NOBODY = object({ unknown: v.literal(true, 'true') });
/** Written in another order it would be another series. */
const IN_ORDER = v.pipe(
  object({ excludeTable: PATTERNS, excludeTableData: PATTERNS, schema: PATTERNS }),
  v.check((found) => JSON.stringify(coverageOf(found)) === JSON.stringify(found), 'patterns in order, at least one'),
);
export const COVERAGE = v.lazy(
  (input) =>
    (isObject(input) && Object.hasOwn(input, 'unknown') ? OF_NOBODY : IN_ORDER) as v.GenericSchema<unknown, Coverage>,
);

/** What is left out by these patterns; null: nothing. In an order of its own, so that the same ones are the same coverage however given. */
export function coverageOf({ excludeTable, excludeTableData, schema }: Coverage): Coverage | null {
  const coverage = {
    excludeTable: sorted(excludeTable),
    excludeTableData: sorted(excludeTableData),
    schema: sorted(schema),
  };
  return Object.values(coverage).every((patterns) => patterns.length === 0) ? null : coverage;
}

/** Whether a backup of this coverage has all that is wanted: a whole one has, a partial one only when it was made in the same way. */
export function covers(one: Coverage | null, wanted: Coverage | null): boolean {
  return one === null || (wanted !== null && showCoverage(one) === showCoverage(wanted));
}

/** `without the table "a"; only the schema "b"`; two coverages that differ are never shown alike. Empty for a whole one. */
export function showCoverage(coverage: Coverage | null): string {
  if (coverage === null) return '';
  if (coverage.unknown) return 'of unknown coverage';
  const { excludeTable, excludeTableData, schema } = coverage;
  return [
    named('without the table', excludeTable),
    named('without the data of', excludeTableData),
    named('only the schema', schema),
  ]
    .filter((part) => part !== '')
    .join('; ');
}

const named = (what: string, patterns: readonly string[]): string =>
  patterns.length === 0 ? '' : `${what} ${patterns.map((pattern) => JSON.stringify(pattern)).join(', ')}`;

const sorted = (patterns: readonly string[]): string[] => [...new Set(patterns)].sort();
