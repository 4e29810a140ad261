import type { Settings } from '../../settings/settings.js';
import { commonArguments } from '../common.js';
import { connectionString } from '../postgres/connection-string.js';
import type { PhysicalSource } from './source.js';

/** What every request is told of the cluster, and how its server is asked. */
export function argumentsOf(source: PhysicalSource, settings: Settings): Record<string, string> {
  return {
    ...commonArguments(settings),
    container: '',
    stanza: source.stanza,
    connection: connectionString(source.postgres),
    password: source.postgres.password ?? '',
  };
}

/** For `--process-max`; empty: as the configuration has it. */
export const jobsOf = ({ dump: { jobs } }: Settings): string => (jobs === null ? '' : String(jobs));
