import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { failedWith, hashes, leftOnHost, sha256, told, workOf, wrongIn } from '../helpers/invariants.js';
import { leftAfter } from '../helpers/processes.js';
import type { ActionResult } from '../helpers/run-action.js';
import { SWEEP } from '../helpers/sample.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { type SlowTools, slowTools } from '../helpers/slow-tools.js';

// The action gets a signal at many points of a run whose stages are made slow: from the start of the process to rotation.

const AT_ONCE = 4;
/** Milliseconds after the start of the process, after the line that ends the stage before, or after the copy was begun. */
type After = RegExp | 'work folder' | null;
const TRIGGERS: [after: After, ms: number[]][] = [
  [null, [0, 120]],
  [/^Connect: done/, [0, 60]],
  [/^logged in/, [100]],
  ['work folder', [50, 600]],
  [/^copy: /, [0, 200]],
  [/^content check: /, [100]],
  [/^compress and hash: /, [0, 150]],
  [/group::Publish and rotate/, [0, 150, 300, 450]],
];
const POINTS = TRIGGERS.flatMap(([after, times]) => times.map((ms): [After, number] => [after, ms]));

let slow: SlowTools;
let scene: Scene;
let master: Record<string, string>;
let sourceBefore: string;
const stagesHit = new Set<string>();

function makeSlow(): void {
  slow.delay('sqlite3', 0.3);
  for (const tool of ['mv', 'sync', 'rm']) slow.delay(tool, 0.06);
  for (const tool of ['zstd', 'sha256sum']) slow.delay(tool, 0.25);
}

beforeAll(async () => {
  slow = slowTools(['sqlite3', 'zstd', 'sha256sum', 'mv', 'sync', 'rm']);
  scene = await startScene({ mb: 4, post: 'always', sshd: { extraConfig: slow.config } });
  expect((await scene.run()).code).toBe(0);
  master = hashes(scene.directory);
  sourceBefore = sha256(scene.database);
  makeSlow();
});

afterAll(async () => {
  await scene.stop();
  slow.remove();
});

interface Point {
  signal: NodeJS.Signals;
  when: string;
  directory: string;
  result: ActionResult;
  endMs: number;
}

async function runAndSignal(
  signal: NodeJS.Signals,
  [after, ms]: [After, number],
  inputs: Record<string, string> = {},
): Promise<Point> {
  const when = `${after instanceof RegExp ? after.source : (after ?? 'start')} + ${ms} ms`;
  const directory = join(scene.user.home, `${signal}-${when}-${inputs.keep ?? ''}`.replace(/[^A-Za-z0-9]+/g, '-'));
  execFileSync('cp', ['-a', scene.directory, directory]);
  const action = scene.start({ ...inputs, directory });
  if (after === 'work folder') await workFolder(directory);
  else if (after !== null) await action.line(after);
  await sleep(ms);
  const sent = Date.now();
  action.kill(signal);
  await action.main;
  const endMs = Date.now() - sent;
  return { signal, when, directory, result: await action.result(), endMs };
}

/** Waits until the run has its folder on the host: the copy has begun. */
async function workFolder(directory: string): Promise<void> {
  while (workOf(directory).length === 0) await sleep(10);
}

/** The last stage that the log knows of. */
function stageOf({ visible }: ActionResult): string {
  if (visible.includes('Publish and rotate: done')) return 'done';
  if (visible.includes('Publish and rotate')) return 'publish and rotate';
  return (
    /^(copy|content check|compress and hash|read back): stopped/m.exec(visible)?.[1] ??
    (visible.includes('logged in') ? 'start' : 'connect')
  );
}

/** The log of main. */
const mainOf = ({ visible }: ActionResult): string => visible.split('##[error]')[0] ?? '';

/** What is not as it must be after a point, as sentences. */
function complaints({ signal, result, directory, endMs }: Point): string[] {
  const wrong = wrongIn(directory, master);
  const { code, signal: endedBy } = result;
  const published = Object.keys(hashes(directory)).length > Object.keys(master).length;
  if (endMs > 7_500) wrong.push(`it took ${endMs} ms to end`);
  if (signal === 'SIGKILL') {
    const over = result.outputs['backup-ok'] === 'true';
    if (over && stageOf(result) !== 'done') wrong.push('backup-ok is true');
    const begun = result.state.started === 'true' && result.state.finished !== 'true';
    if (begun && !result.visible.includes('the run ended early; nothing of it is left on the host'))
      wrong.push('post did not look');
  } else if (result.log === '' && endedBy === signal) {
    // before the first line of the program: nothing listens yet, nothing was begun
    if (Object.keys(result.outputs).length > 0) wrong.push('outputs of a run that was not begun');
  } else if (code === 0) {
    if (result.outputs['backup-ok'] !== 'true' || !published) wrong.push('success without a backup');
  } else {
    expect(told(result)).toEqual(failedWith('E_CANCELLED'));
    if (
      !result.visible.includes(`E_CANCELLED: the run was cancelled (${signal}). Nothing unfinished is left on the host`)
    )
      wrong.push('the message');
    // post looks too when the shell had just been asked for
    if (result.visible.includes('the run ended early') && mainOf(result).includes('logged in'))
      wrong.push('post was needed');
    if (published !== (result.outputs['backup-id'] !== ''))
      wrong.push(`published: ${published}, told: ${result.outputs['backup-id']}`);
  }
  if (result.steps.post?.code !== 0) wrong.push('post failed');
  return wrong;
}

describe.each([
  ['SIGINT', 0],
  ['SIGKILL', 2],
] as const)('%s of the action', (signal, from) => {
  const own = POINTS.filter((_, index) => SWEEP || index % 4 === from);

  test(`at ${own.length} points of a run leaves nothing, and the next run works`, async () => {
    const points: Point[] = [];
    for (let first = 0; first < own.length; first += AT_ONCE) {
      const batch = own.slice(first, first + AT_ONCE);
      points.push(...(await Promise.all(batch.map((point) => runAndSignal(signal, point)))));
      expect(await leftAfter(scene.processes, 15_000)).toEqual([]);
    }
    const wrong: Record<string, string[]> = {};
    for (const point of points) {
      stagesHit.add(stageOf(point.result));
      const all = [...complaints(point), ...(await leftOnHost(scene, point.directory))];
      if (all.length > 0) wrong[`${point.when}, ${stageOf(point.result)}`] = [...all, point.result.log];
    }
    expect(wrong).toEqual({});
    expect(sha256(scene.database)).toBe(sourceBefore);

    slow.fast();
    for (const { directory } of points.filter((_, index) => index % 4 === 1)) {
      const next = await scene.run({ directory, keep: '50' });
      expect(next.outputs['backup-ok']).toBe('true');
      expect(wrongIn(directory, master)).toEqual([]);
    }
    makeSlow();
  });
});

test('a kill in the middle of rotation leaves no manifest without its payload, and the next run works', async () => {
  slow.fast();
  expect((await scene.run()).outputs.kept).toBe('2');
  expect((await scene.run()).outputs.kept).toBe('3');
  for (const tool of ['rm', 'mv']) slow.delay(tool, 0.2);
  // by what is done, not by the clock alone: the machine may be slow
  const times: [at: RegExp, ms: number][] = [
    [/group::Publish and rotate/, 300],
    [/group::Publish and rotate/, 700],
    [/^deleted /, 0],
    [/^deleted /, 0],
    [/^deleted /, 300],
    [/group::Publish and rotate/, 2300],
  ];
  const points = await Promise.all(
    times.map((time, index) =>
      runAndSignal(index % 2 === 0 ? 'SIGKILL' : 'SIGINT', time, {
        keep: '1',
        'keep-made-under': 'false',
      }),
    ),
  );
  slow.fast();
  const left: number[] = [];
  for (const { directory, result } of points) {
    expect(await leftOnHost(scene, directory)).toEqual([]);
    const names = Object.keys(hashes(directory));
    left.push(names.length);
    const complete = names.filter((name) => name.endsWith('.json'));
    expect(complete.length).toBeGreaterThan(0);
    for (const manifest of complete) expect(names).toContain(manifest.replace('.json', '.sqlite.zst'));
    expect(result.steps.post?.code).toBe(0);
    expect((await scene.run({ directory })).outputs['backup-ok']).toBe('true');
  }
  // some in the middle of it: neither all that was there, nor only what is to stay
  expect(left.some((count) => count > 3 && count < 12)).toBe(true);
});

test('the points were spread over the stages', () => {
  // which of them a point hits is up to the machine
  expect(stagesHit.size).toBeGreaterThanOrEqual(SWEEP ? 5 : 3);
});
