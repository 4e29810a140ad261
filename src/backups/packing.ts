/** The programs that compress, by the names that manifests have for what they make. */
export const COMPRESSIONS = ['zstd', 'gzip', 'none'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

export const isCompression = (text: string): text is Compression => (COMPRESSIONS as readonly string[]).includes(text);

/** What became of the bytes of a payload on their way to the disk. */
export interface Packing {
  compression: Compression;
}

const ENDINGS: Record<Compression, string> = { zstd: '.zst', gzip: '.gz', none: '' };
const UNPACK: Record<Compression, string> = { zstd: 'zstd -dc', gzip: 'gzip -dc', none: 'cat' };

/** The ending of the payload's name: `.zst`. */
export const endingOf = ({ compression }: Packing): string => ENDINGS[compression];

/** The packing that an ending stands for. */
export function packingOf(ending: string): Packing {
  return { compression: COMPRESSIONS.find((compression) => ENDINGS[compression] === ending) ?? 'none' };
}

/** The stages that host/programs/packing.sh takes the bytes through, in the order of packing; empty: none. */
export const stagesOf = ({ compression }: Packing): string => (compression === 'none' ? '' : compression);

/** The stock tool that unpacks what it reads, or the file that follows, to stdout. */
export const unpackLine = ({ compression }: Packing): string => UNPACK[compression];

/** What the host says that it packs by (`zstd`, `pigz`, `gzip`, `none`), as manifests have it. */
export function packingBy(compressor: string): Packing {
  return { compression: compressor === 'zstd' ? 'zstd' : compressor === 'none' ? 'none' : 'gzip' };
}
