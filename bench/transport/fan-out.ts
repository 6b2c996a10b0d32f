/**
 * One parent, many children that read and discard; what the parent gives, costs,
 * holds and how long its loop waits.
 *
 *   node bench/transport/fan-out.ts [--children 32] [--gib 8] [--directory DIR]
 *
 * The children are raw connections of one other process (this one): two requests ahead, every byte counted, none kept.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { DiscardingChild } from './discarding-child.ts';

const { values } = parseArgs({
  options: {
    children: { type: 'string', default: '32' },
    gib: { type: 'string', default: '8' },
    directory: { type: 'string', default: tmpdir() },
  },
});
const children = Number(values.children);
const contentBytes = 256 * 2 ** 20;
const pieceLengthBytes = 4 * 2 ** 20;
const pieceCount = contentBytes / pieceLengthBytes;
const requestsPerChild = Math.ceil((Number(values.gib) * 2 ** 30) / pieceLengthBytes / children);
const taskId = 'ab'.repeat(32);

const directory = mkdtempSync(join(values.directory, 'dragonfly-bench-'));
try {
  await main();
} finally {
  rmSync(directory, { recursive: true, force: true });
}

interface Usage {
  cpuSeconds: number;
  maxRssBytes: number;
  loopDelayP99Ms: number;
}

async function main(): Promise<void> {
  const content = join(directory, 'content');
  const file = openSync(content, 'w');
  for (let written = 0; written < contentBytes; written += pieceLengthBytes)
    writeSync(file, Buffer.alloc(pieceLengthBytes, written / pieceLengthBytes));
  closeSync(file);
  writeFileSync(`${content}.size`, String(contentBytes));
  mkdirSync(join(directory, 'parent'), { mode: 0o700 });
  const parent = spawn(
    process.execPath,
    [join(import.meta.dirname, 'peer.ts'), 'parent', join(directory, 'parent'), content, '127.0.0.1', 'plain'],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  const lines = createInterface(parent.stdout)[Symbol.asyncIterator]();
  const { port } = JSON.parse((await lines.next()).value as string) as { port: number };
  await Promise.all(Array.from({ length: children }, (_, index) => readPieces(port, index, 2))); // warms both processes
  const before = await ask(parent, lines);
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: children }, (_, index) => readPieces(port, index, requestsPerChild)));
  const seconds = (performance.now() - startedMs) / 1000;
  const after = await ask(parent, lines);
  const gib = (children * requestsPerChild * pieceLengthBytes) / 2 ** 30;
  console.log('| children | GiB/s | parent CPU s/GiB | parent max RSS MiB | loop delay p99 ms |');
  console.log('| --- | --- | --- | --- | --- |');
  console.log(
    `| ${children} | ${(gib / seconds).toFixed(2)} | ${((after.cpuSeconds - before.cpuSeconds) / gib).toFixed(3)} | ${Math.round(after.maxRssBytes / 2 ** 20)} | ${after.loopDelayP99Ms.toFixed(1)} |`,
  );
  parent.stdin.end();
  await once(parent, 'exit');
}

async function ask(parent: ChildProcess, lines: AsyncIterator<string>): Promise<Usage> {
  parent.stdin?.write('usage\n');
  return JSON.parse((await lines.next()).value as string) as Usage;
}

/** Reads so many pieces over one connection. */
async function readPieces(port: number, seed: number, count: number): Promise<void> {
  const child = new DiscardingChild('127.0.0.1', port);
  for (let asked = 0; asked < count; asked += 1) child.want({ taskId, piece: (seed * 7 + asked) % pieceCount });
  await child.finish();
}
