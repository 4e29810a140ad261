/**
 * ssh2 is CommonJS and reads `__dirname`, which does not exist in the ES module that ncc makes of it.
 * This must be the first import of the entry point; without it the bundle dies at start.
 */
(globalThis as { __dirname?: string }).__dirname ??= import.meta.dirname;
