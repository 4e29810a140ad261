import type { GenericSchema } from 'valibot';
import { BackupError } from '../errors.js';
import { faultIn } from '../schemas.js';

/** What makes it one database and no other. Its fields are those of its engine, which is known by them. */
export type Identity = Readonly<Record<string, string | null>>;

/** What the rules about backups have to be told of an engine. They know none of them by its name. */
export interface Format<I extends Identity = Identity> {
  /** The payloads that can be restored, each by the ending of its file; no other engine has one of these. */
  readonly kinds: readonly string[];
  /**
   * A payload says how the database is made, by statements or in an archive, and is not the database itself: it may leave out some of it, and
   * alone it tells neither what nor how large the database was; whether it can be carried out shows when it is.
   */
  readonly logical: boolean;
  /** A backup of it is a set in the repository of another tool, and no file. */
  readonly inRepository?: true;
  /** A copy of the files of a damaged database, byte by byte, as a restore put them aside: how to get at what is in it, for people. */
  readonly damaged?: { readonly kind: string; readonly advice: string };
  /** All of them are there; no other engine has the same. */
  readonly identityFields: readonly string[];
  readonly identity: GenericSchema;
  /** What every engine has is not in it. */
  readonly content: GenericSchema;
  /** Whether two are of one database, as far as both are known. */
  isSame(one: I, other: I): boolean;
  /** What tells the server from every other one, however its host is called; null: not known. Absent: there is no server. */
  serverOf?(identity: I): string | null;
  /** For messages. */
  show(identity: I): string;
}

let formats: Readonly<Record<string, Format>> = {};

/** Which engines there are, by name: engines/lookup.ts says so as soon as it is loaded. */
export function useFormats(known: Readonly<Record<string, Format>>): void {
  formats = known;
}

export const engineNames = (): string[] => Object.keys(formats);

/** Throws E_INTERNAL when there is no such engine, which nothing that was read may name: the manifest's reader refuses it before. */
export function formatNamed(engine: string): Format {
  const format = Object.hasOwn(formats, engine) ? formats[engine] : undefined;
  if (format === undefined) throw new BackupError('E_INTERNAL', `no engine is called ${JSON.stringify(engine)}`);
  return format;
}

/** The engine of a database; null when it is none of ours. */
export function formatOf(identity: object): Format | null {
  const found = Object.values(formats).find(({ identityFields }) =>
    identityFields.every((name) => Object.hasOwn(identity, name)),
  );
  return found ?? null;
}

/** Everything that may be the ending of a payload. */
export const isKind = (ending: string): boolean =>
  Object.values(formats).some((format) => allKinds(format).includes(ending));

export const allKinds = ({ kinds, damaged }: Format): readonly string[] =>
  damaged === undefined ? kinds : [...kinds, damaged.kind];

/** What keeps it from being an identity of this engine and of no other, by whose fields it would be taken for another database. */
export function faultInIdentity(format: Format, identity: object): ReturnType<typeof faultIn> {
  const other = Object.entries(identity).find(([name]) => !format.identityFields.includes(name));
  if (other !== undefined) return { path: other[0], rule: 'no field of another engine', value: other[1] };
  return faultIn(format.identity, identity);
}
