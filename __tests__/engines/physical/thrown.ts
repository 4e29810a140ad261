import { BackupError } from '../../../src/errors.js';

/** What it throws; fails when it throws nothing, or anything else. */
export function failureOf(act: () => unknown): BackupError {
  try {
    act();
  } catch (error) {
    if (error instanceof BackupError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
