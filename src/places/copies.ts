import { type Backup, type Catalogue, readCatalogue } from '../backups/catalogue.js';
import { asJudgedSince, contradicting, copyCandidates, isFromElsewhere } from '../backups/copies.js';
import { type Identity, isVague } from '../backups/identity.js';
import type { Candidate } from '../backups/retention.js';
import type { Facts } from '../host/session.js';
import { counted } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { type Connection, hostOf, warn } from '../run/connect.js';
import type { Run } from '../run/run.js';
import { leaving } from '../stores/s3/failures.js';
import type { Store } from '../stores/s3/store.js';
import { showBackups, tellProblems } from './catalogue.js';
import { listCopies } from './listing.js';

/** The copies of one database's backups in the store. */
export interface Copies {
  store: Store;
  /** Of their folder. */
  uri: string;
  catalogue: Catalogue;
  /** As retention sees them. */
  candidates: Candidate[];
}

/** What is on the host, for telling which of the copies are of the same. */
export interface OnHost {
  catalogue: Pick<Catalogue, 'backups' | 'unreadable'>;
  facts: Facts;
  connection: Connection;
}

/** Hands the store of the run to `work`, or null when there is none, and closes it on every path. */
export async function withStore<T>(run: Run, work: (store: Store | null) => Promise<T>): Promise<T> {
  const { s3, idleTimeoutMs } = run.settings;
  if (s3 === null) return work(null);
  // Loaded when used: the SDK takes as long as all the rest.
  const { Store } = await import('../stores/s3/store.js');
  const store = new Store(s3, run.signal, idleTimeoutMs);
  try {
    return await work(store);
  } finally {
    store.close();
  }
}

/** Reads what is in the store, and puts it into the report beside what is on the host. Throws E_S3_*. */
export async function lookOffsite(
  run: Run,
  store: Store,
  { catalogue: onHost, facts, connection }: OnHost,
): Promise<Copies> {
  const { settings, report } = run;
  const { name } = settings;
  const uri = store.uriOf(store.folderOf(name));
  const listing = await listCopies(store, name).catch((error: unknown) => {
    throw leaving(error, 'Nothing was changed.');
  });
  const identity = identityOf(run, facts, onHost);
  const place = { checksums: false, rotates: settings.s3?.keep !== null };
  const catalogue = readCatalogue(listing, { name, identity }, run.now(), place);
  catalogue.backups = asJudgedSince(catalogue.backups, onHost.backups);
  const { problems } = catalogue;
  for (const id of contradicting(onHost.backups, catalogue.backups)) {
    problems.push(`${id} has another SHA-256 there than on the host: one of the two is not what was backed up`);
  }
  if (listing.unread.length > 0) {
    const why = quoteOutside(listing.unread[0] ?? '', 300);
    problems.push(`${counted(listing.unread.length, 'manifest')} could not be read, the first because ${why}`);
  }
  const here = { host: await hostOf(run, connection), identity };
  const candidates = copyCandidates(catalogue.backups, onHost, here);
  tellProblems(
    run,
    problems.map((problem) => `in ${uri}: ${problem}`),
    uri,
  );
  tellOfOthers(run, candidates, uri);
  run.copies = catalogue.backups;
  report.s3 = { uri, backups: 0, backupsBytes: 0, retention: [], deleted: 0, hidden: false };
  showCopies(run, onHost.backups);
  return { store, uri, catalogue, candidates };
}

/** The copies of this host alone, for looking back on: nothing is told, and nothing put into the report. Throws E_S3_*. */
export async function copiesOf(
  run: Run,
  store: Store,
  { catalogue: onHost, facts, connection }: OnHost,
): Promise<Backup[]> {
  const { name } = run.settings;
  const identity = identityOf(run, facts, onHost);
  const here = { host: await hostOf(run, connection), identity };
  const { backups } = readCatalogue(await listCopies(store, name), { name, identity }, run.now(), {
    ...{ checksums: false, rotates: false },
  });
  return asJudgedSince(backups, onHost.backups).filter(({ manifest }) => !isFromElsewhere(manifest, here));
}

/** Where nobody has asked the server which one it is, that of the newest backup on the host. */
function identityOf(run: Run, facts: Facts, { backups }: Pick<Catalogue, 'backups'>): Identity {
  const identity = run.database.identity(facts);
  return isVague(identity) ? (backups[0]?.manifest.identity ?? identity) : identity;
}

function tellOfOthers(run: Run, candidates: readonly Candidate[], uri: string): void {
  const others = candidates.filter(({ why }) => why?.startsWith('made on'));
  if (others.length === 0) return;
  warn(
    run,
    `${counted(others.length, 'backup')} in ${uri} were ${quoteOutside(others[0]?.why ?? '', 200)}: they do not count here, and rotation leaves them alone. Two databases that share a bucket need names or prefixes of their own; after a move to another host, \`command: delete\` deletes what is old`,
  );
}

/** Puts what is known to be in the store into the report. */
export function showCopies(run: Run, onHost: readonly Backup[]): void {
  if (run.report.s3 !== null) {
    run.report.s3.backups = run.copies.length;
    run.report.s3.backupsBytes = run.copies.reduce((sum, { manifest }) => sum + manifest.bytes, 0);
  }
  showBackups(run, onHost);
}
