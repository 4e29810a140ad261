/** ESM TypeScript through swc; types are checked by `tsc` in __tests__/repository. */
export default {
  testEnvironment: 'node',
  globalSetup: '<rootDir>/scripts/test-folder.mjs',
  // not in the temporary folder, which scripts/test.sh makes anew for each run
  cacheDirectory: '<rootDir>/node_modules/.cache/jest',
  testMatch: ['<rootDir>/__tests__/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2023',
          parser: { syntax: 'typescript' },
          experimental: { keepImportAttributes: true },
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: ['<rootDir>/dist'],
  // all points of a sweep in one test take longer
  testTimeout: process.env.TEST_SWEEP ? 600_000 : 120_000,
};
