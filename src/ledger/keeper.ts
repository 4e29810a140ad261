import type { Catalogue } from '../backups/catalogue.js';
import type { BackupPlace } from '../backups/copies.js';
import { coverageOf } from '../backups/coverage.js';
import type { Finding } from '../backups/finding.js';
import {
  dated,
  EMPTY,
  goneFrom,
  hashOf,
  isSlow,
  type Ledger,
  likenessOf,
  likenessOfNewest,
  parseLedger,
  partialOf,
  type RunVerdict,
  remember,
  serializeLedger,
  usualDuration,
} from '../backups/ledger.js';
import { type Dispute, dispute, disputeFindings, missedBy } from '../backups/vanished.js';
import { describe, ERRORS } from '../errors.js';
import { counted, formatDuration } from '../reporting/format.js';
import { MAX_REMEMBERED, type Report } from '../reporting/report.js';
import { note } from '../run/connect.js';
import type { LedgerKeeper, Run } from '../run/run.js';
import { mayBeThere, prefixOf, readNewest, save } from './cache.js';

/** For reading, from the start of the run on, and once more for saving. */
const PATIENCE_MS = 8_000;

/** What one run has of a place: as it was found, and as it is by now. */
interface Sight {
  found: Catalogue;
  now: Catalogue;
}

/**
 * Begins to read what is remembered of this database; null with `ledger: false`, and with `doctor`, to which it means nothing. Outside a step
 * of a workflow there is no cache to keep it in.
 */
export function openLedger(run: Run): LedgerKeeper | null {
  const isStep = process.env.GITHUB_ACTIONS === 'true';
  if (!run.settings.ledger || run.settings.command === 'doctor' || !isStep) return null;
  if (mayBeThere(process.env)) return new Keeper(run);
  run.log.info(
    'ledger: this runner has no cache service, so nothing is remembered off the host; everything else works',
  );
  return null;
}

/** What is not as it is remembered. For `verify`, `health` and `backup`, which decide what it means. */
export const ledgerFindings = async ({ ledger, signal }: Run): Promise<Finding[]> =>
  ledger === null || signal.aborted ? [] : ledger.findings();

class Keeper implements LedgerKeeper {
  private readonly sights = new Map<BackupPlace, Sight>();
  private readonly reading: Promise<Ledger>;
  private readonly prefix: string;
  /** Nothing is saved over what could not be read. */
  private isReadable = true;

  constructor(private readonly run: Run) {
    const { name } = run.settings;
    this.prefix = prefixOf(name, hashOf(targetOf(run)));
    this.reading = this.read(name);
  }

  private async read(name: string): Promise<Ledger> {
    const { run, prefix } = this;
    const answer = await readNewest(prefix, PATIENCE_MS);
    if (answer.state === 'done') {
      const ledger = parseLedger(answer.text, name);
      run.log.info(`ledger: it remembers ${counted(ledger.backups.length, 'backup')} of ${name}`);
      if (run.settings.command === 'backup') this.tellUsual(ledger);
      return ledger;
    }
    this.isReadable = answer.state === 'missed' || answer.state === 'spoilt';
    const outcome = { missed: '', spoilt: '; it starts again' }[answer.state as string] ?? '; everything else works';
    run.log.info(`ledger: it remembers nothing of ${name}: ${answer.text}${outcome}`);
    return EMPTY;
  }

  private tellUsual(ledger: Ledger): void {
    const like = likenessOfNewest(ledger, partialOf(coverageOf(this.run.settings.dump)));
    const usual = like === null ? null : usualDuration(ledger, like);
    if (usual !== null) this.run.log.info(`such a backup usually takes ${formatDuration(usual)}`);
  }

  sees(place: BackupPlace, catalogue: Catalogue): void {
    this.sights.set(place, { found: this.sights.get(place)?.found ?? { ...catalogue }, now: catalogue });
  }

  findings(): Promise<Finding[]> {
    return this.safely([], (ledger) =>
      [...this.sights].flatMap(([place, sight]) =>
        disputeFindings(this.dispute(ledger, place, sight.found), this.whereIs(place)),
      ),
    );
  }

  isDisputed(id: string): Promise<boolean> {
    return this.safely(false, (ledger) => {
      const isHere = [...this.sights].some(([place, sight]) => {
        const { changed, weakened, vanished, doubtful } = this.dispute(ledger, place, sight.found);
        return [changed, weakened, vanished, doubtful].some((ids) => ids.includes(id));
      });
      // of a store that this run does not look into nobody knows
      return isHere || ledger.backups.some((entry) => entry.id === id && entry.inStore !== null);
    });
  }

  /** No run fails for what is remembered. */
  private async safely<T>(otherwise: T, work: (ledger: Ledger) => T | Promise<T>): Promise<T> {
    try {
      return await work(await this.reading);
    } catch (error) {
      this.run.log.info(`ledger: it cannot be used: ${describe(error).message}`);
      return otherwise;
    }
  }

  private dispute(ledger: Ledger, place: BackupPlace, seen: Catalogue): Dispute {
    const { keep, keepMadeUnder, s3 } = this.run.settings;
    const rules = place === 'host' ? keep : (s3?.keep ?? null);
    return dispute(ledger, this.storeOf(place), seen, keepMadeUnder ? null : rules, this.run.now());
  }

  private whereIs(place: BackupPlace): string {
    const { report } = this.run;
    return place === 'host' ? report.directory : (report.s3?.uri ?? 'the store');
  }

  private storeOf(place: BackupPlace): string | null {
    const { s3 } = this.run.settings;
    return place === 'host' || s3 === null ? null : hashOf(JSON.stringify([s3.endpoint, s3.bucket, s3.prefix]));
  }

  async tell(): Promise<void> {
    if (!this.run.signal.aborted) await this.safely(undefined, (ledger) => this.tellOf(ledger));
  }

  private tellOf(ledger: Ledger): void {
    const { run } = this;
    const { report } = run;
    const there = new Set(report.backups.map(({ id }) => id));
    if (this.sights.has('host')) {
      report.remembered = goneFrom(ledger, there)
        .slice(0, MAX_REMEMBERED)
        .map(dated)
        .map(({ createdAt, bytes, databaseBytes }) => ({ createdAt: createdAt.toISOString(), bytes, databaseBytes }));
    }
    const last = ledger.runs.find(({ command }) => command === report.command);
    // of a command that leaves no status on the host, or of a host that was lost
    if (last !== undefined) run.previous ??= last.ok ? 'ok' : 'failed';
    if (!report.ok) return;
    if (last?.ok === false) {
      note(run, `this ${report.command} succeeded; the previous one, of ${last.at}, failed with ${last.errorCode}`);
    }
    this.tellSlow(ledger);
  }

  private tellSlow(ledger: Ledger): void {
    const { run } = this;
    const { command, backup, skipped } = run.report;
    const made = this.sights.get('host')?.now.backups.find(({ id }) => id === backup?.id);
    if (command !== 'backup' || made === undefined || skipped !== null) return;
    const usual = usualDuration(ledger, likenessOf(made));
    const took = made.manifest.durationMs;
    if (usual === null || !isSlow(took, usual)) return;
    note(run, `${made.id} took ${formatDuration(took)}; such a backup usually takes ${formatDuration(usual)}`);
  }

  async save(): Promise<void> {
    const { command, dryRun } = this.run.settings;
    // a runner that cancels gives a few seconds, which are for the host
    if (command === 'list' || dryRun || this.run.report.errorCode === 'E_CANCELLED') return;
    await this.safely(undefined, (ledger) => (this.isReadable ? this.saveAfter(ledger) : undefined));
  }

  private async saveAfter(ledger: Ledger): Promise<void> {
    const { run, sights } = this;
    const { command, backup } = run.settings;
    const seen = [...sights].map(([place, sight]) => {
      const before = this.dispute(ledger, place, sight.found);
      const after = this.dispute(ledger, place, sight.now);
      const missed = missedBy(before, after, command === 'delete' ? backup : null);
      return { store: this.storeOf(place), left: sight.now, ...missed };
    });
    const settled = command === 'accept' && run.report.ok ? backup : null;
    const unpinned = command === 'unpin' && run.report.ok ? backup : null;
    const lost = command === 'delete' && isLost(run.report) ? backup : null;
    const next = remember(ledger, { seen, verdict: verdictOf(run), settled, unpinned, lost }, run.now());
    const { state, text } = await save(this.prefix + stampOf(run), serializeLedger(next), PATIENCE_MS);
    run.log.info(state === 'done' ? 'ledger: remembered off the host' : `ledger: not remembered off the host: ${text}`);
  }
}

/**
 * All that makes it one database in one directory, as it was asked for. Nothing secret is in it, and no role, by which backups and their
 * proofs may differ. A runner that is the host itself may have another name in each run.
 */
export function targetOf({ settings, database }: Pick<Run, 'settings' | 'database'>): string {
  const { transport, name, directory } = settings;
  const at = transport.transport === 'ssh' ? [transport.host, transport.port, transport.jump?.host] : [];
  return JSON.stringify([settings.database.engine, name, database.restoring.targetName, directory, ...at]);
}

/** No key is ever used twice. */
function stampOf({ now, github }: Run): string {
  const { GITHUB_RUN_ATTEMPT: attempt = '1', GITHUB_JOB: job = '' } = process.env;
  const parts = [now().toISOString().replace(/\D/g, ''), github?.runId ?? '0', attempt, job];
  return parts.map((part) => part.replace(/[^A-Za-z0-9._-]/g, '-').slice(0, 60)).join('-');
}

const verdictOf = ({ report, now }: Run): RunVerdict => ({
  command: report.command,
  ok: report.ok,
  errorCode: report.errorCode,
  at: now().toISOString(),
  ms: Math.round(report.restore?.ms ?? report.durationMs),
});

/** It ended before it knew what it had done. */
const isLost = ({ errorCode }: Report): boolean => errorCode !== '' && ERRORS[errorCode].class === 'run';
