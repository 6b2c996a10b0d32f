/**
 * All checks and tests of the repository: `npm test`, or `npm test -- PATTERN…` for the test files whose path matches.
 *
 * Gates (format, lint, types, generated code, unused code) count as one check each; every test counts as itself.
 * The last line is `N passed, N failed`, with `, N skipped` when there are some; the exit code is 1 on any failure. Up to three test
 * files that failed run once more, alone, at the end, and are named with a `~` when they pass then; DRAGONFLY_TEST_REPEAT=0 does without.
 */
import { join } from 'node:path';
import { canInstall, installPrograms, programExists, searchPath, unknownPrograms } from './debian-packages.ts';
import { killRunningChecks, runChecks, type Check } from './run-checks.ts';
import { neededPrograms, root, testFiles } from './test-files.ts';

const tool = (name: string): string => join(root, 'node_modules/.bin', name);
/** Deadlines find what hangs; a machine that is busy with other things must not meet them. */
const gateTimeoutMs = 600_000;
const testFileTimeoutMs = 600_000;
/** Starting many services on two busy cores takes its time. */
const endToEndTimeoutMs = 1_200_000;
/** Tens of gigabytes through two cores and one disk. */
const largeTimeoutMs = 3_600_000;

/**
 * Loaded before a test file: what earlier files or runs have compiled is not compiled again, which is most of a small file's time.
 * Not by NODE_COMPILE_CACHE, which the programs that a test starts would inherit.
 */
const compileCache = `data:text/javascript,${encodeURIComponent(
  `import { enableCompileCache } from 'node:module'; enableCompileCache(${JSON.stringify(join(root, 'node_modules/.cache/tests'))});`,
)}`;

function gates(): Check[] {
  const gate = (name: string, program: string, ...args: string[]): Check => ({
    name,
    program,
    args,
    timeoutMs: gateTimeoutMs,
  });
  return [
    gate('format: prettier', tool('prettier'), '--check', '--log-level', 'warn', '.'),
    gate('lint: oxlint', tool('oxlint'), '--type-aware', '--quiet'),
    gate('types: tsc', tool('tsc'), '-p', 'tsconfig.json'),
    gate('types of the console: tsc', tool('tsc'), '-p', 'console/tsconfig.json'),
    gate('generated code is fresh', process.execPath, 'scripts/generate-api.ts', '--check'),
    gate('client of the console is fresh', process.execPath, 'scripts/generate-console-api.ts', '--check'),
    gate('documents are fresh', process.execPath, 'scripts/generate-docs.ts', '--check'),
    gate('lock file is complete', process.execPath, 'scripts/complete-lock.ts', '--check'),
    gate('locked packages are harmless', process.execPath, 'scripts/advisories.ts'),
    gate('unused code: knip', tool('knip'), '--no-progress'),
  ];
}

function testCheck(file: string): Check {
  const reporters = [
    ['--test-reporter=spec', '--test-reporter-destination=stdout'],
    ['--test-reporter=./scripts/count-reporter.ts', '--test-reporter-destination=stderr'],
  ].flat();
  const timeoutMs = timeoutOf(file);
  const args = ['--disable-warning=ExperimentalWarning', `--import=${compileCache}`, ...reporters, file];
  return { name: file, program: process.execPath, args, timeoutMs, countsTests: true };
}

function timeoutOf(file: string): number {
  if (file.startsWith('test/large/')) return largeTimeoutMs;
  return file.startsWith('test/e2e/') ? endToEndTimeoutMs : testFileTimeoutMs;
}

async function main(patterns: readonly string[]): Promise<number> {
  const total = { passed: 0, failed: 0, skipped: 0 };
  const files = testFiles(patterns);
  if (files.length === 0) process.stdout.write(`no test file matches ${patterns.join(' ')}\n`);
  const needed = new Map(files.map((file) => [file, neededPrograms(file)]));
  const programs = new Set([...needed.values()].flat());

  const unknown = unknownPrograms(programs);
  if (unknown.length > 0) {
    process.stdout.write(`✗ scripts/debian-packages.ts does not know: ${unknown.join(', ')}\n`);
    total.failed += 1;
  }
  const missing = [...programs].filter((program) => !programExists(program));
  if (missing.length > 0 && canInstall()) {
    const problem = await installPrograms(missing);
    const absent = missing.filter((program) => !programExists(program));
    // Where programs can be installed nothing is skipped silently: what is absent now is a failure.
    if (problem !== undefined || absent.length > 0) {
      process.stdout.write(`✗ Debian packages\n${problem ?? `no package has brought ${absent.join(', ')}`}\n`);
      total.failed += 1;
    }
  }
  // For the tests and what they start: services live outside the search path of most users.
  process.env['PATH'] = searchPath();

  const runnable = files.filter((file) => {
    const absent = (needed.get(file) ?? []).filter((program) => !programExists(program));
    if (absent.length === 0) return true;
    process.stdout.write(`- ${file}  skipped: ${absent.join(', ')} is not installed\n`);
    total.skipped += 1;
    return false;
  });
  const checks = [...(patterns.length === 0 ? gates() : []), ...runnable.map(testCheck)];
  const counts = await runChecks(checks, { cwd: root, repeat: process.env['DRAGONFLY_TEST_REPEAT'] !== '0' });
  total.passed += counts.passed;
  total.failed += counts.failed + (files.length === 0 ? 1 : 0);
  total.skipped += counts.skipped;
  for (const name of counts.unsteady) process.stdout.write(`~ ${name}  failed beside others, passed alone\n`);
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
  process.stdout.write(`${total.passed} passed, ${total.failed} failed${skipped}\n`);
  return total.failed === 0 ? 0 : 1;
}

for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => {
    killRunningChecks();
    process.exit(130);
  });
}
process.exitCode = await main(process.argv.slice(2));
