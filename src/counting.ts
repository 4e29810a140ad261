/** `1 row`, `2 rows`: a number as it is, with the noun that fits it. */
export const plural = (count: number, noun: string, many = `${noun}s`): string =>
  `${count} ${count === 1 ? noun : many}`;
