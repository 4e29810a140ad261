import type { Content } from '../../../src/backups/manifest.js';
import { unpackLine } from '../../../src/backups/packing.js';
import { commonArguments, named, packersOf, payloadArguments, seconds } from '../../../src/engines/common.js';
import type { Database } from '../../../src/engines/database.js';
import { dumpArguments, type Restoring, type Step } from '../../../src/engines/restoring.js';
import { BackupError } from '../../../src/errors.js';
import { quote } from '../../../src/host/quoting.js';
import type { Facts, HostRequest } from '../../../src/host/session.js';
import type { Settings } from '../../../src/settings/settings.js';
import type { CopiedIdentity, CopiedSource } from './index.js';

interface CopiedContent extends Content {
  lines: number;
}

export function copiedDatabase(source: CopiedSource): Database {
  const argumentsOf = (settings: Settings) => ({ ...commonArguments(settings), source: source.path });
  return {
    kind: 'copied',
    path: source.path,
    backup: (settings, id, holder) => [
      'job',
      'backup_copied',
      named({ ...argumentsOf(settings), id, holder, lock_wait: seconds(settings.lockWaitMs) }),
    ],
    inspect: (settings) => ['job', 'inspect_copied', named(argumentsOf(settings))],
    verify: (settings, manifest) => [
      'job',
      'verify_copied',
      named({ ...argumentsOf(settings), ...payloadArguments(manifest) }),
    ],
    health: {
      request: (settings) => ['job', 'health_copied', named(argumentsOf(settings))],
      read: (facts) => ({
        bytes: facts.number('source_bytes'),
        tables: [],
        isEmpty: false,
        estimated: false,
        figures: {},
        findings: [],
        notes: [],
      }),
    },
    checkProof(facts, { content }) {
      const lines = facts.get('restored_lines');
      if (content === null || lines === null || Number(lines) === (content as CopiedContent).lines) return;
      throw new BackupError('E_MANIFEST', `the copy has ${lines} lines`, '');
    },
    identity: (facts) => ({ file: facts.path('source') }) satisfies CopiedIdentity,
    describe: (facts) => ({
      databaseBytes: facts.number('plain_bytes'),
      tools: packersOf(facts),
      content: { tables: [], objects: facts.number('objects'), lines: facts.number('lines') } as CopiedContent,
    }),
    remarks: () => [],
    plan: (facts) => facts.need('source'),
    recovery: ({ file, compression, encryption }, directory) => [
      `cd ${quote(directory)} && sha256sum -c ${quote(`${file}.sha256`)}`,
      `${unpackLine({ compression, encryption }, quote(file))} > ${quote(source.path)}`,
    ],
    empty: (facts) => new BackupError('E_EMPTY', `${facts.need('source')} is empty`, ''),
    restoring: restoringOf(source),
    explain: ({ code, text }) =>
      code === 'E_SOURCE_MISSING' ? new BackupError(code, `there is no file ${text}`, 'Nothing was kept.') : null,
  };
}

function restoringOf({ path }: CopiedSource): Restoring {
  const request = (name: string, settings: Settings, more: Record<string, string>): HostRequest => [
    'job',
    `${name}_copied`,
    named({ ...commonArguments(settings), source: path, ...more }),
  ];
  const stepOf = ({ id, way }: Step) => ({ id, way });
  return {
    targetName: path.replace(/^.*\//, ''),
    target: path,
    mayBe: (identity) => 'file' in identity,
    look: (settings, dump) => request('look', settings, dumpArguments(dump)),
    plan: (_, facts, dump) => ({
      state: stateOf(facts),
      way: 'replace',
      wayInWords: 'the file is replaced as a whole',
      safetyLevel: 'content',
      bytes: facts.number('live_bytes'),
      tables: [],
      dumpTables: null,
      differences: [],
      users: [],
      neededBytes: dump.bytes,
      freeBytes: null,
      remarks: [],
    }),
    load: (settings, dump, step) => request('load', settings, { ...dumpArguments(dump), ...stepOf(step) }),
    loaded: () => [],
    swap: (settings, _, step) => request('swap', settings, stepOf(step)),
    swapped: () => [],
    back: (settings, step) => request('back', settings, stepOf(step)),
    settle: (settings, step) => request('settle', settings, stepOf(step)),
    recover: (settings, step) => request('recover', settings, stepOf(step)),
    identity: (facts) => ({ file: facts.path('source') }),
    byHand: (_, { id }) => [`mv ${quote(`${path}.before-${id}`)} ${quote(path)}`],
  };
}

const stateOf = (facts: Facts) => (facts.get('live_state') === 'missing' ? 'missing' : 'sound');
