import { nameFromText } from '../../../src/backups/names.js';
import type { Engine, Source } from '../../../src/engines/engine.js';
import { matching, object, whole } from '../../../src/schemas.js';
import { parseHostPath } from '../../../src/settings/host-path.js';
import { copiedDatabase } from './database.js';

/** `copied:PATH`: any file, as long as nobody writes to it. */
export interface CopiedSource extends Source {
  engine: 'copied';
  path: string;
}

export type CopiedIdentity = {
  readonly file: string;
};

export const copied: Engine<CopiedSource, CopiedIdentity> = {
  name: 'copied',
  title: 'copied',
  forms: 'copied:PATH',
  form: 'copied:PATH',
  dump: 'a copied file',
  leaves: 'files beside it with `.restore-` or `.before-` in their names',
  inputs: [],
  noContainer: 'give its path on the host',
  kinds: ['copied'],
  logical: false,
  identityFields: ['file'],
  identity: object({ file: matching(/^\/[^\0]*$/, 'an absolute path') }),
  content: object({ lines: whole() }),
  isSame: (one, other) => one.file === other.file,
  show: ({ file }) => JSON.stringify(file),
  parse(text) {
    if (!text.startsWith('copied:')) return null;
    const path = parseHostPath(text.slice('copied:'.length));
    return { source: { engine: 'copied', path, given: text }, secrets: [], remarks: [] };
  },
  nameOf: ({ path }) => nameFromText(path.replace(/^.*\//, '')),
  open: copiedDatabase,
  programs: [new URL('./programs/copied.sh', import.meta.url)],
};
