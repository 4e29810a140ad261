/** The documentation of the newest version; `homepage` of package.json. */
const HOME = 'https://github.com/org/db-backup-action';

/**
 * The URL of a page of `docs/`, of the version that runs where the runner says which one that is.
 * https://docs.github.com/en/actions/reference/workflows-and-actions/variables
 */
export function pageUrl(page: string, env: Readonly<Record<string, string | undefined>> = process.env): string {
  const {
    GITHUB_SERVER_URL: server = '',
    GITHUB_ACTION_REPOSITORY: repository = '',
    GITHUB_ACTION_REF: ref = '',
  } = env;
  const isKnown =
    /^https:\/\/[a-z0-9.-]+(:\d+)?$/i.test(server) && /^[\w.-]+\/[\w.-]+$/.test(repository) && /^[\w./-]+$/.test(ref);
  return `${isKnown ? `${server}/${repository}/blob/${ref}` : `${HOME}/blob/main`}/docs/${page}`;
}

/** Where to read on after a failure. */
export const helpPages = (code: string): { error: string; restore: string } => ({
  error: pageUrl(`errors.md#${code.toLowerCase()}`),
  restore: pageUrl('restore.md'),
});
