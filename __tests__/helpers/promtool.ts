import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('../../scripts/promtool.sh', import.meta.url));

/** What checks metrics and rules with Prometheus' own code; null where it can not be had. */
export function promtoolProgram(): string | null {
  const { status, stdout } = spawnSync('sh', [SCRIPT], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

/** Runs it: what it has against its input, empty when nothing. */
export function complaintsOfPromtool(program: string, args: string[], input = '', cwd?: string): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', input, cwd });
  return status === 0 ? '' : `status ${status}: ${stdout}${stderr}`;
}

/** The samples of a text of metrics, by name and labels. Throws on what is not in the form that we write. */
export function samplesIn(text: string): Record<string, number> {
  const samples: Record<string, number> = {};
  const lines = text.split('\n');
  if (lines.pop() !== '') throw new Error('the last line has no end');
  for (let at = 0; at < lines.length; at += 3) {
    const [, name, help] = /^# HELP (db_backup_[a-z_]+) (\S.*)$/.exec(lines[at] ?? '') ?? [];
    const type = lines[at + 1];
    const [, sample, labels, value] =
      /^([a-z_]+)(\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\}) (\S+)$/.exec(lines[at + 2] ?? '') ?? [];
    if (!name || !help || type !== `# TYPE ${name} gauge` || sample !== name || !Number.isFinite(Number(value))) {
      throw new Error(`no metric: ${lines.slice(at, at + 3).join('\n')}`);
    }
    const key = `${name}${labels}`;
    if (key in samples) throw new Error(`twice: ${key}`);
    samples[key] = Number(value);
  }
  return samples;
}
