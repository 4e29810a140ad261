/** What the runner reads out of a step: command files and workflow commands in its log, by the rules of actions/runner. */

export interface WorkflowCommand {
  name: string;
  properties: Record<string, string>;
  data: string;
}

/** The commands the runner knows; anything else that looks like one is plain text. */
const KNOWN = new Set([
  'add-mask',
  'add-matcher',
  'add-path',
  'debug',
  'echo',
  'endgroup',
  'error',
  'group',
  'internal-set-repo-path',
  'notice',
  'remove-matcher',
  'save-state',
  'set-env',
  'set-output',
  'stop-commands',
  'warning',
]);

/**
 * Reads one line of stdout or stderr: `::name key=value,...::data` at its start after blanks, or else the old form
 * `##[name key=value;...]data` anywhere in it. Null when it holds no command. `resumeToken` is a name that counts as known as well.
 */
export function parseCommand(line: string, resumeToken?: string): WorkflowCommand | null {
  return parseNew(line, resumeToken) ?? parseOld(line, resumeToken);
}

function parseNew(line: string, resumeToken?: string): WorkflowCommand | null {
  const text = line.trimStart();
  const end = text.indexOf('::', 2);
  if (!text.startsWith('::') || end < 0) return null;
  const decode = (value: string) => decodeWith(value, { '%0D': '\r', '%0A': '\n', '%3A': ':', '%2C': ',' });
  const head = readHead(text.slice(2, end), ',', decode, resumeToken);
  return head && { ...head, data: decodeWith(text.slice(end + 2), { '%0D': '\r', '%0A': '\n' }) };
}

function parseOld(line: string, resumeToken?: string): WorkflowCommand | null {
  const start = line.indexOf('##[');
  const end = line.indexOf(']', start);
  if (start < 0 || end < 0) return null;
  const decode = (value: string) => decodeWith(value, { '%3B': ';', '%0D': '\r', '%0A': '\n', '%5D': ']' });
  const head = readHead(line.slice(start + 3, end), ';', decode, resumeToken);
  return head && { ...head, data: decode(line.slice(end + 1)) };
}

function readHead(
  text: string,
  separator: string,
  decode: (value: string) => string,
  resumeToken?: string,
): Omit<WorkflowCommand, 'data'> | null {
  const blank = text.indexOf(' ');
  const name = (blank < 0 ? text : text.slice(0, blank)).toLowerCase();
  if (!KNOWN.has(name) && name !== resumeToken?.toLowerCase()) return null;
  const properties: Record<string, string> = {};
  for (const pair of blank < 0
    ? []
    : text
        .slice(blank + 1)
        .trim()
        .split(separator)) {
    const equals = pair.indexOf('=');
    if (equals > 0) properties[pair.slice(0, equals).trim()] = decode(pair.slice(equals + 1));
  }
  return { name, properties };
}

function decodeWith(value: string, table: Record<string, string>): string {
  let text = value;
  for (const [code, character] of Object.entries(table)) text = text.replaceAll(code, character);
  return text.replaceAll('%25', '%');
}

export interface CommandFile {
  /** In the order of the file, repeated names included. */
  pairs: [string, string][];
  /** Why the runner would stop reading and fail the step, or null. */
  error: string | null;
}

/** Reads GITHUB_OUTPUT, GITHUB_STATE or GITHUB_ENV: lines `name=value`, or `name<<delimiter`, the value, the delimiter alone. */
export function parseCommandFile(text: string): CommandFile {
  const lines = text.split(/\r?\n/);
  const pairs: [string, string][] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    if (line === '') continue;
    const equals = line.indexOf('=');
    const heredoc = line.indexOf('<<');
    if (equals >= 0 && (heredoc < 0 || equals < heredoc)) {
      if (equals === 0) return { pairs, error: `no name in "${line}"` };
      pairs.push([line.slice(0, equals), line.slice(equals + 1)]);
      continue;
    }
    const name = line.slice(0, Math.max(heredoc, 0));
    const delimiter = line.slice(heredoc + 2);
    if (heredoc < 0 || name === '' || delimiter === '') return { pairs, error: `invalid format "${line}"` };
    const end = lines.indexOf(delimiter, at + 1);
    if (end < 0) return { pairs, error: `no closing delimiter "${delimiter}" for "${name}"` };
    pairs.push([name, lines.slice(at + 1, end).join('\n')]);
    at = end;
  }
  return { pairs, error: null };
}
