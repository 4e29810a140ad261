// The engines, a line each. lookup.ts takes them from here, and the compiler holds that each is a whole `Engine` (engine.ts).

export { pgbackrest } from './physical/index.js';
export { postgres } from './postgres/index.js';
export { sqlite } from './sqlite/index.js';
