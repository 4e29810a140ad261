/** What the schemas of documents are made of. Each message says what is expected; nothing is taken from a prototype. */
import * as v from 'valibot';

// Others may write anything into a document. These bounds are far above what a real one holds.
/** Of one text, in characters; what writes a manifest keeps to it as well. */
export const LINE_LIMIT = 16 * 1024;
export const LIST_LIMIT = 100_000;

export const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const anyObject = v.custom<object>(isObject, 'an object');

/** With at least these fields; a missing one is refused in the words of its own schema. */
export const object = <const E extends v.ObjectEntries>(entries: E) =>
  v.pipe(
    anyObject,
    v.object(entries, ({ path }) => {
      const schema = entries[String(path?.[0].key)];
      return (schema && v.safeParse(schema, undefined).issues?.[0].message) ?? 'an object';
    }),
  );

export const list = <S extends v.GenericSchema>(item: S) =>
  v.pipe(
    v.custom<unknown[]>(
      (value) => Array.isArray(value) && value.length <= LIST_LIMIT,
      `a list of at most ${LIST_LIMIT}`,
    ),
    v.array(item),
  );

export const text = (minimum = 0) =>
  v.custom<string>(
    (value) => typeof value === 'string' && value.length >= minimum && value.length <= LINE_LIMIT,
    `a text of ${minimum} to ${LINE_LIMIT} characters`,
  );

export const matching = (pattern: RegExp, rule: string) => v.pipe(text(), v.regex(pattern, rule));

export const whole = (minimum = 0) =>
  v.custom<number>(
    (value) => Number.isSafeInteger(value) && (value as number) >= minimum,
    `a whole number of ${minimum} or more`,
  );

export const oneOf = <const T extends readonly (string | number)[]>(allowed: T) => v.picklist(allowed, quoted(allowed));

export const quoted = (allowed: readonly unknown[]): string =>
  allowed.map((value) => JSON.stringify(value)).join(' or ');

/** An instant of the calendar in UTC, as `Date.toISOString` writes it, with or without milliseconds. */
export const instant = v.pipe(
  text(),
  v.check((written) => {
    const date = new Date(written);
    return !Number.isNaN(date.getTime()) && [written, written.replace(/Z$/, '.000Z')].includes(date.toISOString());
  }, 'a UTC time such as "2026-11-20T10:15:00Z"'),
);

const TEXT = text();

/** Texts by name, whatever the names: `v.record` passes over `__proto__` and its like. */
export const texts = v.pipe(
  v.custom<Record<string, string>>(isObject, 'an object'),
  v.rawCheck(({ dataset: { value: input }, addIssue }) => {
    for (const [key, value] of Object.entries(input as object)) {
      const message = v.safeParse(TEXT, value).issues?.[0].message;
      if (message === undefined) continue;
      addIssue({
        message,
        input: value,
        path: [{ type: 'object', origin: 'value', input: input as Record<string, unknown>, key, value }],
      });
      return;
    }
  }),
);

/** The first thing that is wrong with a document; null when it is as the schema has it. */
export function faultIn(
  schema: v.GenericSchema,
  document: unknown,
): { path: string; rule: string; value: unknown } | null {
  const [issue] = v.safeParse(schema, document, { abortEarly: true }).issues ?? [];
  if (issue === undefined) return null;
  return { path: (issue.path ?? []).map(({ key }) => String(key)).join('.'), rule: issue.message, value: issue.input };
}
