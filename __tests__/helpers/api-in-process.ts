import { usePlatform } from '../../src/platform/platform.js';
import { terminal } from '../../src/platform/terminal.js';
import type { Served } from '../../src/server/calls.js';
import { type Serving, startServer } from '../../src/server/http-server.js';
import { LIMITS, type Limits } from '../../src/server/limits.js';
import { API_TOKEN, PROGRAM } from './api.js';

export interface InProcess extends Serving {
  url: string;
  /** What it has logged, a line for each call; warnings and errors as well. */
  lines: string[];
}

/** The server in this process, with limits that suit a test; those who carry calls out are processes as ever. */
export async function startInProcess(
  limits: Partial<Limits>,
  {
    behindProxy = false,
    config = null,
    targets = [],
    servers = [],
  }: Partial<Pick<Served, 'behindProxy' | 'config' | 'targets' | 'servers'>> = {},
): Promise<InProcess> {
  const lines: string[] = [];
  const write = (text: string): void => void lines.push(text);
  usePlatform({ ...terminal(), info: write, warning: write, error: write });
  const program = { script: PROGRAM, env: { PATH: process.env.PATH ?? '' }, log: 'ignore' } as const;
  const served = { token: API_TOKEN, program, config, targets, servers, hosts: ['api.example.org'], behindProxy };
  const serving = await startServer({ ...served, listen: '127.0.0.1', port: 0 }, { ...LIMITS, ...limits });
  return { ...serving, url: `http://127.0.0.1:${serving.port}`, lines };
}
