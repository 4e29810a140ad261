/** So many at once, and from then on so many a second. */
export interface Rate {
  most: number;
  perSecond: number;
}

/** What a client may take of the server; times in milliseconds. */
export interface Limits {
  /** Until the headers are there. */
  headersMs: number;
  /** Until the whole call is there. What it asks for may take as long as it takes. */
  requestMs: number;
  /** How often those two are looked at. */
  checkMs: number;
  /** Until the answer is taken. */
  answerMs: number;
  headerBytes: number;
  bodyBytes: number;
  connections: number;
  /** Of one address; a proxy in front is the address of all. */
  connectionsOfOne: number;
  /** Of one address: calls with the right token, those without, and those that need none. */
  calls: Rate;
  wrong: Rate;
  open: Rate;
  /** Calls that change nothing: at once, and how many wait for their turn. */
  reads: number;
  waiting: number;
}

export const LIMITS: Limits = {
  headersMs: 5_000,
  requestMs: 15_000,
  checkMs: 1_000,
  answerMs: 30_000,
  headerBytes: 8_192,
  bodyBytes: 16_384,
  connections: 256,
  connectionsOfOne: 64,
  calls: { most: 60, perSecond: 2 },
  wrong: { most: 10, perSecond: 1 / 6 },
  open: { most: 60, perSecond: 2 },
  reads: 2,
  waiting: 8,
};
