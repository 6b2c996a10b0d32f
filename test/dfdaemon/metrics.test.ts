/** What dashboards of the original show of a daemon, after downloads that went well and badly. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HttpOrigin } from '../support/http-origin.ts';
import { waitFor } from '../support/wait-for.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';

async function value(daemon: Daemon, name: string, labels = '', prefix = 'dragonfly_dfdaemon_'): Promise<number> {
  const text = await daemon.service.registry.getSingleMetricAsString(prefix + name.replace(/_count$/, ''));
  const line = text.split('\n').find((one) => one.startsWith(`${prefix}${name}${labels} `));
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
    // The seed counts at its own end, which may be behind that of the peer.
    const fromOrigin = (): Promise<number> => value(seed, 'seed_peer_download_traffic', '{type="back_to_source"}');
    await waitFor('the seed to have counted', async () => (await fromOrigin()) === content.length);
    assert.equal(await value(seed, 'seed_peer_download_total'), 1);

    // The same under the names that dashboards of the client in Rust read.
    const client = (name: string, labels = '', daemon = peer) => value(daemon, name, labels, 'dragonfly_client_');
    const task = '{type="0",tag="",app="",priority="6"}';
    assert.equal(await client('download_task_total', task), 2);
    assert.equal(await client('download_task_failure_total', task), 1);
    assert.equal(await client('download_traffic', '{type="REMOTE_PEER"}'), content.length);
    assert.equal(await client('download_traffic', '{type="BACK_TO_SOURCE"}', seed), content.length);
    assert.ok((await client('upload_traffic', '', seed)) >= content.length);
    const level = '{task_type="0",task_size_level="4"}';
    assert.equal(await client('download_task_duration_milliseconds_count', level), 1);
    assert.ok((await client('backend_request_total', '{scheme="http",method="GET"}', seed)) >= 1);
    assert.ok((await client('disk_space_total')) > (await client('disk_usage_space_total')));
    assert.ok((await value(peer, 'threads', '', 'process_')) > 1);
  },
);
