import { unfit } from './refusal.js';

/** The databases of the configuration, by name. */
export interface Targets {
  targets: readonly string[];
  /** The servers of which each database is meant, by `all: true`: one of those is called `NAME-DATABASE`. */
  servers: readonly string[];
}

/** What a call may name. */
export const namesOf = ({ targets, servers }: Targets): string[] => [
  ...targets,
  ...servers.map((server) => `${server}-DATABASE`),
];

/** Which one a call is about; null: there is no configuration. Throws a Refusal. */
export function targetOf(given: string | undefined, { targets, servers }: Targets): string | null {
  if (targets.length + servers.length === 0) {
    if (given === undefined) return null;
    throw unfit('target: the server has no configuration with named databases');
  }
  const [only] = targets;
  if (given === undefined && targets.length === 1 && servers.length === 0 && only !== undefined) return only;
  if (given !== undefined && targets.includes(given)) return given;
  const expected = `expected one of ${namesOf({ targets, servers }).join(', ')}`;
  if (given === undefined) throw unfit(`target: ${expected}`);
  if (servers.includes(given))
    throw unfit(`target: ${given} is a whole server, but a call is about one database: ${expected}`);
  const above = servers.filter((server) => given.startsWith(`${server}-`));
  if (above.length === 1) return given;
  if (above.length === 0) throw unfit(`target: ${expected}`);
  throw unfit(`target: it could be a database of any of ${above.join(', ')}: rename one of them in the configuration`);
}
