import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { expectFailure } from './failure.js';
import { leftOnHost } from './invariants.js';
import { backupsIn } from './outcome.js';
import type { Postgres } from './postgres.js';
import type { ActionResult } from './run-action.js';
import type { Scene } from './scene.js';

/**
 * Expects of a backup that has to fail all that `expectFailure` does; that the message says what to do and what was left untouched; and
 * that nothing of the run is left: no file, no process, no session at a server, and every older backup as it was. Returns the message.
 */
export async function expectRefusal(
  { server, scene, sessions = [], secrets = [] }: RefusalOf,
  run: () => Promise<ActionResult>,
  code: string,
  ...says: (string | RegExp)[]
): Promise<string> {
  const before = backupsIn(scene.directory);
  const result = await run();
  const message = expectFailure(result, code, ...says);
  // what happened, and in another sentence what to do
  expect(message).toMatch(/\. Nothing was (changed|kept, nothing was rotated, and the database was not changed)\.$/);
  const told = [
    message,
    result.summary,
    ...Object.values(result.outputs),
    textOf(join(scene.directory, 'status.json')),
  ];
  for (const secret of secrets) expect(told.join('\n')).not.toContain(secret);
  expect(result.visible).not.toMatch(/unbound variable|syntax error|command not found|parameter not set/);
  expect(await leftOnHost(scene)).toEqual([]);
  expect(temporaryOf(scene.user.uid)).toEqual([]);
  expect(await sessionsLeft(server, sessions)).toEqual([]);
  expect(backupsIn(scene.directory)).toEqual(before);
  return message;
}

export interface RefusalOf {
  server: Postgres;
  scene: Scene;
  /** The sessions that the test itself has open. */
  sessions?: number[];
  /** What must not be told. */
  secrets?: string[];
}

const textOf = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');

/** What runs of this user have left where temporary files go. */
export function temporaryOf(uid: number): string[] {
  return ['/tmp', '/var/tmp'].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.startsWith('db-backup.'))
      .map((name) => join(folder, name))
      .filter((path) => statSync(path, { throwIfNoEntry: false })?.uid === uid),
  );
}

/** The sessions of clients but the expected ones, after a while: a server notices in its own time that one is gone. */
export async function sessionsLeft(server: Postgres, expected: number[] = []): Promise<number[]> {
  for (const end = Date.now() + 15_000; ; await sleep(100)) {
    const left = (await server.backendPids()).filter((pid) => !expected.includes(pid));
    if (left.length === 0 || Date.now() > end) return left;
  }
}
