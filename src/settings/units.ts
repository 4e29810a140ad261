const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** Reads `90s`, `30m`, `26h` or `7d`; returns milliseconds. Throws an Error whose text is the rule. */
export function parseDuration(text: string): number {
  const [, digits, unit] = /^(\d{1,10})([smhd])$/.exec(text) ?? [];
  const ms = Number(digits) * (SECONDS[unit as keyof typeof SECONDS] ?? Number.NaN) * 1_000;
  if (!Number.isSafeInteger(ms)) throw new Error('expected a duration such as 90s, 30m, 26h or 7d');
  return ms;
}

/** Writes milliseconds in the largest unit that holds them exactly, so that `parseDuration` reads them back. */
export function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  const unit = (['d', 'h', 'm'] as const).find((name) => seconds > 0 && seconds % SECONDS[name] === 0) ?? 's';
  return `${seconds / SECONDS[unit]}${unit}`;
}

const POWERS = 'kmgt';

/**
 * Reads `500MB` (powers of 1000), `2GiB` (powers of 1024) or plain bytes, in any case; returns bytes.
 * `2G` is refused because tools disagree about it. Throws an Error whose text is the rule.
 */
export function parseSize(text: string): number {
  const rule = 'expected a size such as 500MB, 2GiB or 1048576 (bytes)';
  const [, number, prefix = '', binary] = /^(\d{1,15}(?:\.\d{1,3})?) ?(?:([kmgt]?)(i?)b)?$/i.exec(text) ?? [];
  if (number === undefined || (binary && prefix === '') || (number.includes('.') && prefix === '')) {
    throw new Error(rule);
  }
  const power = prefix === '' ? 0 : POWERS.indexOf(prefix.toLowerCase()) + 1;
  const bytes = Math.round(Number(number) * (binary ? 1_024 : 1_000) ** power);
  if (!Number.isSafeInteger(bytes)) throw new Error(rule);
  return bytes;
}

/** Reads `50%`; returns the share (0.5). Throws an Error whose text is the rule. */
export function parsePercent(text: string): number {
  const [, number] = /^(\d{1,6}(?:\.\d{1,3})?)%$/.exec(text) ?? [];
  if (number === undefined) throw new Error('expected a percentage such as 50%');
  return Number(number) / 100;
}
