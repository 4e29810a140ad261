import { ERRORS, type ErrorCode } from '../errors.js';

/** A call that is not carried out. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: ErrorCode,
    message: string,
    /** Headers of the answer, and what its body has besides. */
    readonly more: { headers?: Record<string, string>; fields?: Record<string, unknown> } = {},
  ) {
    super(message);
  }
}

/** What somebody has asked for with the right token, and is wrong in itself. */
export const unfit = (message: string): Refusal => new Refusal(422, 'E_INPUT', message);

const OF: Partial<Record<ErrorCode, number>> = {
  E_NOT_FOUND: 404,
  E_LOCKED: 409,
  E_POLICY: 409,
  E_SHRUNK: 409,
  E_TARGET_BUSY: 409,
  E_UNFINISHED: 409,
  E_CONNECT: 502,
  E_REMOTE_LOST: 502,
  E_BUSY: 503,
  E_CANCELLED: 503,
  E_TIMEOUT: 504,
  E_NOSPACE: 507,
};

/** The HTTP status of a run that failed. */
export const statusOf = (code: ErrorCode): number => OF[code] ?? (ERRORS[code].class === 'input' ? 422 : 500);
