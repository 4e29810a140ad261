// All of `db-backup schedule`, loaded at once: so the bundle has what they share once.
export { install } from './schedule-install.js';
export { list, status, uninstall } from './schedule-installed.js';
export { run } from './schedule-run.js';
