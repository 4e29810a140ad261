/** A process of its own, as the action is one: reads `["read", prefix, ms]` and `["save", key, text, ms]`, one after the other, and tells what came of them on fd 3. */
import { writeSync } from 'node:fs';
import { readNewest, save } from '../../src/ledger/cache.js';

const answers: unknown[] = [];
for (const [what, ...given] of JSON.parse(process.argv[2] ?? '[]')) {
  answers.push(await (what === 'read' ? readNewest(given[0], given[1]) : save(given[0], given[1], given[2])));
}
writeSync(3, JSON.stringify(answers));
process.exit();
