/**
 * Makes dist/ from src/. The result is committed, since the runner starts it as it is, and must be the same byte for byte
 * in every folder and on every machine (__tests__/repository/build.test.ts holds it). It is made beside dist, which is replaced
 * by a build that has succeeded, and by no other.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const ncc = join(root, 'node_modules', '@vercel', 'ncc', 'dist', 'ncc', 'cli.js');
if (!existsSync(ncc)) throw new Error('ncc is not installed; dist was left as it is; run npm ci');

const made = mkdtempSync(join(root, '.dist-'));
chmodSync(made, 0o755);
try {
  // ncc takes src/tsconfig.json, the nearest one: with the tsconfig.json of the root an error in a test would break the build.
  // Its --transpile-only is no way out: it emits CommonJS for module "nodenext", which can not import @actions/core.
  // --no-cache: the cache outlives this repository's files, in the temporary folder.
  const build = spawnSync(
    process.execPath,
    [ncc, 'build', 'src/index.ts', '-o', made, '--license', 'licenses.txt', '--no-cache', '--quiet'],
    { cwd: root, stdio: 'inherit' },
  );
  if (build.status !== 0) {
    throw new Error(`ncc ended with ${build.error?.message ?? build.status ?? build.signal}; dist was left as it is`);
  }
  const { default: ts } = await import('typescript');
  for (const [from, to] of [
    ['post-entry.ts', 'post.js'],
    ['command-line-entry.ts', 'cli.js'],
  ]) {
    const { outputText } = ts.transpileModule(readFileSync(join(root, 'src', from), 'utf8'), {
      compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
    });
    writeFileSync(join(made, to), outputText);
  }
  chmodSync(join(made, 'cli.js'), 0o755);

  // ssh2's helper for Windows agents: never used, and a binary that nobody can review.
  rmSync(join(made, 'pagent.exe'), { force: true });
  // A native add-on fits one Node on one platform. It gets here when the install scripts of ssh2 were run.
  const native = readdirSync(made, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.node'));
  if (native.length > 0) {
    throw new Error(
      `native add-ons got into the bundle: ${native.join(', ')}; dist was left as it is; delete node_modules and run npm ci`,
    );
  }
  rmSync(dist, { recursive: true, force: true });
  renameSync(made, dist);
} catch (error) {
  console.error(`build: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(made, { recursive: true, force: true });
}
