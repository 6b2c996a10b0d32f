/**
 * How much of src/ the tests run: `npm run coverage`, or `npm run coverage -- PATTERN…` for the test files whose path matches.
 * A table by folder, without tests and generated code; the services that tests start as processes count as well.
 * Test files whose programs are absent are left out, and named: `npm test` installs those.
 */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { programExists, searchPath } from './debian-packages.ts';
import { neededPrograms, root, testFiles } from './test-files.ts';

/** Longer than any test file takes while everything is measured. */
const fileTimeoutMs = 1_200_000;

process.env['PATH'] = searchPath();
const files = testFiles(process.argv.slice(2)).filter((file) => {
  const absent = neededPrograms(file).filter((program) => !programExists(program));
  if (absent.length > 0) process.stdout.write(`left out: ${file}: ${absent.join(', ')} is not installed\n`);
  return absent.length === 0;
});
const options = [
  '--test',
  '--experimental-test-coverage',
  '--test-coverage-include=src/**/*.ts',
  '--test-coverage-exclude=src/**/*.test.ts',
  '--test-coverage-exclude=gen/**',
  '--test-reporter=./scripts/coverage-reporter.ts',
  '--test-reporter-destination=stdout',
  `--test-concurrency=${Math.min(4, availableParallelism())}`,
  `--test-timeout=${fileTimeoutMs}`,
];
const words = ['--disable-warning=ExperimentalWarning', ...options, ...files];
process.exitCode = spawnSync(process.execPath, words, { cwd: root, stdio: 'inherit' }).status ?? 1;
