// What jest's JSON reports say.
// usage: test-report.mjs failed REPORT         names of the test files that failed, when they are few; else says so
//        test-report.mjs total REPORT [LATER]  "N passed, N failed", where a file's later result counts; ends with 1 on any failure
// With TEST_STRICT a file that failed first and passed alone is a failure all the same.
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';

/** More files than this do not fail by chance. */
const BY_CHANCE = 4;
const [, , what, ...names] = process.argv;

const reports = names.filter((name) => existsSync(name)).map((name) => JSON.parse(readFileSync(name, 'utf8')));
/** Test files of each report by name. */
const [first = new Map(), later = new Map()] = reports.map(
  ({ testResults }) => new Map(testResults.map((file) => [relative('.', file.name), file])),
);

const countOf = (file, status) => file.assertionResults.filter((test) => test.status === status).length;
/** A file that could not be run counts as one failure. */
const failuresOf = (file) => (file.status === 'failed' ? Math.max(1, countOf(file, 'failed')) : 0);
const failed = [...first].filter(([, file]) => failuresOf(file) > 0).map(([name]) => name);

if (what === 'failed') {
  if (failed.length <= BY_CHANCE) for (const name of failed) console.log(name);
  else console.error(`${failed.length} files failed: too many for chance, not run again`);
} else {
  const unsteady = failed.filter((name) => later.has(name) && failuresOf(later.get(name)) === 0);
  const strict = Boolean(process.env.TEST_STRICT);
  /** A file's result that counts. */
  const result = (name) => (later.has(name) && !(strict && unsteady.includes(name)) ? later : first).get(name);
  const files = [...first.keys()].map(result);
  const sum = (count) => files.reduce((total, file) => total + count(file), 0);
  const passed = sum((file) => countOf(file, 'passed'));
  let failures = sum(failuresOf);

  const notRun = files.flatMap((file) => file.assertionResults.filter((test) => test.status === 'pending'));
  // with `-t` that is nearly all
  if (notRun.length > 20) console.log(`not run: ${notRun.length}`);
  else for (const { fullName } of notRun) console.log(`not run: ${fullName}`);
  for (const name of unsteady) console.log(`${name} failed beside others and passed alone; that is a bug too`);
  if (unsteady.length > 0) console.log(`unsteady: ${unsteady.length}`);
  if (failures === 0 && passed === 0) {
    console.log('no test was run');
    failures = 1;
  } else if (failures === 0 && !reports.at(-1).success) {
    console.log('no test failed, and yet jest did');
    failures = 1;
  }
  console.log(`${passed} passed, ${failures} failed`);
  process.exitCode = failures === 0 ? 0 : 1;
}
