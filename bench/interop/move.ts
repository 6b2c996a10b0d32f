/**
 * Moves a running cluster of the original over to ours part by part, under a steady load of downloads, and back again.
 *
 *   node bench/interop/move.ts --binaries DIR [--daemons ours] [--peers 5] [--keep]
 *
 * Manager, two schedulers, a seed peer, peers. No download may fail, and no file may leave the origin a second time.
 * With `--daemons ours` only manager and schedulers move.
 */
import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { clusterDirectory } from './cluster-directory.ts';
import { Load } from './load.ts';
import { MixedCluster } from './mixed-cluster.ts';
import type { Kind } from './part.ts';

/** Between two steps; the parts of the original look for each other every ten seconds here. */
const settleMs = 25_000;

const { values } = parseArgs({
  options: {
    binaries: { type: 'string' },
    daemons: { type: 'string', default: 'original' },
    peers: { type: 'string', default: '5' },
    keep: { type: 'boolean', default: false },
  },
});
if (values.binaries === undefined) throw new Error('--binaries: the directory with the programs of the original');
const daemons: Kind = values.daemons === 'ours' ? 'ours' : 'original';

await using directory = await clusterDirectory('df-move-', values.keep);
const mix = { manager: 'original', scheduler: 'original', seed: daemons, peers: daemons } as const;
const options = {
  mix,
  binaries: values.binaries,
  directory: directory.path,
  schedulers: 2,
  peers: Number(values.peers),
};
await using cluster = await MixedCluster.start(options);
const load = new Load(cluster);
load.start();
await delay(settleMs);
for (const kind of ['ours', 'original'] as const) {
  await step(`manager → ${kind}`, () => cluster.manager.replace(kind, kind === 'ours' ? importInto : undefined));
  for (const scheduler of cluster.schedulers) {
    await step(`${scheduler.name} → ${kind}`, () => scheduler.replace(kind));
  }
  if (daemons === 'ours') continue;
  await step(`seed → ${kind}`, () => cluster.seed.part.replace(kind));
  for (const peer of cluster.peers) {
    await step(`${peer.part.name} → ${kind}`, () => load.without(peer, () => peer.part.replace(kind)));
  }
}
await load[Symbol.asyncDispose]();
const copies = await Promise.all(load.files.map((file) => cluster.copies(file)));
const twice = load.files.flatMap(({ urlPath }, index) =>
  (copies[index] ?? 0) > 1.01 ? [`${urlPath} ${copies[index]?.toFixed(2)}`] : [],
);
console.log(`${load.downloads} downloads of ${load.files.length} files, ${load.failures.length} failed`);
for (const failure of load.failures) console.log(failure);
console.log(`more than one copy: ${twice.length === 0 ? 'none' : twice.join(', ')}`);
process.exitCode = load.failures.length + twice.length > 0 ? 1 : 0;

/** What the manager of the original knows is taken over; on the way back it finds its own database as it left it. */
async function importInto(config: string, original: string): Promise<void> {
  await promisify(execFile)(cluster.manager.programPath('manager'), ['--config', config, 'import', original]);
}

async function step(name: string, work: () => Promise<void>): Promise<void> {
  const before = load.files.length;
  await work();
  await delay(settleMs);
  console.log(
    new Date().toISOString(),
    name,
    `files ${before} … ${load.files.length - 1}`,
    `${load.failures.length} failures so far`,
  );
}
