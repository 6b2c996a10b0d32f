/** What can befall a part, and whether it means anything there. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { ChaosCluster, Part, PartName } from './cluster.ts';

export interface Fault {
  readonly name: string;
  readonly parts: readonly PartName[];
  /** Milliseconds by which a clock is wrong, for clusters that need to be started so. */
  readonly clockMs?: number;
  /** @param file path of the content at the origin. */
  readonly strike: (part: Part, cluster: ChaosCluster, file: string) => Promise<void> | void;
}

const everywhere: readonly PartName[] = ['seed', 'parent', 'child', 'scheduler', 'manager', 'origin'];
const withDisk: readonly PartName[] = ['seed', 'parent', 'child', 'scheduler', 'manager'];
const withContent: readonly PartName[] = ['seed', 'parent', 'child', 'origin'];
const withDatabase: readonly PartName[] = ['seed', 'parent', 'child', 'manager'];
const dayMs = 86_400_000;

export const faults: readonly Fault[] = [
  { name: 'SIGSTOP', parts: everywhere, strike: (part) => part.kill('SIGSTOP') },
  { name: 'SIGKILL', parts: everywhere, strike: (part) => part.kill('SIGKILL') },
  {
    name: 'link down',
    parts: everywhere,
    strike: (part) =>
      execFileSync('ip', ['-n', part.host.namespace, 'link', 'set', part.host.device, 'down']) && undefined,
  },
  {
    name: 'loss 30 %',
    parts: everywhere,
    strike: (part) => {
      part.onHost('nft', 'add table inet chaos');
      for (const hook of ['input', 'output']) {
        part.onHost('nft', `add chain inet chaos ${hook} { type filter hook ${hook} priority 0; }`);
        part.onHost('nft', `add rule inet chaos ${hook} numgen random mod 100 < 30 drop`);
      }
    },
  },
  { name: '1 B/s', parts: everywhere, strike: (part, cluster) => cluster.limitLine(part.name, 8) },
  { name: 'disk full', parts: withDisk, strike: fillDisk },
  { name: 'EMFILE', parts: everywhere, strike: useUpFiles },
  { name: 'clock + 1 day', parts: withDisk, clockMs: dayMs, strike: (part) => part.kill('SIGUSR2') },
  { name: 'clock - 1 day', parts: withDisk, clockMs: -dayMs, strike: (part) => part.kill('SIGUSR2') },
  { name: 'bit flip', parts: withContent, strike: (part, _, file) => flipBit(contentOf(part, file)) },
  {
    name: 'truncated file',
    parts: withContent,
    strike: (part, _, file) => {
      const path = contentOf(part, file);
      truncateSync(path, Math.floor(statSync(path).size / 2));
    },
  },
  {
    name: 'damaged database',
    parts: withDatabase,
    strike: (part) => part.restart(() => damage(join(part.directory, databaseOf(part)))),
  },
  { name: 'old back-up', parts: withDatabase, strike: (part) => part.restart(() => part.restore()) },
];

function fillDisk({ directory }: Part): void {
  try {
    execFileSync('dd', ['if=/dev/zero', `of=${join(directory, 'filler')}`, 'bs=1M'], { stdio: 'ignore' });
  } catch {
    // until it is full
  }
}

/** No descriptor beyond those it has open now, also not one that has become free below them. */
function useUpFiles({ pid }: Part): void {
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let limit = 0;
  while (open.has(limit)) limit += 1;
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${limit}:${limit}`]);
}

/** The largest file of the store, or the file of the origin. */
function contentOf({ name, directory }: Part, file: string): string {
  if (name === 'origin') return file;
  const files = readdirSync(join(directory, 'data'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.includes('.sqlite'))
    .map((entry) => join(entry.parentPath, entry.name));
  const [largest] = files.toSorted((a, b) => statSync(b).size - statSync(a).size);
  if (largest === undefined || statSync(largest).size === 0) throw new Error(`${name} holds nothing yet`);
  return largest;
}

function flipBit(path: string): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  const at = 1000;
  readSync(file, byte, 0, 1, at);
  writeSync(file, Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at);
  closeSync(file);
}

function databaseOf({ name }: Part): string {
  return name === 'manager' ? 'manager.db' : join('data', 'metadata.sqlite');
}

function damage(path: string): void {
  const file = openSync(path, 'r+');
  const { size } = statSync(path);
  const noise = Buffer.alloc(Math.max(512, Math.floor(size / 2)), 0xa5);
  writeSync(file, noise, 0, noise.length, Math.floor(size / 4));
  closeSync(file);
}
