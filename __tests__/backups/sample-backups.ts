import type { Catalogue, ListedFile, Listing } from '../../src/backups/catalogue.js';
import { type Manifest, serializeManifest } from '../../src/backups/manifest.js';
import { checksumFile, formatId, manifestFile, parseId, payloadFile } from '../../src/backups/names.js';
import type { Candidate, RetentionPlan } from '../../src/backups/retention.js';
import '../../src/engines/lookup.js';
import type { SqliteContent } from '../../src/engines/sqlite/format.js';

export const PATH = '/srv/app/app.db';

/** The id of `name` at an ISO time such as `2026-11-20T10:15:00Z`; equal times need different suffixes. */
export function idAt(time: string, name = 'app', suffix = '0001'): string {
  return formatId(name, new Date(time), suffix);
}

/** A sound manifest of the backup `id`, as this version writes it. */
export function manifestOf(id: string, change: Partial<Manifest> = {}): Manifest {
  const { name, createdAt } = parseId(id) ?? { name: '', createdAt: new Date(Number.NaN) };
  const at = createdAt.toISOString().replace('.000Z', 'Z');
  return {
    schema: 1,
    id,
    name,
    engine: 'sqlite',
    kind: 'sqlite',
    file: payloadFile(id, 'sqlite', 'zstd'),
    createdAt: at,
    host: 'db.example.org',
    database: PATH,
    identity: { path: PATH },
    bytes: 4000,
    sha256: '0a'.repeat(32),
    databaseBytes: 40_960,
    compression: 'zstd',
    encryption: 'none',
    tools: { sqlite3: '3.40.1', zstd: '1.5.4' },
    content: {
      tables: [
        { name: 'users', rows: 12 },
        { name: 'orders', rows: 0 },
      ],
      pageSize: 4096,
      pageCount: 10,
      objects: 3,
      foreignKeyViolations: 0,
    } as SqliteContent,
    verified: { level: 'content', at },
    durationMs: 812,
    github: {
      repository: 'org/app',
      sha: 'c0ffee',
      ref: 'refs/heads/main',
      runId: '42',
      runUrl: 'https://github.com/org/app/actions/runs/42',
      actor: 'ada',
      event: 'push',
    },
    pinned: null,
    reason: 'deploy',
    recovery: ['zstd -d < backup > restored.db'],
    mac: null,
    ...change,
  };
}

/** A listing of whole units; `edit` then damages it as a test needs. */
export function listingOf(manifests: readonly Manifest[]): Listing {
  const files: ListedFile[] = [];
  const texts = new Map<string, string>();
  for (const manifest of manifests) {
    files.push({ name: manifest.file, type: '-', bytes: manifest.bytes });
    files.push({ name: checksumFile(manifest.file), type: '-', bytes: 100 });
    files.push({ name: manifestFile(manifest.id), type: '-', bytes: 1500 });
    texts.set(manifestFile(manifest.id), serializeManifest(manifest));
  }
  return { files, manifests: texts };
}

/** The listing without one file. */
export function without(listing: Listing, name: string): Listing {
  const manifests = new Map(listing.manifests);
  manifests.delete(name);
  return { files: listing.files.filter((file) => file.name !== name), manifests };
}

/** The listing with one file changed. */
export function altered(listing: Listing, name: string, change: Partial<ListedFile>): Listing {
  return { ...listing, files: listing.files.map((file) => (file.name === name ? { ...file, ...change } : file)) };
}

/** A verified candidate at an ISO time. */
export function candidateAt(time: string, change: Partial<Candidate> = {}, suffix = '0001'): Candidate {
  return {
    id: idAt(time, 'app', suffix),
    createdAt: new Date(time),
    verified: true,
    pinned: null,
    safety: false,
    ...change,
  };
}

/** `count` times going back from `newest` in steps of `hours`. */
export function timesBack(newest: string, count: number, hours: number): string[] {
  const start = Date.parse(newest);
  return Array.from({ length: count }, (_, index) => new Date(start - index * hours * 3_600_000).toISOString());
}

/** The plan as one line a backup, for golden files. */
export function lines({ decisions, refusal }: RetentionPlan): { refusal: string | null; plan: string[] } {
  const plan = decisions.map(({ id, keep, reasons }) => `${id} ${keep ? 'keep' : 'DELETE'} ${reasons.join(', ')}`);
  return { refusal, plan };
}

/** The ids that a plan keeps, newest first. */
export function keptIds({ decisions }: RetentionPlan): string[] {
  return decisions.filter(({ keep }) => keep).map(({ id }) => id);
}

/** A catalogue with what it says of its problems alone. */
export const worded = (catalogue: Catalogue) => ({
  ...catalogue,
  problems: catalogue.problems.map(({ message }) => message),
});
