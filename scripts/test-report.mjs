// What jest's JSON reports say.
// usage: test-report.mjs failed REPORT         names of the test files that failed, when they are few
//        test-report.mjs total REPORT [LATER]  "N passed, N failed", where a file's later result counts; ends with 1 on any failure
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

if (what === 'failed') {
  const failed = [...first].filter(([, file]) => failuresOf(file) > 0);
  if (failed.length <= BY_CHANCE) for (const [name] of failed) console.log(name);
} else {
  for (const [name, file] of later) {
    if (failuresOf(file) === 0)
      console.log(`unsteady: ${name} failed beside others and passed alone; that is a bug too`);
  }
  const files = [...new Map([...first, ...later]).values()];
  const sum = (count) => files.reduce((total, file) => total + count(file), 0);
  const passed = sum((file) => countOf(file, 'passed'));
  let failed = sum(failuresOf);
  if (failed === 0 && (passed === 0 || !reports.at(-1).success)) {
    console.log(passed === 0 ? 'no test was run' : 'no test failed, and yet jest did');
    failed = 1;
  }
  const notRun = files.flatMap((file) => file.assertionResults.filter((test) => test.status === 'pending'));
  // with `-t` that is nearly all
  if (notRun.length > 20) console.log(`not run: ${notRun.length}`);
  else for (const { fullName } of notRun) console.log(`not run: ${fullName}`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
