import { isCompression, isMethod } from '../backups/packing.js';
import { BackupError, type ErrorCode } from '../errors.js';
import type { Facts } from '../host/facts.js';
import { quoteOutside } from '../reporting/neutralise.js';
import type { Engine } from './engine.js';
import { ENGINES, engineOfKind } from './lookup.js';
import type { Dump } from './restoring.js';

/**
 * A file on the host that this action did not make, which people may know by another `name`, as `look_dump` (host/programs/foreign.sh) found it. Throws E_NOT_FOUND, E_PERM,
 * E_CHECKSUM, or E_SOURCE_INVALID for what is no dump that can be restored, or none of this engine.
 */
export function foreignDump(facts: Facts, engine: Engine | null = null, name: string | null = null): Dump {
  const refused = facts.get('dump_refused');
  if (refused !== null) throw refusal(refused, facts, name);
  const kind = facts.need('dump_kind');
  const compression = facts.need('dump_compression');
  const method = facts.get('dump_encryption') ?? 'none';
  const sha256 = facts.need('dump_sha256');
  const made = engineOfKind(kind);
  if (
    made === null ||
    !isCompression(compression) ||
    !(method === 'none' || isMethod(method)) ||
    !/^[0-9a-f]{64}$/.test(sha256)
  ) {
    throw new BackupError(
      'E_INTERNAL',
      `the host reported a dump as ${quoteOutside(`${kind} ${compression} ${method} ${sha256}`, 200)}`,
    );
  }
  if (engine !== null && engine !== made) {
    throw new BackupError(
      'E_SOURCE_INVALID',
      `${quoteOutside(name ?? facts.path('dump_path'), 500)} is ${made.dump}, but it would be restored into a database of ${engine.title}`,
      'Correct `backup` or `database`.',
    );
  }
  return {
    file: facts.path('dump_path'),
    kind,
    compression,
    encryption: method === 'none' ? 'none' : { method, recipients: [] },
    sha256,
    bytes: facts.number('dump_bytes'),
    databaseBytes: null,
    manifest: null,
    versions: { tool: versionIn(facts, 'dump_made_by'), server: versionIn(facts, 'dump_made_from') },
  };
}

/** `17.2 (Debian 17.2-1.pgdg120+1)`: what else it may be is none. */
function versionIn(facts: Facts, key: string): string | null {
  const text = facts.get(key);
  return text !== null && /^\d{1,3}[\w .()+~-]{0,100}$/.test(text) ? text : null;
}

/** Sentences about a dump that can be restored, and is odd. */
export function foreignRemarks(facts: Facts): string[] {
  const remarks: string[] = [];
  const path = facts.path('dump_path');
  if (facts.get('dump_sidecar') === 'other') {
    remarks.push(`${path}.sha256 does not name that file, so nothing shows whether its bytes are the original ones`);
  }
  return remarks;
}

/** What to do with a file that is packed or encrypted in a way that is not taken. */
const UNPACK_FIRST: Record<string, string> = {
  bzip2: 'bzip2 -d',
  xz: 'xz -d',
  lz4: 'lz4 -d',
  lzip: 'lzip -d',
  lzma: 'xz --format=lzma -d',
  compress: 'gzip -d',
  zip: 'unzip',
  '7z': '7z x',
  rar: 'unrar x',
  zstd: 'zstd -d',
  gzip: 'gzip -d',
};
const DECRYPT_FIRST: Record<string, string> = {
  age: 'age -d',
  gpg: 'gpg -d',
  openssl: 'openssl enc -d',
};

/** Each word of `refuse_dump`: the code, what the file is, what to do. */
function refusal(word: string, facts: Facts, name: string | null): BackupError {
  const path = quoteOutside(name ?? facts.get('dump_path') ?? facts.get('dump_given') ?? 'the file', 500);
  const said = quoteOutside(facts.get('dump_said') ?? '', 500);
  const engines = Object.values(ENGINES);
  const rows: Record<string, [ErrorCode, string, string]> = {
    missing: [
      'E_NOT_FOUND',
      `there is no file ${path} on the host`,
      'Correct `backup`: the id of a backup, `latest`, or the path of a dump there; a relative path starts at the home of the login user.',
    ],
    unreadable: [
      'E_PERM',
      `the login user cannot read ${path}${said === '(nothing)' ? '' : `: ${said}`}`,
      'Let that user read the file and enter the folders on the way to it, or copy the file to where that user can read it.',
    ],
    sum: [
      'E_CHECKSUM',
      `the SHA-256 of ${path} is ${facts.get('dump_sha256')}, but the file ${path}.sha256 beside it says ${said}`,
      'The file was changed after it was written: use another dump, or find out who changed it. Remove the .sha256 file only if you know that it is wrong.',
    ],
    folder: invalid(`${path} is a folder`, 'Name a file in it.'),
    special: invalid(`${path} is not a regular file`, 'Name a file.'),
    empty: invalid(`${path} is empty (0 bytes)`, 'Whatever wrote it failed. Choose another dump.'),
    hollow: invalid(
      `${path} unpacks to nothing (${said})`,
      'The dump that was packed there had failed. Choose another one.',
    ),
    torn: invalid(
      `${path} is damaged or truncated: it cannot be unpacked: ${said}`,
      'Choose another dump, or copy this one again from its source.',
    ),
    nested: invalid(
      `${path} is packed twice: its content is ${said} again`,
      `Unpack it once on the host (\`${facts.get('dump_compression')} -d\`), and name the result.`,
    ),
    mysql: invalid(
      `${path} is a dump of MySQL or MariaDB`,
      `This action restores ${engines.map(({ title }) => title).join(' and ')}. Choose another dump.`,
    ),
    packed: packed(path, facts.get('dump_said') ?? ''),
    unknown: invalid(
      `${path} is not a dump that this action knows: neither ${engines.map((engine) => engine.dump).join(' nor ')}, plain or packed with gzip or zstd`,
      'Check `backup`. Decrypt an encrypted dump first. Only the bytes count, whatever the name says.',
    ),
  };
  for (const { dumpRefusals } of engines) {
    const own = dumpRefusals?.({ path, said }) ?? {};
    if (Object.hasOwn(own, word) && own[word] !== undefined) rows[word] = invalid(...own[word]);
  }
  const [code, message, hint] = (Object.hasOwn(rows, word) ? rows[word] : undefined) ?? [
    'E_INTERNAL' as const,
    `the host refused ${path} as ${quoteOutside(word, 80)}`,
    'Please report it with the log of the run.',
  ];
  return new BackupError(code, message, hint);
}

const invalid = (message: string, hint: string): [ErrorCode, string, string] => ['E_SOURCE_INVALID', message, hint];

function packed(path: string, tool: string): [ErrorCode, string, string] {
  const decrypt = Object.hasOwn(DECRYPT_FIRST, tool) ? DECRYPT_FIRST[tool] : undefined;
  if (decrypt !== undefined) {
    // age takes passphrases at a terminal alone
    const inputs = tool === 'age' ? '`decryption-key`' : '`decryption-key` or `decryption-passphrase`';
    return invalid(
      `${path} is encrypted with ${tool}`,
      `${isMethod(tool) ? `Set ${inputs} to what opens it, or decrypt` : 'Decrypt'} it first (\`${decrypt}\`), where its key is, and name the result.`,
    );
  }
  const unpack = Object.hasOwn(UNPACK_FIRST, tool) ? UNPACK_FIRST[tool] : 'its own tool';
  return invalid(
    `${path} is packed with ${quoteOutside(tool, 40)}; this action takes only gzip, zstd and files that are not packed`,
    `Unpack it first (\`${unpack}\`), and name the result.`,
  );
}
