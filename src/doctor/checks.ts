import { describe } from '../errors.js';
import type { Facts, HostRequest } from '../host/session.js';
import type { Checked, Looked } from '../reporting/report.js';
import { type Connection, tellProblem } from '../run/connect.js';
import type { Run } from '../run/run.js';

/** The preconditions, looked at one by one: what fails is a row like any other, and the rest is looked at all the same. */
export class Checks {
  constructor(
    readonly run: Run,
    readonly connection: Connection,
  ) {}

  send(...requests: HostRequest[]): Promise<Facts> {
    return this.connection.send(...requests);
  }

  /** One row. Resolves to whether nothing is wrong; throws only what ends the run. */
  async probe(what: string, look: () => Looked | Promise<Looked>): Promise<boolean> {
    try {
      const looked = await look();
      return this.tell(typeof looked === 'string' ? { what, level: 'ok', found: looked } : { what, ...looked });
    } catch (error) {
      if (this.run.signal.aborted || this.connection.isLost()) throw error;
      const { code, message, hint } = describe(error);
      return this.tell({ what, level: 'error', code, found: message, todo: hint });
    }
  }

  private tell(checked: Checked): boolean {
    const { run } = this;
    const { what, level, code, found, todo } = checked;
    run.report.checked.push(checked);
    if (level === 'error' || level === 'warning') {
      const more = { ...(code === undefined ? {} : { code }), ...(todo === undefined ? {} : { todo }) };
      tellProblem(run, { level, message: `${what}: ${found}`, ...more });
    } else run.log.info(`${level === 'skipped' ? 'skipped' : 'ok'}: ${what}: ${found}`);
    return level !== 'error';
  }
}
