/**
 * Pins our own action, in whatever shows how to use it, to the commit of a release: npm run pin -- v1.2.3
 * The commit is that of the tag, or a second argument: npm run pin -- v1.2.3 COMMIT
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = new URL('../', import.meta.url);
const filesIn = (folder, ending) =>
  readdirSync(new URL(folder, root))
    .filter((name) => name.endsWith(ending))
    .map((name) => `${folder}${name}`);

const { positionals } = parseArgs({ allowPositionals: true });
const [tag = '', given = tag] = positionals;
if (!/^v\d+\.\d+\.\d+$/.test(tag)) throw new Error('usage: npm run pin -- v1.2.3 [COMMIT]');
const commit = execFileSync('git', ['rev-parse', '--verify', `${given}^{commit}`], {
  cwd: fileURLToPath(root),
  encoding: 'utf8',
}).trim();

const USES = /(uses: [\w.-]+\/db-backup-action(?:\/[\w./-]+)?@)\S+(?: # v[\d.]+)?/g;
/** Where the runner puts what a workflow uses, by its commit. */
const FETCHED = /(\/_actions\/[\w.-]+\/db-backup-action\/)[0-9a-f]{40}/g;
for (const name of [
  'README.md',
  '.github/workflows/released.yml',
  ...filesIn('docs/', '.md'),
  ...filesIn('examples/', '.yml'),
]) {
  const file = new URL(name, root);
  const before = readFileSync(file, 'utf8');
  const after = before.replace(USES, `$1${commit} # ${tag}`).replace(FETCHED, `$1${commit}`);
  if (after === before) continue;
  writeFileSync(file, after);
  console.log(name);
}
