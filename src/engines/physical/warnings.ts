import type { Facts } from '../../host/facts.js';
import { quoteOutside } from '../../reporting/neutralise.js';

/** What pgBackRest warned of, as a remark, or none. */
export function warningsIn(facts: Facts, key: 'made_warnings' | 'restore_warnings'): string[] {
  const warnings = facts.get(key) ?? '';
  return warnings === '' ? [] : [`pgBackRest warned: ${quoteOutside(warnings, 500)}`];
}
