/** What is asked of every mix. A check throws when something is wrong, and returns the copies that left the origin. */
import { setTimeout as delay } from 'node:timers/promises';
import { taskId } from '../../src/core/ids.ts';
import { byProxy, dfget, dfgetAll } from './download.ts';
import { pushImage } from './image.ts';
import { errorsOf, told } from './jobs.ts';
import type { Mix, MixedCluster, OriginFile } from './mixed-cluster.ts';

const mebibyte = 2 ** 20;

export interface Check {
  readonly name: string;
  /** Copies that may leave the origin. */
  readonly maxCopies: number;
  /** Each peer of the original fetches the rest from the origin as soon as it has lost the scheduler, whoever's that is. */
  readonly losesScheduler?: boolean;
  readonly run: (cluster: MixedCluster) => Promise<number>;
}

/** The same URL has to be the same task for both kinds. */
async function preheated(cluster: MixedCluster, file: OriginFile): Promise<void> {
  const id = taskId({ url: file.url });
  const preheat = await cluster.jobs.run('preheat', { type: 'file', url: file.url });
  if (preheat.state !== 'SUCCESS') throw new Error(`preheat: ${errorsOf(preheat)}`);
  if ((await cluster.copies(file)) < 1) throw new Error('preheat: the origin sent nothing');
  const found = await cluster.jobs.run('get_task', { task_id: id });
  if (told(found, 'peers').length === 0) throw new Error(`get_task found nobody: ${JSON.stringify(found.result)}`);
  await dfgetAll(cluster, file);
  const deleted = await cluster.jobs.run('delete_task', { task_id: id });
  if (deleted.state !== 'SUCCESS') throw new Error(`delete_task: ${errorsOf(deleted)}`);
  const left = await cluster.jobs.run('get_task', { task_id: id });
  if (told(left, 'peers').length > 0) throw new Error(`${told(left, 'peers').length} nodes still hold it`);
}

/**
 * Blobs have two ids, by digest and by URL, as `registryMirror.enableTaskIDBasedBlobDigest` of a cluster says. Nobody tells the one who
 * preheats: those of the original preheat by URL, ours by digest where no daemon of the original is.
 */
function preheatsByDigest({ manager, scheduler, seed, peers }: Mix): boolean {
  return manager === 'ours' || (scheduler === 'ours' && seed === 'ours' && peers === 'ours');
}

/** A cluster in use, which has seen how its proxies name blobs. */
async function pulledBefore({ origin, peers: [peer] }: MixedCluster): Promise<void> {
  const { blobs } = await pushImage(origin, 'team/before', [20 * mebibyte]);
  if (peer) for (const blob of blobs) await byProxy(peer, blob);
}

/** Its layers are there for whoever runs it then, by way of the proxy as container engines do. */
async function imagePreheated(cluster: MixedCluster): Promise<number> {
  const { url, blobs } = await pushImage(cluster.origin, 'team/app', [20 * mebibyte, 5 * mebibyte]);
  const copies = async (): Promise<number[]> => Promise.all(blobs.map((blob) => cluster.copies(blob)));
  const asPreheated = { 'x-dragonfly-enable-task-id-based-blob-digest': String(preheatsByDigest(cluster.mix)) };
  const header = cluster.blobsByDigest === undefined ? asPreheated : {};
  if (cluster.blobsByDigest !== undefined) await pulledBefore(cluster);
  const preheat = await cluster.jobs.run('preheat', { type: 'image', url, scope: 'all_seed_peers' });
  if (preheat.state !== 'SUCCESS') throw new Error(`preheat: ${errorsOf(preheat)}`);
  const layers = (await copies()).slice(1);
  if (layers.some((sent) => sent < 1))
    throw new Error(`preheat: the origin sent ${layers.join(' and ')} of the layers`);
  for (const peer of cluster.peers) for (const blob of blobs) await byProxy(peer, blob, header);
  return Math.max(...(await copies()).slice(1)); // the configuration has a few bytes, which each node compares with the origin
}

/** A seed peer of the original fetches so many pieces at once, each over a connection of its own. */
const originalConnections = 16;

/** Half-way through a download that takes the origin 13 s. */
async function disturbed(cluster: MixedCluster, name: string, disturb: () => Promise<void>): Promise<number> {
  const connections = cluster.seed.part.kind === 'original' ? originalConnections : 1;
  const file = await cluster.file(name, connections * 64 * mebibyte, { slow: true });
  const downloads = dfgetAll(cluster, file);
  await Promise.all([downloads, delay(5_000).then(disturb)]);
  return cluster.copies(file);
}

export const checks: readonly Check[] = [
  {
    name: '200 MiB to three peers',
    maxCopies: 1.01,
    run: async (cluster) => {
      const file = await cluster.file('cold.bin', 200 * mebibyte);
      await dfgetAll(cluster, file);
      return cluster.copies(file);
    },
  },
  {
    name: 'proxy',
    maxCopies: 1.01,
    run: async (cluster) => {
      const file = await cluster.file('proxy.bin', 50 * mebibyte);
      for (const peer of cluster.peers) await byProxy(peer, file);
      return cluster.copies(file);
    },
  },
  {
    name: 'preheat, get_task, delete_task',
    maxCopies: 1.01,
    run: async (cluster) => {
      const file = await cluster.file('preheat.bin', 20 * mebibyte);
      await preheated(cluster, file);
      return cluster.copies(file);
    },
  },
  { name: 'preheat of an image', maxCopies: 1.01, run: imagePreheated },
  ...(['manager', 'scheduler', 'seed', 'peer'] as const).map((name) => ({
    name: `${name} restarted`,
    maxCopies: 1.01,
    run: async (cluster: MixedCluster) => {
      const [first] = cluster.peers;
      const [scheduler] = cluster.schedulers;
      const part = { manager: cluster.manager, scheduler, seed: cluster.seed.part, peer: first?.part }[name];
      await part?.stop();
      await part?.start();
      // Daemons of the original announce themselves every ten seconds here, and look for seed peers as often.
      if (name !== 'peer') await delay(12_000);
      const file = await cluster.file(`after-${name}.bin`, 50 * mebibyte);
      await dfgetAll(cluster, file);
      return cluster.copies(file);
    },
  })),
  {
    name: 'scheduler killed half-way',
    // Each node compares a part of what others gave it with the origin.
    maxCopies: 1.02,
    losesScheduler: true,
    run: (cluster) =>
      disturbed(cluster, 'killed.bin', async () => {
        const [scheduler] = cluster.schedulers;
        await scheduler?.kill();
        await scheduler?.start();
      }),
  },
  {
    name: 'streams cut half-way',
    // Each node compares a part of what others gave it with the origin.
    maxCopies: 1.02,
    losesScheduler: true,
    run: async (cluster) => {
      await delay(12_000);
      return disturbed(cluster, 'cut.bin', async () => {
        for (const relay of cluster.relays) relay.cut();
        await Promise.resolve();
      });
    },
  },
  {
    name: 'held content after all that',
    maxCopies: 1.01,
    run: async (cluster) => {
      const [first] = cluster.peers;
      const file = await cluster.file('last.bin', 20 * mebibyte);
      await delay(12_000);
      if (first) await dfget(first, file);
      await dfgetAll(cluster, file);
      return cluster.copies(file);
    },
  },
];
