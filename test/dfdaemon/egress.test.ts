/** A user names URLs: none of them leads to the services of the cluster. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';

describe('a download', { timeout: 400_000 }, () => {
  let swarm: LocalSwarm;
  let origin: HttpOrigin;
  let daemon: Daemon;
  let scheduler: string;

  before(async () => {
    [swarm, origin] = [await LocalSwarm.create(), await HttpOrigin.start()];
    scheduler = await swarm.startScheduler();
    daemon = await swarm.startDaemon('asked', {
      yaml: 'metrics: 127.0.0.1:0',
      adjust: (config) => ({ ...config, proxy: { ...config.proxy, enable: true } }),
    });
  });
  after(async () => {
    await swarm[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
  });

  test('never reaches the scheduler', async () => {
    await assert.rejects(swarm.download(daemon, { url: `http://${scheduler}/x` }), { code: 'PERMISSION_DENIED' });
  });

  for (const name of ['peer', 'upload', 'proxy', 'health', 'metrics'] as const) {
    test(`never reaches the ${name} port of its own daemon`, async () => {
      const url = `http://${daemon.service.addresses[name]}/x`;
      await assert.rejects(swarm.download(daemon, { url }), { code: 'PERMISSION_DENIED' });
    });
  }

  test('reaches an origin on another port of the same machine', async () => {
    const content = Buffer.from('content');
    const receipt = await swarm.download(daemon, { url: origin.add('/open', { content }) });
    assert.equal(receipt.bytesFromOrigin, content.length);
  });
});
