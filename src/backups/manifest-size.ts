/** How large a manifest may be, and what is left out of one that would be larger. */
import { LIST_LIMIT } from '../schemas.js';
import { MAX_READ_BYTES, type Manifest, type TableRows } from './manifest.js';

/** Of a manifest that is written: readers before this limit took no more than 3 MiB. */
export const MAX_WRITTEN_BYTES = 3_000_000;
/** As many bytes of the newest manifests are read whole in a catalogue, of others the long lists are left out. */
export const READ_WHOLE_BYTES = 16 << 20;
/** Of all manifests of a place that are read, the newest first; what goes beyond is not fetched. */
export const MAX_TOTAL_BYTES = 256 << 20;
export { MAX_READ_BYTES };

/**
 * The manifest as it may be written: when its tables are too many, the smallest are left out, and `tablesLeftOut` says how many.
 * What is proven of the backup does not become less, only what a later proof can compare.
 */
export function withinLimit(manifest: Manifest): Manifest {
  const { content } = manifest;
  if (content === null || (content.tables.length <= LIST_LIMIT && bytesOf(manifest) <= MAX_WRITTEN_BYTES)) {
    return manifest;
  }
  const { tables } = content;
  const without = { ...manifest, content: { ...content, tables: [], tablesLeftOut: tables.length } };
  let room = MAX_WRITTEN_BYTES - bytesOf(without);
  const kept = new Set<TableRows>();
  for (const table of [...tables].sort(largestFirst)) {
    // each of its four lines is indented by six more blanks, and a comma and a line break follow
    room -= bytesOf(table) + 4 * 6 + 2;
    if (room < 0 || kept.size === LIST_LIMIT) break;
    kept.add(table);
  }
  const listed = tables.filter((table) => kept.has(table));
  return { ...manifest, content: { ...content, tables: listed, tablesLeftOut: tables.length - listed.length } };
}

/** The same without its long lists, marked; what is no manifest of ours stays as it is. */
export function shorten(text: string): string {
  try {
    const manifest = JSON.parse(text) as Manifest;
    const { content } = manifest;
    const short = Object.entries(content ?? {}).map(([name, value]) => [name, Array.isArray(value) ? [] : value]);
    const without = content === null ? null : Object.fromEntries(short);
    return JSON.stringify({ ...manifest, shortened: true, recovery: [], content: without });
  } catch {
    return text;
  }
}

/** Those that nobody has counted first: counting begins with the small ones. */
const largestFirst = (one: TableRows, other: TableRows): number =>
  (other.rows ?? Number.MAX_SAFE_INTEGER) - (one.rows ?? Number.MAX_SAFE_INTEGER);

const bytesOf = (value: object): number => Buffer.byteLength(JSON.stringify(value, null, 2));
