/** Running checks as processes: a few at once, each with a deadline, output shown only when it tells something. */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { formatDurationMs } from '../src/core/units.ts';
import type { TestCounts } from './count-reporter.ts';

export interface Check {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly timeoutMs: number;
  /** A test file reports its counts on descriptor 3; any other check counts as one. */
  readonly countsTests?: boolean;
}

/** Output kept of one check; a check that prints more than this is shown from its end. */
const outputLimitChars = 200_000;

/** More failures than this are no accident of a busy machine. */
const mostRepeated = 3;

export interface ChecksResult extends TestCounts {
  /** Test files that failed beside others and passed alone: each is a fault, of the test or of the product. */
  readonly unsteady: readonly string[];
}

/**
 * A few test files that failed are run again when everything else is done, one at a time, so that a fault and a machine that was
 * too busy can be told apart. Both runs are shown.
 */
export async function runChecks(
  checks: readonly Check[],
  { cwd, repeat }: { readonly cwd: string; readonly repeat: boolean },
): Promise<ChecksResult> {
  const jobs = Number(process.env['DRAGONFLY_TEST_JOBS'] ?? 0) || Math.min(4, availableParallelism());
  const counts = new Map<Check, TestCounts>();
  const waiting = [...checks];
  const worker = async (): Promise<void> => {
    for (let check = waiting.shift(); check; check = waiting.shift()) counts.set(check, await runCheck(check, cwd));
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  const failed = [...counts].flatMap(([check, { failed: failures }]) => (failures > 0 ? [check] : []));
  const again = repeat && failed.length <= mostRepeated ? failed.filter(({ countsTests }) => countsTests) : [];
  for (const check of again) counts.set(check, await runCheck(check, cwd));
  const unsteady = again.filter((check) => counts.get(check)?.failed === 0).map(({ name }) => name);
  return { ...sumOf([...counts.values()]), unsteady };
}

function sumOf(counts: readonly TestCounts[]): TestCounts {
  const sum = (of: keyof TestCounts): number => counts.reduce((total, count) => total + count[of], 0);
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') };
}

async function runCheck(check: Check, cwd: string): Promise<TestCounts> {
  const startedMs = performance.now();
  const { code, signal, output, report, timedOut } = await runProcess(check, cwd);
  const counts = check.countsTests
    ? testCounts(report, code === 0)
    : { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
  const took = formatDurationMs(performance.now() - startedMs);
  if (counts.failed === 0) {
    const what = check.countsTests
      ? `  ${counts.passed} passed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''}`
      : '';
    process.stdout.write(`✓ ${check.name}${what}  ${took}\n`);
    return counts;
  }
  const why = timedOut
    ? `not done after ${formatDurationMs(check.timeoutMs)}`
    : signal
      ? `killed by ${signal}`
      : `exit code ${code}`;
  process.stdout.write(`✗ ${check.name}  ${counts.failed} failed, ${why}  ${took}\n${indented(failures(output))}\n`);
  return counts;
}

/** A file without a single test, or one that ends badly after its tests passed, is a failure too. */
function testCounts(report: string, succeeded: boolean): TestCounts {
  const line = report.trim();
  const counts = line === '' ? { passed: 0, failed: 0, skipped: 0 } : (JSON.parse(line) as TestCounts);
  const ran = counts.passed + counts.failed + counts.skipped;
  return ran === 0 || (!succeeded && counts.failed === 0) ? { ...counts, failed: counts.failed + 1 } : counts;
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly report: string;
  readonly timedOut: boolean;
}

function runProcess(check: Check, cwd: string): Promise<Ended> {
  return new Promise((resolve) => {
    // Its own process group, so that a check that hangs is ended with everything it started.
    const child = spawn(check.program, check.args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
    let output = '';
    let report = '';
    let timedOut = false;
    const keep = (text: string): void => void (output = (output + text).slice(-outputLimitChars));
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', keep);
    const reportPipe = child.stdio[3] as NodeJS.ReadableStream;
    reportPipe.setEncoding('utf8').on('data', (text: string) => (report += text));
    const killGroup = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    };
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup();
    }, check.timeoutMs);
    running.add(killGroup);
    child.on('error', (error) => keep(`${error.message}\n`));
    // What a check leaves running would hold its output open: the group ends with its leader.
    child.on('exit', killGroup);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      running.delete(killGroup);
      resolve({ code, signal, output, report, timedOut });
    });
  });
}

const running = new Set<() => void>();

/** Ends every check under way, for Ctrl-C. */
export function killRunningChecks(): void {
  for (const kill of running) kill();
}

/** Node repeats the failed tests in full at the end of its report; without that part the file broke, and all is shown. */
function failures(output: string): string {
  const at = output.lastIndexOf('✖ failing tests:');
  return at < 0 ? output : output.slice(at).replace(/^.*\n+/, '');
}

function indented(text: string): string {
  return text.trimEnd().replace(/^/gm, '    ');
}
