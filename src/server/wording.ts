/** What a text says of a workflow, as somebody says it who calls, or is at the machine. */
export const forCallers = (text: string): string =>
  text
    .replaceAll('`command: list`', '`GET /api/database/backups`')
    .replaceAll('`command: health`', '`GET /api/database/health`')
    .replaceAll(/`command: ([a-z]+)`/g, '`db-backup $1`');

/** What to do; empty where that is about inputs of a workflow, or the workflow itself. */
export function hintForCallers(hint: string): string {
  const text = forCallers(hint);
  return /`[a-z][a-z0-9-]*: |workflow|runner/.test(text) ? '' : text;
}
