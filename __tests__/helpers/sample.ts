import { test } from '@jest/globals';

/** Whether every point of each sweep is tested (`npm run test:sweep`, each night), not a sample of it (`npm test`). */
export const SWEEP = Boolean(process.env.TEST_SWEEP);

/** In a sweep all points; else `n` of them, the first, the last, and others evenly between. Always the same ones. */
export function sample<T>(points: readonly T[], n: number): T[] {
  if (SWEEP || n >= points.length) return [...points];
  const last = points.length - 1;
  return Array.from({ length: n }, (_, index) => points[n === 1 ? 0 : Math.round((index * last) / (n - 1))] as T);
}

/** For what is asked after each case of a file: in a sweep each time, else the first time and each `n`th after it. */
export function nowAndThen(n: number): () => boolean {
  let time = 0;
  return () => SWEEP || time++ % n === 0;
}

/** In how large steps a loop goes over numbered points; 1 in a sweep. */
export const step = (sampled: number): number => (SWEEP ? 1 : sampled);

/**
 * What stands for `test` in a `describe.each(points)`. In a sweep it is the same. Else each test, and each row of a `test.each`, is for one
 * of the points, in turn: every case and every point is tested, and not each with each.
 */
export function inTurn<T>(points: readonly T[], point: T): typeof test {
  if (SWEEP) return test;
  let next = 0;
  const isOurs = () => next++ % points.length === points.indexOf(point);
  const one = (...test_: Parameters<typeof test>) => {
    if (isOurs()) test(...test_);
  };
  const each = (rows: readonly unknown[]) => {
    const own = rows.filter(isOurs);
    return own.length === 0 ? () => {} : test.each(own as [unknown]);
  };
  return Object.assign(one, { each }) as unknown as typeof test;
}
