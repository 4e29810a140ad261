import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('../../scripts/schemathesis.sh', import.meta.url));

/** What calls an API as its OpenAPI document says, and otherwise; null where it can not be had. */
export function schemathesisProgram(): string | null {
  const { status, stdout } = spawnSync('sh', [SCRIPT], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

/** Runs it: its exit status, and all that it said. */
export function runSchemathesis(
  program: string,
  args: string[],
  cwd: string,
): Promise<{ status: number; said: string }> {
  return new Promise((resolve) => {
    execFile(program, args, { encoding: 'utf8', cwd, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ status, said: `${stdout}${stderr}` });
    });
  });
}
