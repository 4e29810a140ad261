import { engineOf } from '../engines/lookup.js';
import { connected } from '../run/connect.js';
import type { Run } from '../run/run.js';

/** The names, as bytes, of all databases of the server that `database` names, as the host sees it. Changes nothing. */
export async function databases(run: Run): Promise<Buffer[]> {
  const { settings, log } = run;
  const { server, title } = engineOf(settings.database);
  if (server === undefined) throw new Error(`${title} has no servers, and was asked for all databases of one`);
  return connected(run, async (connection) => {
    const facts = await log.group(`Find the databases of ${settings.database.given}`, () =>
      connection.send(server.request(settings.database, settings)),
    );
    return server.names(facts);
  });
}
