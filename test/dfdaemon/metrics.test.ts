/** What dashboards of the original show of a daemon, after downloads that went well and badly. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';

async function value(daemon: Daemon, name: string, labels = ''): Promise<number> {
  const text = await daemon.service.registry.getSingleMetricAsString(`dragonfly_dfdaemon_${name}`);
  const line = text.split('\n').find((one) => one.startsWith(`dragonfly_dfdaemon_${name}${labels} `));
  return Number(line?.split(' ').at(-1) ?? 0);
}

test(
  'downloads, failures, pieces and traffic are counted, those of a seed under its own names too',
  { timeout: 60_000 },
  async () => {
    await using swarm = await LocalSwarm.create();
    await using origin = await HttpOrigin.start();
    await swarm.startScheduler();
    const seed = await swarm.startDaemon('seed', { seed: true });
    const peer = await swarm.startDaemon('peer');
    const content = Buffer.alloc(9 * 2 ** 20, 7);
    const url = origin.add('/counted', { content });
    await swarm.download(peer, { url });
    await swarm.download(peer, { url });
    const broken = origin.add('/broken', { content, status: 404 });
    await assert.rejects(swarm.download(peer, { url: broken }));

    assert.equal(await value(peer, 'piece_task_total'), 3);
    assert.equal(await value(peer, 'peer_task_total'), 1);
    assert.equal(await value(peer, 'peer_task_cache_hit_total'), 1);
    assert.equal(await value(peer, 'peer_task_failed_total', '{type="source"}'), 1);
    assert.equal(await value(peer, 'download_traffic', '{type="remote_peer"}'), content.length);
    assert.equal(await value(peer, 'concurrent_download_task_total'), 0);
    assert.equal(await value(seed, 'seed_peer_download_traffic', '{type="back_to_source"}'), content.length);
    assert.equal(await value(seed, 'seed_peer_download_total'), 1);
  },
);
