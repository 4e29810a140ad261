import { engineOf } from '../engines/lookup.js';
import { BackupError, describe } from '../errors.js';
import { containerInWords, isOfService, isServiceName } from '../host/container.js';
import { installLine } from '../host/install-line.js';
import { quote } from '../host/quoting.js';
import { type Facts, HostFailure } from '../host/session.js';
import { formatBytes, formatDuration } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import type { Settings } from '../settings/settings.js';
import type { Run } from './run.js';

/** Puts what the program on the host reported into words: what happened, why, what to do. */
export async function explain(
  error: unknown,
  hello: Promise<Facts>,
  { names, where }: { names: ReadonlyMap<string, string>; where: string },
  run: Run,
): Promise<BackupError> {
  if (!(error instanceof HostFailure)) return describe(error);
  const text = [...names].reduce((rest, [path, name]) => rest.replaceAll(path, () => name), error.text);
  const failure = new HostFailure(error.code, text, error.facts);
  const greeting = await hello.catch(() => null);
  const user = greeting?.get('user') ?? 'the login user';
  const told =
    run.database.explain(failure, run.settings) ?? ofHost(failure, user, greeting?.get('system') ?? '', where, run);
  if (run.settings.command !== 'extract' || !['E_DUMP_FAILED', 'E_RESTORE'].includes(told.code)) return told;
  return new BackupError(
    'E_RESTORE',
    `the rows could not be read from the backup: ${quoteOutside(failure.text)}`,
    'Check if another backup has them: `db-backup list` shows all backups.',
  );
}

// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: one sentence a code, side by side
function ofHost(failure: HostFailure, user: string, system: string, where: string, run: Run): BackupError {
  const { code, facts } = failure;
  const { settings } = run;
  const said = quoteOutside(failure.text);
  const verifying = ['verify', 'restore', 'extract'].includes(settings.command);
  switch (code) {
    case 'E_LOCKED':
      return new BackupError(
        code,
        `another run holds the lock of the backup directory: ${quoteOutside(facts.get('holder') || 'unknown', 500)}; ${said} (lock-wait)`,
        `Wait for it to end, or raise \`lock-wait\`. Use one concurrency group per database. The lock ends with the run that holds it: there is nothing to delete.`,
      );
    case 'E_CLOCK': {
      const [host, runner] = [new Date(Number(said) * 1000), run.now()];
      const apart = Math.abs(host.getTime() - runner.getTime());
      return new BackupError(
        code,
        Number.isNaN(apart)
          ? `the clock of the host says ${said}`
          : `the clock of the host says ${host.toISOString()}, and the clock of the runner ${runner.toISOString()}: they are ${formatDuration(apart)} apart`,
        'Correct the clock that is wrong (`timedatectl set-ntp true`). Names, ages and retention depend on it.',
      );
    }
    case 'E_TOOL_MISSING': {
      const { substitutes = {}, packages } = engineOf(settings.database);
      const instead = Object.hasOwn(substitutes, said) ? substitutes[said] : null;
      return new BackupError(
        code,
        `${said} is not installed on ${run.report.host}${instead === null ? '' : `, and neither is ${instead}, which could replace it`}`,
        `${where}: ${installLine(said, system, packages)}.`,
      );
    }
    case 'E_NOSPACE': {
      const free = facts.get('free_kib');
      const needed = facts.get('needed_kib');
      const place = facts.get('nospace') ?? settings.directory;
      const advice =
        facts.get('keys_in') !== null
          ? 'Free some space there: gpg keeps its keys there while it works.'
          : place === facts.get('temporary')
            ? `Free some space there${settings.dump.format === 'directory' ? ', or use the `dump-format` custom, which does not need it' : ': the database tools work there'}.`
            : 'Free some space, lower `keep` and run `prune`, or choose a `directory` on another disk.';
      return new BackupError(
        code,
        needed === null
          ? `the file system of ${place} is full: ${said}`
          : `not enough space in ${place}: ${formatBytes(Number(needed) * 1024)} are needed (${facts.get('needed_for') === 'fetched' ? 'the file from the store' : verifying ? 'the unpacked copy' : 'copy, compressed backup'} and min-free), ${free === null ? 'fewer' : formatBytes(Number(free) * 1024)} are free`,
        settings.dryRun ? advice : `${advice} What this run had written was removed.`,
      );
    }
    case 'E_PERM_UNSAFE': {
      const line = safeAgain(facts, user, settings);
      return new BackupError(
        code,
        `the backup directory is not safe: ${said}`,
        `${line}or choose another \`directory\`. Whoever can write there can forge and delete backups.`,
      );
    }
    case 'E_PERM': {
      const refused = elsewhereRefused(failure, settings);
      if (refused !== null) return refused;
      if (facts.get('not_ours') !== null) {
        return new BackupError(code, said, `${ownInside(facts, user, settings) ?? ''}or choose another \`directory\`.`);
      }
      if (facts.get('unusable') !== null) return noDirectory(said, facts.path('unusable'), user, settings);
      return new BackupError(code, said, `Correct the owner or the mode, or use \`run-as\` for the database.`);
    }
    case 'E_DECRYPT':
      return notOpened(facts.get('not_opened'), said, settings);
    case 'E_INPUT':
      return refusedKey(facts, said, settings, run.report.host);
    case 'E_CHECKSUM':
      return new BackupError(
        code,
        said,
        verifying
          ? 'Do not rely on this backup. Take a new one, and check the disk of the host and who can write to that directory.'
          : 'Check the disk and the memory of the host: one of them cannot be trusted.',
      );
    default:
      return new BackupError(code, said);
  }
}

/** What is encrypted did not open, as far as age or gpg tells why. */
function notOpened(why: string | null, said: string, { encryption, decryption }: Settings): BackupError {
  const where = 'None of its content was used.';
  if (why === 'passphrase') {
    const isGiven = decryption?.passphrase != null || (encryption !== null && 'passphrase' in encryption);
    return new BackupError(
      'E_DECRYPT',
      `${isGiven ? 'the passphrase does not open it' : 'it is encrypted with a passphrase, and you gave none'}: ${said}`,
      `Set \`decryption-passphrase\` to the passphrase that encrypted it. ${where}`,
    );
  }
  if (why === 'age-passphrase') {
    return new BackupError(
      'E_DECRYPT',
      `it is encrypted with a passphrase by age, which asks for it only at a terminal: ${said}`,
      `Decrypt it by hand (\`age -d\`), and give the path of the result. ${where}`,
    );
  }
  if (why === 'key') {
    return new BackupError(
      'E_DECRYPT',
      `the key does not open it: ${said}`,
      `Set \`decryption-key\` to the private key of one of its recipients${decryption?.gpg == null ? '' : ', and `decryption-passphrase` if that key has a passphrase'}. ${where}`,
    );
  }
  return new BackupError(
    'E_DECRYPT',
    `it is damaged or truncated, or not encrypted as its manifest or name says: ${said}`,
    `Use another backup, or copy this one again from where it came. ${where}`,
  );
}

/** A key that age or gpg on the host does not take. */
function refusedKey(facts: Facts, said: string, { encryption }: Settings, host: string): BackupError {
  const tool = facts.get('not_encrypting');
  const refused = facts.get('not_imported');
  if (tool === null && refused === null) return new BackupError('E_INPUT', said);
  const input =
    refused === 'decryption-key'
      ? refused
      : encryption !== null && 'passphrase' in encryption
        ? 'encryption-passphrase'
        : 'encryption-recipients';
  return new BackupError(
    'E_INPUT',
    `${input}: ${tool ?? 'gpg'} on ${host} does not accept it: ${said}`,
    'Check the keys: one may have expired, or may be for signing only. Or the tool on the host is too old for this type of key.',
  );
}

/** The login user can not make, enter or write the backup directory `path`. */
export function noDirectory(message: string, path: string, user: string, settings: Settings): BackupError {
  const line = ownLine(user, path, settings);
  return new BackupError(
    'E_PERM',
    message,
    `Run \`${line}\` on the host, or choose a \`directory\` that ${quoteOutside(user, 100)} can create, such as \`db-backups\`, which is in the home directory.`,
  );
}

/** What mends a backup directory that others can write. */
function safeAgain(facts: Facts, user: string, settings: Settings): string {
  const line = (key: string, make: (path: string) => string) =>
    facts.get(key) === null ? null : `Run \`${make(facts.path(key))}\` on the host, `;
  return (
    ownInside(facts, user, settings) ??
    line('open_to_others', (path) => `chmod go-w ${word(path)}`) ??
    line('leads_away', (path) => `rm ${word(path)}`) ??
    'Allow only its owner to write to it, '
  );
}

/** A directory that is there and is somebody else's, perhaps of the system, is not handed over: one inside it is made. */
function ownInside(facts: Facts, user: string, settings: Settings): string | null {
  if (facts.get('not_ours') === null) return null;
  const inside = `${facts.path('not_ours').replace(/\/+$/, '')}/${settings.name}`;
  return `Create a directory inside it on the host (\`${ownLine(user, inside, settings)}\`) and set \`directory: ${quoteOutside(inside, 300)}\`, `;
}

/** The line that makes a directory of that user, or one that is there already his. */
export const ownLine = (user: string, path: string, { umask }: Settings): string =>
  `sudo install -d -m ${umask === '077' ? '700' : '750'} -o ${word(user)} ${word(path)}`;

/** As one types it: in quotes only where that is needed. */
const word = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : quote(quoteOutside(text, 5_000)));

/** The shell that was to run as another user, or in the container, could not be started. */
function elsewhereRefused({ text, facts }: HostFailure, { runAs, container }: Settings): BackupError | null {
  const said = quoteOutside(text);
  const sudoer = facts.get('sudo_refused');
  if (sudoer !== null) {
    return new BackupError(
      'E_PERM',
      `sudo does not allow ${sudoer} to run \`sh -s\` as ${runAs}: ${said}`,
      `As root, add this line to /etc/sudoers.d/db-backup (\`visudo -f\`): ${sudoer} ALL=(${runAs}) NOPASSWD: /bin/sh -s, /usr/bin/sh -s.`,
    );
  }
  const engine = facts.get('container_engine') ?? 'docker';
  const called = containerInWords(container ?? '');
  const replicas = facts.numberOrNull('container_replicas');
  if (replicas !== null) return notOneOf(called, replicas, facts, engine);
  const user = facts.get('container_refused');
  if (user === null) return null;
  if (/no such container|no container with name|is not running|container state improper/i.test(text)) {
    return new BackupError(
      'E_SOURCE_MISSING',
      `there is no running ${called}: ${said}`,
      `Correct \`container\`, or start it. To see the names, run \`${engine} ps\` on the host as ${user}.`,
    );
  }
  return new BackupError(
    'E_PERM',
    `${user} cannot start a shell in the ${called}: ${said}`,
    `Allow ${user} to run \`${engine} exec -i ${isOfService(container ?? '') ? 'CONTAINER' : container} sh -s\`, for example as a member of the group docker (which has the same rights as root).`,
  );
}

/** A service whose container is found by its labels has none that runs, or several, of which nobody can tell the one that is meant. */
function notOneOf(called: string, replicas: number, facts: Facts, engine: string): BackupError {
  const names = quoteOutside((facts.get('container_names') ?? '').trim().replaceAll(' ', ', '), 1000);
  if (replicas > 0) {
    const [first] = names.split(', ');
    return new BackupError(
      'E_SOURCE_INVALID',
      `more than one ${called} is running, and nobody can tell which one holds the database: ${names}`,
      `A database service has one container. If a deploy is replacing it, run again when that has ended. If they are a primary and its replicas, name the primary: \`container: ${first}\`.`,
    );
  }
  const services = (facts.get('container_services') ?? '').split(' ').filter(isServiceName); // labels may be anything
  if (services.length > 0) {
    return new BackupError(
      'E_SOURCE_MISSING',
      `there is no running ${called}; these services run on the host: ${services.join(', ')}`,
      'Start it, or set `container` to one of these. A task of a swarm may run on another node: then `host` must be that node.',
    );
  }
  return new BackupError(
    'E_SOURCE_MISSING',
    `there is no running ${called}; ${names === '(nothing)' ? 'no service of that kind runs on the host' : `of services of that kind these run on the host: ${names}`}`,
    `Start it, or correct \`container\`: \`${engine} ps --format '{{.Names}} {{.Labels}}'\` on the host shows the names. A task of a swarm may run on another node: then \`host\` must be that node.`,
  );
}
