import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessInfo {
  pid: number;
  ppid: number;
  uid: number;
  /** The arguments joined by blanks; the name in brackets for kernel threads. */
  command: string;
  /** Empty where it can not be read. */
  cwd: string;
}

/** Every process that /proc shows, or those of one user, without the calling one, and without those that have ended and wait for a parent who may never ask. */
export function listProcesses(ofUser?: number): ProcessInfo[] {
  const found: ProcessInfo[] = [];
  for (const pid of pids()) {
    try {
      const uid = statSync(`/proc/${pid}`).uid;
      if (ofUser !== undefined && uid !== ofUser) continue;
      // The name stands in parentheses and may hold blanks and parentheses itself: count from the last one.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
      const [state, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (state === 'Z' || state === 'X') continue;
      found.push({ pid, ppid: Number(ppid), uid, command: commandLine(pid) || `[${name}]`, cwd: cwdOf(pid) });
    } catch {
      // Ended while we looked.
    }
  }
  return found;
}

/** Processes whose command line or working directory contains `text`. */
export function processesMentioning(text: string): ProcessInfo[] {
  return listProcesses().filter(({ command, cwd }) => command.includes(text) || cwd.includes(text));
}

/** Processes that run as this effective uid. */
export function processesOfUser(uid: number): ProcessInfo[] {
  return listProcesses(uid);
}

/** A process and everything below it, children before parents. */
export function processTree(pid: number): ProcessInfo[] {
  const all = listProcesses();
  const below = (parent: number): ProcessInfo[] =>
    all.filter(({ ppid }) => ppid === parent).flatMap((child) => [...below(child.pid), child]);
  return [...below(pid), ...all.filter((one) => one.pid === pid)];
}

/** Asks until nothing is found or `timeoutMs` are over; returns what is left, so that a test can expect `[]`. */
export async function leftAfter(find: () => ProcessInfo[], timeoutMs = 2000): Promise<ProcessInfo[]> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const left = find();
    if (left.length === 0 || Date.now() >= end) return left;
    await sleep(20);
  }
}

export interface ArgvSampler {
  /** Whether a line seen so far contains this. */
  saw(text: string): boolean;
  /** Ends the sampling; every different command line seen since the start, arguments joined by blanks. */
  stop(): string[];
}

/** A process becomes another program soon after it was made, when it does; later it is looked at now and then. */
const OFTEN = 40;
const NOW_AND_THEN = 20;

/**
 * Collects the command lines of all processes, as `ps` would show them to anybody on the machine.
 * A process that lives shorter than `intervalMs` may be missed, so let the test also expect a line that must be there.
 */
export function sampleArgv(intervalMs = 5): ArgvSampler {
  const seen = new Set<string>();
  /** By process: how often it was there. */
  let times = new Map<number, number>();
  let round = 0;
  const sample = (whole = false) => {
    const before = times;
    times = new Map();
    round += 1;
    for (const pid of pids()) {
      const nth = (before.get(pid) ?? 0) + 1;
      times.set(pid, nth);
      if (!whole && nth > OFTEN && (round + pid) % NOW_AND_THEN !== 0) continue;
      try {
        seen.add(commandLine(pid));
      } catch {
        // Ended while we looked.
      }
    }
  };
  sample();
  const timer = setInterval(sample, intervalMs);
  return {
    saw: (text) => [...seen].some((line) => line.includes(text)),
    stop() {
      clearInterval(timer);
      sample(true);
      seen.delete('');
      return [...seen];
    },
  };
}

function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid);
}

function commandLine(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0+$/, '').replaceAll('\0', ' ');
}

function cwdOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}
