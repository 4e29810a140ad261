import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessInfo {
  pid: number;
  ppid: number;
  uid: number;
  /** The arguments joined by blanks; the name in brackets for kernel threads and zombies. */
  command: string;
  /** Empty where it can not be read. */
  cwd: string;
}

/** Every process that /proc shows, zombies included, without the calling process. */
export function listProcesses(): ProcessInfo[] {
  const found: ProcessInfo[] = [];
  for (const pid of pids()) {
    try {
      // The name stands in parentheses and may hold blanks and parentheses itself: count from the last one.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
      const ppid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      const uid = statSync(`/proc/${pid}`).uid;
      found.push({ pid, ppid, uid, command: commandLine(pid) || `[${name}]`, cwd: cwdOf(pid) });
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
  return listProcesses().filter((one) => one.uid === uid);
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
  /** Ends the sampling; every different command line seen since the start, arguments joined by blanks. */
  stop(): string[];
}

/**
 * Collects the command lines of all processes, as `ps` would show them to anybody on the machine.
 * A process that lives shorter than `intervalMs` may be missed, so let the test also expect a line that must be there.
 */
export function sampleArgv(intervalMs = 5): ArgvSampler {
  const seen = new Set<string>();
  const sample = () => {
    for (const pid of pids()) {
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
    stop() {
      clearInterval(timer);
      sample();
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
