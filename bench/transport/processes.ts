/** What processes have cost so far, from /proc, and the arithmetic of the benchmarks. */
import { once } from 'node:events';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';

const clockTicks = 100;

/** User + system of the process and its children that run. */
export function cpuSecondsOf(root: number): number {
  return sum(
    processTree(root).map((pid) => {
      const stat = statOf(pid);
      return (Number(stat?.[11] ?? 0) + Number(stat?.[12] ?? 0)) / clockTicks;
    }),
  );
}

/** Of this process's children that have ended. */
export function childrenCpuSeconds(): number {
  const stat = statOf('self');
  return (Number(stat?.[13] ?? 0) + Number(stat?.[14] ?? 0)) / clockTicks;
}

/** The most memory the process has held since it started, or since `forgetPeak`. */
export function peakRssBytes(pid: number): number {
  return 1024 * Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}

export function rssBytes(pid: number): number {
  return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}

/** Of it, what no file backs. */
export function anonymousBytes(pid: number): number {
  return 1024 * Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}

export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

export function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function processTree(root: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && statOf(name)?.[1] === String(root))
    .map(Number);
  return [root, ...children];
}

/** Fields of /proc/PID/stat from the state on; undefined for a process that has ended. */
function statOf(pid: number | string): string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
  } catch {
    return undefined;
  }
}
