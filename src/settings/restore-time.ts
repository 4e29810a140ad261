/** A moment to which a database is recovered: `at` to the millisecond, `text` in UTC with its microseconds and the offset, as servers read it. */
export interface RestoreTime {
  at: Date;
  text: string;
}

const FORM = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?(Z|[+-]\d{2}:?\d{2}|[+-]\d{2})?$/i;
const EXAMPLE = 'such as 2026-11-29T18:19:40Z or 2026-11-29T19:19:40.123456+01:00';

/**
 * `latest`, or ISO 8601 with its offset: without one, the tools and the server would each take their own time zone, and restore another
 * state than meant. Throws an Error whose text is the rule.
 */
export function parseRestoreTime(text: string): 'latest' | RestoreTime {
  if (text === 'latest') return 'latest';
  const [, day = '', time = '', fraction = '', offset] = FORM.exec(text) ?? [];
  if (day === '') throw new Error(`expected \`latest\`, or a time ${EXAMPLE}`);
  if (offset === undefined) {
    throw new Error(
      `expected a time with its offset from UTC, ${EXAMPLE}: without one nobody can tell which moment is meant`,
    );
  }
  const local = new Date(`${day}T${time}.${fraction.padEnd(6, '0').slice(0, 3)}Z`);
  // Date accepts 30 February and moves it to March
  if (Number.isNaN(local.getTime()) || local.toISOString().slice(0, 19) !== `${day}T${time}`) {
    throw new Error(`expected a time of the calendar, ${EXAMPLE}`);
  }
  const at = new Date(local.getTime() - offsetMs(offset));
  // where servers have no such year, or a date has another form
  if (!/^[1-9]\d{3}-/.test(at.toISOString())) throw new Error(`expected a time of the calendar, ${EXAMPLE}`);
  const micros = fraction.padEnd(6, '0');
  return { at, text: `${at.toISOString().slice(0, 19).replace('T', ' ')}.${micros}+00` };
}

function offsetMs(offset: string): number {
  if (/^z$/i.test(offset)) return 0;
  const [hours, minutes] = [Number(offset.slice(1, 3)), Number(offset.slice(3).replace(':', '') || 0)];
  if (hours > 15 || minutes > 59) throw new Error(`expected an offset from UTC of the world's time zones, ${EXAMPLE}`);
  return (offset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}
