import { type Backup, isTrusted } from '../backups/catalogue.js';
import { type PlacedBackup, placed } from '../backups/copies.js';
import { showCoverage } from '../backups/coverage.js';
import { describe } from '../errors.js';
import { notFound, thereIn } from '../places/choice.js';
import { find } from '../places/find.js';
import { HostPlace } from '../places/host.js';
import { factsOf } from '../places/shown.js';
import { withSpare } from '../places/with-store.js';
import { formatAge, formatBytes, formatCount, formatDuration, showPlaces, showRows } from '../reporting/format.js';
import { oneLine, quoteOutside } from '../reporting/neutralise.js';
import { connected, warn } from '../run/connect.js';
import { showEncrypted } from '../run/keys.js';
import type { Run } from '../run/run.js';

const MOST_TABLES = 200;

/** All that is known of one backup, in whatever state it is. Throws E_NOT_FOUND. */
export async function show(run: Run): Promise<void> {
  const { report, settings } = run;
  await connected(run, async (connection) => {
    const host = await HostPlace.open(run, connection, 'look');
    const found = await withSpare(run, host, async (store) => {
      await store?.catalogue().catch((error: unknown) => {
        run.signal.throwIfAborted();
        warn(run, `could not check whether it is in the store as well: ${describe(error).message}`);
      });
      const all = placed(host.listed.backups, run.copies);
      const id = settings.backup ?? (await find(run, { by: 'latest' }, host, store)).backup.id;
      const known = all.map(({ backup }) => backup);
      const one = all.find(({ backup }) => backup.id === id);
      if (one === undefined) {
        const places = store === null ? [host] : [host, store];
        throw notFound(run, id, known, places.map(({ uri }) => uri).join(' and '), await thereIn(places));
      }
      return one;
    });
    const backup = found.from === 'host' ? await host.whole(found.backup) : found.backup;
    const { content, recovery, ...manifest } = backup.manifest;
    report.backup = {
      ...factsOf(run, backup, found.places, found.from),
      ...(backup.detail === null ? {} : { detail: backup.detail }),
    };
    report.manifest = manifest;
    report.tables = content?.tables ?? [];
    report.tablesLeftOut = content?.tablesLeftOut ?? 0;
    report.recovery = isReliable(backup) ? recovery.map((line) => oneLine(line)) : [];
    for (const line of linesOf(run, { ...found, backup })) run.log.result(line);
    report.ok = true;
  });
}

/** Whether what its manifest says may be told as what to do. */
const isReliable = (backup: Backup): boolean => isTrusted(backup) && backup.state !== 'damaged';

function linesOf(run: Run, { backup, places }: PlacedBackup): string[] {
  const { id, manifest, state, detail } = backup;
  const { report } = run;
  const { github, pinned, verified } = manifest;
  const said = (text: string): string => quoteOutside(text, 300).replaceAll('\n', ' ');
  const age = formatAge(run.now().getTime() - Date.parse(manifest.createdAt));
  const partial = showCoverage(manifest.coverage ?? null);
  const proof = verified.level === 'none' ? 'none' : `${verified.level}, at ${verified.at}`;
  const took = verified.ms === undefined ? '' : `; restoring it took ${formatDuration(verified.ms)}`;
  const rows: [label: string, text: string][] = [
    [
      'made',
      `${manifest.createdAt}, ${age} old, on ${said(manifest.host)}; it took ${formatDuration(manifest.durationMs)}`,
    ],
    ['of', `${said(manifest.database)}, ${formatBytes(manifest.databaseBytes)}`],
    ['why', manifest.reason],
    ...(github === null
      ? []
      : ([['run', said(`${github.runUrl} (${github.actor}), commit ${github.sha}`)]] as [string, string][])),
    ['state', state === 'ok' ? 'good' : `${state}: ${said(detail ?? '')}`],
    ['proof', `${proof}${took}`],
    ...(partial === '' ? [] : ([['covers', `not everything: ${said(partial)}`]] as [string, string][])),
    ['pinned', pinned === null ? 'no' : `since ${pinned.at}: ${said(pinned.reason)}`],
    [
      'signed',
      manifest.mac === null
        ? 'no'
        : run.settings.signing === null
          ? 'yes; no key was given to check it'
          : state === 'forged'
            ? 'NOT WITH YOUR KEY'
            : 'yes, with your key',
    ],
    ['in', showPlaces(places)],
    ['file', `${said(report.backup?.path ?? '')}, ${formatBytes(manifest.bytes)}`],
    ['packed', `${manifest.compression}, ${showEncrypted(manifest.encryption)}`],
    ['sha256', manifest.sha256],
    [
      'tools',
      Object.entries(manifest.tools)
        .map(([tool, version]) => said(`${tool} ${version}`))
        .join(', '),
    ],
  ];
  const { tables: count, rows: all, uncounted } = report.backup ?? {};
  const tables = report.tables.toSorted((one, other) => (other.rows ?? -1) - (one.rows ?? -1));
  return [
    id,
    ...rows.map(([label, text]) => `  ${label.padEnd(8)}${text}`),
    `  tables  ${count == null ? 'unknown' : `${formatCount(count)}, with ${showRows(all ?? null, uncounted)} rows`}`,
    ...tables.slice(0, MOST_TABLES).map(({ name, rows: held }) => `    ${said(name)}: ${showRows(held)}`),
    ...(tables.length > MOST_TABLES ? [`    and ${formatCount(tables.length - MOST_TABLES)} more`] : []),
    '',
    ...(isReliable(backup)
      ? [
          `restore it:            db-backup restore ${id}`,
          `extract one table:     db-backup extract ${id} --table NAME`,
          ...(report.recovery.length === 0 ? [] : ['by hand, on the host:']),
          ...report.recovery.map((line) => `  ${line}`),
        ]
      : [`It is ${state}, so how to restore it is not shown: whoever changed it may have written that.`]),
  ];
}
