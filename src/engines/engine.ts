import type { Format, Identity } from '../backups/format.js';
import type { Packages } from '../host/install-line.js';
import type { Programs } from '../host/program.js';
import type { Facts, HostRequest } from '../host/session.js';
import type { InputName } from '../settings/declared-inputs.js';
import type { DumpSettings, Settings } from '../settings/settings.js';
import type { Database } from './database.js';

/** A database, as `database` or `restore-to` name it. Each engine has more of its own. */
export interface Source {
  /** The name of its engine. */
  readonly engine: string;
  /** As given, for messages and the manifest; without a password. */
  readonly given: string;
}

/** What an engine has read in a text. */
export interface Parsed<S extends Source = Source> {
  source: S;
  /** Each form of the password that may turn up in a log. */
  secrets: string[];
  /** Sentences about what is odd, and is taken all the same. */
  remarks: string[];
}

/** A file on the host that is no dump that can be restored, both ready to be shown: its path, and what its tool or its text says. */
export interface RefusedDump {
  path: string;
  said: string;
}

/** All databases of one server. */
export interface Server<S extends Source = Source> {
  /** The text of `database` with one in it that can be asked for the others, where it names none; null: it is none of this engine's. Throws as `parse` does. */
  asking(text: string): string | null;
  /** The same text with that database in it instead; with its password. */
  naming(text: string, database: string): string;
  /** Asks for them. */
  request(source: S, settings: Settings): HostRequest;
  /** Their names as bytes, in order: those that are no template and take connections. */
  names(facts: Facts): Buffer[];
}

/** A kind of database. A new one is one folder here and one line in registry.ts; nothing else knows engines by their names. */
export interface Engine<S extends Source = Source, I extends Identity = Identity> extends Format<I>, Programs {
  /** As manifests keep it, and as registry.ts has it. */
  readonly name: string;
  /** For people, after `a`, `of` or nothing. */
  readonly title: string;
  /** How a database is named: in all its forms, and in short. */
  readonly forms: string;
  readonly form: string;
  /** What a payload of it is, as a dump that this action did not make. */
  readonly dump: string;
  /** What such a dump may be besides its `kinds`, by the words of its recogniser; no other engine has one of these. */
  readonly foreignKinds?: readonly string[];
  /** The program that recognises those, which is in the sessions of every engine: see foreign.sh. */
  readonly recogniser?: URL;
  /** Why it refuses one, by its words: what the file is, and what to do. */
  dumpRefusals?(dump: RefusedDump): Record<string, [message: string, hint: string]>;
  /** What may do as well as a tool that is missing, in a word or two. */
  readonly substitutes?: Readonly<Record<string, string>>;
  /** What the packages with its tools are called, where that is not as their tool. */
  readonly packages?: Packages;
  /** What a restore that was cut off may have left, for people who look for it. */
  readonly leaves: string;
  /** Inputs that mean nothing to the engines that do not have them here. */
  readonly inputs: readonly InputName[];
  /** It is another way to back up what another engine has read in `database`, which the input `method` chooses. */
  readonly method?: {
    /** The word for `method`. */
    readonly name: string;
    /** The engine that reads `database`. */
    readonly of: string;
    /** Inputs that mean nothing without it. */
    readonly inputs: readonly InputName[];
    /** What `stanza` has to name, and an example. */
    readonly missingName: string;
    readonly example: string;
    take(source: Source, stanza: string): S;
  };
  /** Inputs that cannot be followed, and would be missed: each with what to do instead. */
  readonly refuses?: Partial<Record<InputName, string>>;
  /** The rules of `keep` that mean something, where not all of them do, and why the others do not. */
  readonly keepOnly?: { readonly rules: readonly string[]; readonly why: string };
  /** What to do instead, where a database of it is never reached in a container. */
  readonly noContainer?: string;
  /** null: it is none of this engine's. Throws an Error whose text is the rule, and which never holds any of the text: a password may be in it. */
  parse(text: string): Parsed<S> | null;
  /** With the password of `database-password`; throws an Error when there is another one in the source. */
  withPassword?(source: S, password: string): S;
  /** Checks a pattern of tables or schemas, and returns it. Throws an Error whose text is the rule. */
  parsePattern?(text: string, part: 'table' | 'schema'): string;
  /** The default `name` of its backups; null when none can be made. */
  nameOf(source: S): string | null;
  /** Its throw-away database of a proof is made on a server, which `restore-to` may name; absent: it is a temporary file. */
  readonly scratch?: {
    /** The two name one database in the same way, whoever asks for it. */
    isSame(one: S, other: S): boolean;
    /** What `restore-to` has to be besides, and what it has to be where the proof is made on the runner. */
    readonly elsewhere: string;
    readonly onRunner: string;
  };
  /** Its databases live together on a server, which can be asked for all of them; absent: each is a file. */
  readonly server?: Server<S>;
  /** `dump`: how it is dumped, where that is for the user to say. */
  open(source: S, dump: DumpSettings): Database;
}
