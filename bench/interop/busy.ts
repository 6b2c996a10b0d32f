/** Something of everything that a dashboard shows, for half a minute. */
import { setTimeout as delay } from 'node:timers/promises';
import { byProxy, dfget, dfgetAll } from './download.ts';
import type { MixedCluster } from './mixed-cluster.ts';

const kibibyte = 2 ** 10;
const mebibyte = 2 ** 20;
const rounds = 6;
const pauseMs = 2_000;

export async function makeBusy(cluster: MixedCluster): Promise<void> {
  const missing = { url: `${cluster.origin.url}/status/404`, urlPath: '/status/404', sizeBytes: 0, sha256: '' };
  const [first] = cluster.peers;
  if (!first) throw new Error('a cluster without peers');
  for (let round = 0; round < rounds; round += 1) {
    for (const size of [100 * kibibyte, 2 * mebibyte, 6 * mebibyte, 12 * mebibyte, 24 * mebibyte, 100 * mebibyte]) {
      const file = await cluster.file(`busy-${round}-${size}.bin`, size);
      await dfgetAll(cluster, file);
      await byProxy(first, file);
    }
    // What fails is to be seen, too.
    await dfget(first, missing).catch(() => undefined);
    await byProxy(first, missing).catch(() => undefined);
    await dfget(cluster.seed, await cluster.file(`seed-${round}.bin`, 6 * mebibyte));
    await dfget(cluster.seed, missing).catch(() => undefined);
    const { url } = await cluster.file(`preheat-${round}.bin`, mebibyte);
    await cluster.jobs.run('preheat', { type: 'file', url });
    await delay(pauseMs);
  }
}
