import { parseFileName, parseId } from '../backups/names.js';
import type { Source } from '../engines/engine.js';
import { readSameEngine } from './database-inputs.js';
import { parseHostPath } from './host-path.js';
import type { InputReader } from './input-reader.js';
import { isBucket } from './s3-rules.js';
import type { Command, RestoreSettings, S3Location, Wanted } from './settings.js';

/** The inputs of `command: restore`, of which `extract` has the first; with another command they are at their defaults. */
export function readRestore(
  reader: InputReader,
  command: Command | undefined,
  database: Source | undefined,
): RestoreSettings | undefined {
  const restoring = command === 'restore';
  const wanted =
    restoring || command === 'extract' ? reader.readAs('backup', (text) => parseWanted(text, restoring)) : null;
  const to = restoring ? readSameEngine(reader, database) : null;
  const confirm = reader.read('confirm');
  const events = reader.read('allow-event');
  const safetyBackup = reader.require('safety-backup');
  const way = reader.require('restore-way');
  const stopCommand = reader.read('stop-command');
  const startCommand = reader.read('start-command');
  const afterCommand = reader.read('after-restore-command');
  const checkCommand = reader.read('check-command');
  if (stopCommand && startCommand === null) {
    reader.problem(
      'start-command',
      'required with stop-command: what was stopped must be started again, whatever happens',
    );
  }
  const allowOtherTarget = reader.require('allow-other-target');
  const allowUnsafeClient = reader.require('allow-unsafe-client');
  const commands = { stopCommand, startCommand, afterCommand, checkCommand };
  const all = {
    ...commands,
    to,
    confirm,
    allowEvents: events === null ? [] : events,
    safetyBackup,
    way,
    allowOtherTarget,
    allowUnsafeClient,
    wanted: wanted === null ? LATEST : wanted,
  };
  return Object.values(all).includes(undefined) ? undefined : (all as RestoreSettings);
}

const LATEST: Wanted = { by: 'latest' };

/** An id, `latest`, `before-deploy:` and a commit, or, with `anyDump`, a path; throws an Error whose text is the rule. */
function parseWanted(text: string, anyDump: boolean): Wanted {
  if (text === 'latest') return LATEST;
  const deploy = /^before-deploy:(.*)$/.exec(text);
  if (deploy !== null) {
    const sha = (deploy[1] ?? '').trim().toLowerCase();
    if (!/^[0-9a-f]{7,64}$/.test(sha)) throw new Error('expected before-deploy: and at least 7 digits of a commit');
    return { by: 'deploy', sha };
  }
  const location = parseLocation(text);
  if (location !== null) return { by: 's3', ...location };
  const id = parseId(text);
  if (id !== null) return { by: 'id', id: text, name: id.name };
  const path = anyDump ? parseDumpPath(text) : null;
  if (path === null) {
    const others = 'latest, the id of a backup, before-deploy:<commit>, s3://<bucket>/<key>';
    throw new Error(`expected ${others}${anyDump ? ', or the path of a dump on the host' : ''}`);
  }
  return { by: 'file', path };
}

/** The path of a dump; null for what is an id, or looks like no path. Throws an Error whose text is the rule. */
export function parseDumpPath(text: string): string | null {
  return parseId(text) === null && /[/.]/.test(text) ? parseHostPath(text) : null;
}

/** null when it is no `s3://`; throws an Error whose text is the rule. */
export function parseLocation(text: string): S3Location | null {
  if (!/^s3:/i.test(text)) return null;
  const rule =
    'expected s3://<bucket>/<key>, the key of a payload such as s3://shop-backups/shop/shop-20261120T101500Z-7f3a.dump';
  const [, bucket = '', key = ''] = /^s3:\/\/([^/]*)\/(.+)$/is.exec(text) ?? [];
  if (key === '' || key.endsWith('/') || /\p{Cc}/u.test(key) || Buffer.byteLength(key) > 1024) throw new Error(rule);
  const part = parseFileName(key.replace(/^.*\//, ''))?.part;
  if (part === 'manifest') throw new Error(`${rule}, not that of its manifest`);
  if (!isBucket(bucket)) throw new Error(rule);
  return { bucket, key };
}
