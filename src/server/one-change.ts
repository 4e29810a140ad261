import { Refusal } from './refusal.js';

export interface Change {
  command: string;
  /** In the configuration; null: there is none. */
  target: string | null;
  /** ISO 8601. */
  since: string;
  client: string;
  /** Whom the caller has named. */
  actor: string | null;
}

/** One change at a time: a second one is not queued, since what it was meant for may be gone by then. */
export class OneChange {
  private running: Change | null = null;

  /** Throws a Refusal that says what runs. */
  async make<T>(change: Change, work: () => Promise<T>): Promise<T> {
    if (this.running !== null) throw inTheWay(this.running);
    this.running = change;
    try {
      return await work();
    } finally {
      this.running = null;
    }
  }
}

function inTheWay(running: Change): Refusal {
  const { command, target, since, client, actor } = running;
  const by = actor === null ? client : `${actor} (${client})`;
  const what = `${command}${target === null ? '' : ` of ${target}`}`;
  return new Refusal(
    409,
    'E_LOCKED',
    `${what} has been running since ${since}, called by ${by}: only one change can run at a time`,
    {
      headers: { 'retry-after': '10' },
      fields: { running },
    },
  );
}
