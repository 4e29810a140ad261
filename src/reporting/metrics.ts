import type { Report } from './report.js';

/** What the catalogue of the host tells, for the metrics. */
export interface Known {
  /** How many backups there are. */
  backups: number;
  /** The newest good one. */
  newest: {
    createdAt: Date;
    bytes: number;
    databaseBytes: number;
    durationMs: number;
    /** null: not counted. */
    rows: number | null;
  } | null;
  /** The last proof by a restore among the good ones. */
  proof: { at: string; ms: number | null } | null;
}

type Metric = readonly [name: string, help: string, value: number | null, labels?: Readonly<Record<string, string>>];

/**
 * The metrics of a run that has ended at `at`, in the text format of Prometheus: what is about the run, and what is about the backups, which
 * is empty when the catalogue was not read. Times in seconds, no metric for what is not known.
 */
export function metricsOf(
  { name, ok, problems }: Pick<Report, 'name' | 'ok' | 'problems'>,
  engine: string,
  known: Known | null,
  at: Date,
): { run: string; backups: string } {
  const healthy = ok && !problems.some(({ level }) => level === 'error');
  const render = (metrics: Metric[]): string => metrics.map((one) => textOf({ target: name, engine }, one)).join('');
  return {
    run: render([
      ['last_run_timestamp_seconds', 'When the last run of this action ended.', seconds(at.getTime())],
      ['healthy', '1 if that run succeeded and found no error, otherwise 0.', healthy ? 1 : 0],
    ]),
    backups: known === null ? '' : render(ofBackups(known)),
  };
}

function ofBackups({ backups, newest, proof }: Known): Metric[] {
  const level = { level: 'restore' };
  const [proven, took] = proof === null ? [null, null] : [seconds(Date.parse(proof.at)), proof.ms];
  return [
    ['backups', 'How many backups there are on the host.', backups],
    ...(newest === null
      ? []
      : ([
          ['last_success_timestamp_seconds', 'Time of the newest good backup.', seconds(newest.createdAt.getTime())],
          ['last_size_bytes', 'Size of that backup as stored.', newest.bytes],
          ['database_bytes', 'Size of the database in that backup.', newest.databaseBytes],
          ['last_duration_seconds', 'How long it took to make that backup.', newest.durationMs / 1000],
          ['rows', 'Rows in that backup, in the tables that were counted.', newest.rows],
        ] as const)),
    ['last_proof_timestamp_seconds', 'When a backup was last verified by a scratch restore.', proven, level],
    ['last_proof_duration_seconds', 'How long that took.', took === null ? null : took / 1000, level],
  ];
}

function textOf(common: Readonly<Record<string, string>>, [name, help, value, more = {}]: Metric): string {
  if (value === null) return '';
  const full = `db_backup_${name}`;
  const labels = Object.entries({ ...common, ...more }).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `# HELP ${full} ${help}\n# TYPE ${full} gauge\n${full}{${labels.join(',')}} ${value}\n`;
}

const seconds = (ms: number): number => Math.floor(ms / 1000);

/** As the value of a label. */
export function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
