import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';

/** Compares `actual` with golden/<name>.json in full. `UPDATE_GOLDEN=1` writes it first: review what it wrote, then format it. */
export function expectGolden(name: string, actual: unknown): void {
  const path = join(import.meta.dirname, 'golden', `${name}.json`);
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, `${JSON.stringify(actual, null, 2)}\n`);
  expect(actual).toEqual(JSON.parse(readFileSync(path, 'utf8')));
}
