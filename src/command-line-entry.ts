#!/usr/bin/env node
// dist/cli.js, which is `db-backup`: the same program, asked by a command line.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major > 22 || (major === 22 && minor >= 12)) {
  process.exitCode = 1; // until the program says what it is
  (globalThis as { dbBackupEntry?: string }).dbBackupEntry = 'command-line';
  try {
    await import('./index.js');
  } catch (error) {
    console.error(`db-backup could not be loaded: ${error instanceof Error ? error.message : error}`);
  }
} else {
  console.error(`db-backup needs Node.js 22.12 or newer, and this is ${process.versions.node}: see https://nodejs.org`);
  process.exitCode = 2;
}

export {};
