/**
 * Makes dist/ from src/. The result is committed, since the runner starts it as it is, and must be the same byte for byte
 * in every folder and on every machine (__tests__/repository/build.test.ts holds it).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const ncc = join(root, 'node_modules', '@vercel', 'ncc', 'dist', 'ncc', 'cli.js');

if (!existsSync(ncc)) fail('ncc is not installed; dist was left as it is; run npm ci --ignore-scripts');
rmSync(dist, { recursive: true, force: true });

// ncc takes src/tsconfig.json, the nearest one: with the tsconfig.json of the root an error in a test would break the build.
// Its --transpile-only is no way out: it emits CommonJS for module "nodenext", which can not import @actions/core.
// --no-cache: the cache outlives this repository's files, in the temporary folder.
const build = spawnSync(
  process.execPath,
  [ncc, 'build', 'src/index.ts', '-o', 'dist', '--license', 'licenses.txt', '--no-cache', '--quiet'],
  { cwd: root, stdio: 'inherit' },
);
if (build.error) fail(`ncc did not start: ${build.error.message}`);
if (build.status !== 0) fail(`ncc ended with ${build.status ?? build.signal}; what is in dist now is of no use`);

// With nothing to look after, as nearly always, post ends without loading the program.
writeFileSync(
  join(dist, 'post.js'),
  `// What the runner starts after the job; index.js knows it by this file's name, and saved the state that is looked at here.
if (process.env.STATE_started && !process.env.STATE_finished) await import('./index.js');
`,
);

// ssh2's helper for Windows agents: never used, and a binary that nobody can review.
rmSync(join(dist, 'pagent.exe'), { force: true });

const native = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.node'));
if (native.length > 0) {
  // A native add-on fits one Node on one platform. It gets here when npm ran the install scripts of ssh2.
  rmSync(dist, { recursive: true, force: true });
  fail(
    `native add-ons got into dist: ${native.join(', ')}; dist was removed; delete node_modules and run npm ci --ignore-scripts`,
  );
}

/** @param {string} message */
function fail(message) {
  console.error(`build: ${message}`);
  process.exit(1);
}
