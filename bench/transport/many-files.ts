/**
 * A repository of many small files by `dfget --recursive` through a whole swarm: nginx, a scheduler, a seed and a peer.
 *
 *   node bench/transport/many-files.ts [--files 10000] [--max-kib 1024] [--at-once 5] [--seed N]
 *
 * Sizes run from one byte to the largest, every power of two as often as the next. Every file is compared. The second
 * run of dfget finds everything in the store of the peer.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../src/swarm/shared/random.ts';
import { NginxOrigin } from '../../test/support/nginx-origin.ts';
import { makeRandomFile, sha256OfFile } from '../../test/support/random-file.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { BenchSwarm, type BenchDaemon } from './daemon-swarm.ts';
import { cpuSecondsOf, peakRssBytes, sum } from './processes.ts';

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '10000' },
    'max-kib': { type: 'string', default: '1024' },
    'at-once': { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
  },
});
const dfget = fileURLToPath(new URL('../../bin/dfget', import.meta.url));
const random = seededRandom(Number(values.seed));

await using cleanup = new AsyncDisposableStack();
const directory = cleanup.use(await temporaryDirectory('dragonfly-files-'));
const origin = cleanup.use(await NginxOrigin.start({ directory: directory.path }));
const files = await makeRepository();
const totalMib = Math.round(sum([...files.values()].map(({ sizeBytes }) => sizeBytes)) / 2 ** 20);
const swarm = cleanup.use(await BenchSwarm.start({ directory: directory.path }));
const seed = await swarm.daemon('seed', { scheduler: { seedPeer: { enable: true } } });
const peer = await swarm.daemon('peer');

console.log(`${files.size} files, ${totalMib} MiB, ${values['at-once']} at once`);
console.log('| run | s | files/s | CPU s (seed, peer) | peak RSS MiB (seed, peer) |');
console.log('| --- | --- | --- | --- | --- |');
for (const run of ['cold', 'in the store of the peer']) await measure(run);

/** As a model hub serves it: one listing, and each file below the revision. */
async function makeRepository() {
  const made = new Map<string, { sha256: string; sizeBytes: number }>();
  const content = join(origin.root, 'Owner', 'Name', 'resolve', 'main');
  for (let number = 0; number < Number(values.files); number += 1) {
    const name = `d${number % 100}/f${number}`;
    const path = join(content, name);
    mkdirSync(dirname(path), { recursive: true });
    const sizeBytes = Math.floor((Number(values['max-kib']) * 1024) ** random()) || 1;
    made.set(name, await makeRandomFile(path, sizeBytes, name));
  }
  const listing = join(origin.root, 'api', 'models', 'Owner', 'Name', 'tree', 'main');
  mkdirSync(dirname(listing), { recursive: true });
  writeFileSync(
    listing,
    JSON.stringify([...made].map(([path, { sizeBytes }]) => ({ type: 'file', path, size: sizeBytes }))),
  );
  return made;
}

async function measure(run: string): Promise<void> {
  const output = directory.join(`out of ${run}`);
  const before = [seed, peer].map(cpuSeconds);
  const startedMs = performance.now();
  await runDfget(peer, output);
  const seconds = (performance.now() - startedMs) / 1000;
  const cpu = [seed, peer].map((daemon, index) => (cpuSeconds(daemon) - (before[index] ?? 0)).toFixed(1));
  const rss = [seed, peer].map(({ pid }) => Math.round(peakRssBytes(pid) / 2 ** 20));
  for (const [name, { sha256 }] of files) {
    if ((await sha256OfFile(join(output, name))) !== sha256) throw new Error(`${name} is not the content`);
  }
  const rate = Math.round(files.size / seconds);
  console.log(`| ${run} | ${seconds.toFixed(1)} | ${rate} | ${cpu.join(', ')} | ${rss.join(', ')} |`);
}

async function runDfget({ socket }: BenchDaemon, output: string): Promise<void> {
  const many = ['--max-files', String(files.size), '--max-concurrent-requests', values['at-once']];
  const args = ['hf://Owner/Name/', '--recursive', '-O', output, '-e', socket, '--hf-base-url', origin.url, ...many];
  const child = spawn(dfget, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`dfget ended with ${code}`);
}

function cpuSeconds({ pid }: BenchDaemon): number {
  return cpuSecondsOf(pid);
}
