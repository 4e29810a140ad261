/** The programs that compress, by the names that manifests have for what they make. */
export const COMPRESSIONS = ['zstd', 'gzip', 'none'] as const;
export type Compression = (typeof COMPRESSIONS)[number];
/** Those that encrypt. */
export const METHODS = ['age', 'gpg'] as const;
export type Method = (typeof METHODS)[number];

/** For how many keys one backup can be encrypted. */
export const MOST_RECIPIENTS = 20;

/** `recipients`: short fingerprints of the keys that open it; none: a passphrase does. */
export type Encrypted = 'none' | { method: Method; recipients: string[] };

const isIn = <T extends string>(texts: readonly T[], text: string): text is T =>
  (texts as readonly string[]).includes(text);
export const isCompression = (text: string): text is Compression => isIn(COMPRESSIONS, text);
export const isMethod = (text: string): text is Method => isIn(METHODS, text);

/** What became of the bytes of a payload on their way to the disk. */
export interface Packing {
  compression: Compression;
  encryption: Encrypted;
}

const ENDINGS: Record<Compression, string> = { zstd: '.zst', gzip: '.gz', none: '' };
const UNPACK: Record<Compression, string> = { zstd: 'zstd -dc', gzip: 'gzip -dc', none: 'cat' };
/** What a person types; gpg looks for the key in its keyring, or asks for the passphrase. */
const DECRYPT: Record<Method, string> = { age: 'age -d -i ~/age-key.txt', gpg: 'gpg -d' };

export const methodOf = (encryption: Encrypted): Method | 'none' =>
  encryption === 'none' ? 'none' : encryption.method;

/** For the same keys, or by a passphrase, whatever the order in which the keys were given. */
export function isEncryptedAlike(one: Encrypted, other: Encrypted): boolean {
  if (one === 'none' || other === 'none') return one === other;
  return one.method === other.method && `${one.recipients.toSorted()}` === `${other.recipients.toSorted()}`;
}

/** Whether one of these keys is of the kind that the method takes. */
export function hasKeyOf(method: Method, { age, ssh, gpg }: { age?: Key; ssh?: Key; gpg?: Key }): boolean {
  return ((method === 'age' ? (age ?? ssh) : gpg) ?? null) !== null;
}
type Key = string | null;

/** The ending of the payload's name: `.zst`, `.zst.age`. */
export function endingOf({ compression, encryption }: Packing): string {
  return `${ENDINGS[compression]}${encryption === 'none' ? '' : `.${encryption.method}`}`;
}

/** The compression that the first part of an ending stands for. */
export function compressionOf(ending: string): Compression {
  return COMPRESSIONS.find((compression) => ENDINGS[compression] === ending) ?? 'none';
}

/** The stages that host/programs/packing.sh takes the bytes through, in the order of packing; empty: none. */
export function stagesOf({ compression, encryption }: Packing): string {
  return [compression, methodOf(encryption)].filter((stage) => stage !== 'none').join(' ');
}

/** The shell line by which stock tools unpack a file to stdout; `file` is one word of shell. */
export function unpackLine({ compression, encryption }: Packing, file: string): string {
  if (encryption === 'none') return `${UNPACK[compression]} ${file}`;
  const decrypt = `${DECRYPT[encryption.method]} ${file}`;
  return compression === 'none' ? decrypt : `${decrypt} | ${UNPACK[compression]}`;
}

/** What the host says that it compresses by (`zstd`, `pigz`, `gzip`, `none`), as manifests have it. */
export function compressionBy(compressor: string): Compression {
  return compressor === 'zstd' ? 'zstd' : compressor === 'none' ? 'none' : 'gzip';
}
