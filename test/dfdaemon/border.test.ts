/** What a daemon offers to other nodes, and what it does not. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { createClient } from '../../src/rpc/client.ts';
import { isServing } from '../../src/rpc/server/health.ts';
import { DfdaemonUploadDefinition, DownloadTaskRequest } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { DfdaemonLocalDefinition } from '../../gen/dfdaemon/v2/local.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { waitFor } from '../support/wait-for.ts';

const content = Buffer.alloc(5_000_000, 'border ');

describe('the ports of a daemon', { timeout: 120_000 }, () => {
  let swarm: LocalSwarm;
  let origin: HttpOrigin;
  const cleanup = new AsyncDisposableStack();

  before(async () => {
    [swarm, origin] = [cleanup.use(await LocalSwarm.create()), cleanup.use(await HttpOrigin.start())];
  });
  after(() => cleanup.disposeAsync());

  test('DF2-12 another node can name no path, neither for a download nor for an export', async () => {
    const daemon = await swarm.startDaemon('paths');
    const url = origin.add('/paths', { content });
    await swarm.download(daemon, { url });
    const peer = daemon.service.addresses['peer'] ?? '';
    const outputPath = swarm.directory.join('written-from-afar');
    const remote = createClient(DfdaemonUploadDefinition, swarm.channels, peer);
    const answers = remote.downloadTask(
      DownloadTaskRequest.fromPartial({ download: { url, priority: 6, outputPath } }),
    );
    await assert.rejects(toTheEnd(answers), { code: 'PERMISSION_DENIED' });
    const [{ taskId } = { taskId: '' }] = (await swarm.client(daemon).listLocalTasks({})).tasks;
    const local = createClient(DfdaemonLocalDefinition, swarm.channels, peer);
    const wanted = { taskId, outputPath, overwrite: true, forceHardLink: false, needContent: false };
    await assert.rejects(toTheEnd(local.exportLocalTask(wanted)), { code: 'UNSUPPORTED' });
    assert.equal(existsSync(outputPath), false);
  });

  test('a removal is told to the scheduler, which sends nobody here any more', async () => {
    await swarm.startScheduler();
    const daemon = await swarm.startDaemon('remover');
    const client = swarm.client(daemon);
    for (const verb of ['deleteLocalTask', 'deleteTask'] as const) {
      await swarm.download(daemon, { url: origin.add(`/${verb}`, { content }) });
      const [{ taskId } = { taskId: '' }] = (await client.listLocalTasks({})).tasks;
      assert.equal((await client.statTask({ taskId })).peerCount, 1);
      await client[verb]({ taskId });
      assert.deepEqual((await client.listLocalTasks({})).tasks, []);
      const known = await client.statTask({ taskId }).catch(() => undefined);
      assert.equal(known?.peerCount ?? 0, 0, verb);
    }
  });

  test('say that they serve when a scheduler has taken the node, or when there is none to wait for', async () => {
    const address = await swarm.startScheduler();
    await swarm.stopScheduler(address);
    const serves = ({ service }: Daemon): Promise<boolean> =>
      isServing(swarm.channels, service.addresses['peer'] ?? '', AbortSignal.timeout(5000));
    assert.equal(await serves(await swarm.startDaemon('lone', { schedulers: [] })), true);
    const waiting = await swarm.startDaemon('waiting', { schedulers: [address] });
    assert.equal(await serves(waiting), false);
    await swarm.startScheduler(Number(address.split(':').at(-1)));
    await waitFor('the daemon to serve', () => serves(waiting));
    await swarm.stopScheduler(address);
    await waitFor('the daemon to be not ready', async () => !(await serves(waiting)));
  });

  test('are reached over IPv6 and IPv4 where that is enabled', async () => {
    const daemon = await swarm.startDaemon('six', {
      adjust: (config) => ({
        ...config,
        network: { enableIPv6: true },
        upload: { ...config.upload, tcpListen: { ...config.upload.tcpListen, listen: '0.0.0.0' } },
      }),
    });
    const port = Number(daemon.service.addresses['upload']?.split(':').at(-1));
    for (const host of ['::1', '127.0.0.1']) {
      const socket = connect({ host, port });
      await once(socket, 'connect');
      socket.destroy();
    }
  });
});

test('receipts and metrics tell of waits, parents and their zone, and memory', { timeout: 120_000 }, async () => {
  await using swarm = await LocalSwarm.create();
  await using origin = await HttpOrigin.start();
  await swarm.startScheduler();
  const idc = (value: string) => ({
    adjust: (config: Config) => ({ ...config, host: { ...config.host, idc: value } }),
  });
  const [parent, near, far] = [
    await swarm.startDaemon('parent', idc('east')),
    await swarm.startDaemon('near', idc('east')),
    await swarm.startDaemon('far', { ...idc('west'), yaml: 'bufferMemory: 10Mi' }),
  ];
  const url = origin.add('/zones', { content });
  await swarm.download(parent, { url });
  const receipt = await swarm.download(near, { url });
  assert.equal(receipt.bytesFromOrigin, 0);
  assert.ok(receipt.waits >= 1, 'nobody could be asked before the scheduler had named a parent');
  assert.ok((receipt.waited?.seconds ?? 0) > 0 || (receipt.waited?.nanos ?? 0) > 0);
  await swarm.download(far, { url });

  const metricsOf = (daemon: typeof near): Promise<string> => daemon.service.registry.metrics();
  const given = (text: string, zone: string): number =>
    Number(new RegExp(`parent_traffic\\{parent="127.0.0.1",zone="${zone}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
  const [nearText, farText] = [await metricsOf(near), await metricsOf(far)];
  assert.equal(given(nearText, 'same'), content.length);
  assert.equal(given(farText, 'other') + given(farText, 'same'), content.length);
  assert.match(farText, /buffer_memory_limit_bytes\{use="received"\} 3932160/);
  assert.match(farText, /buffer_memory_bytes\{use="received"\} 0/);
});

async function toTheEnd(answers: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of answers);
}

type Config = Parameters<NonNullable<NonNullable<Parameters<LocalSwarm['startDaemon']>[1]>['adjust']>>[0];
