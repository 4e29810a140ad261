import { spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { startAction } from '../__tests__/helpers/run-action.js';
import type { Report } from '../src/reporting/report.js';

export interface Measured {
  name: string;
  seconds: number[];
  /** Of the file that was made or read. */
  bytes: number;
}

/** Runs a script of bash so many times; `$URI` is the database, `file` what it makes. Throws when it fails. */
export async function byHand(
  name: string,
  script: string,
  { runs, uri, file }: { runs: number; uri: string; file: string },
): Promise<Measured> {
  const measured: Measured = { name, seconds: [], bytes: 0 };
  for (let run = 0; run < runs; run++) {
    const started = performance.now();
    await shell(name, script, uri);
    measured.seconds.push((performance.now() - started) / 1000);
  }
  measured.bytes = statSync(file).size;
  return measured;
}

export async function shell(name: string, script: string, uri: string): Promise<void> {
  const status = await new Promise((resolve) =>
    spawn('bash', ['-c', `set -eo pipefail; ${script}`], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, URI: uri },
    }).on('close', resolve),
  );
  if (status !== 0) throw new Error(`${name}: status ${status}`);
}

/** One run of the bundle, and the largest memory of its process in bytes. */
export async function act(inputs: Record<string, string>): Promise<{ report: Report; seconds: number; peak: number }> {
  const started = performance.now();
  const action = startAction(inputs);
  let peak = 0;
  const watch = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${action.child.pid}/status`, 'utf8');
      peak = Math.max(peak, Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024);
    } catch {
      // It has ended.
    }
  }, 20);
  await action.main;
  const seconds = (performance.now() - started) / 1000;
  clearInterval(watch);
  const result = await action.result();
  const report = JSON.parse(result.outputs.report ?? '') as Report;
  if (!report.ok) throw new Error(`${report.errorCode}: ${report.error?.message}`);
  return { report, seconds, peak };
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

export function mega(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
