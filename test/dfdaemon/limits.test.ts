/** The configured rates hold, for each of the ways bytes move. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { taskId } from '../../src/core/ids.ts';
import type { DfdaemonConfig } from '../../src/dfdaemon/config.ts';
import { Download } from '../../gen/common/v2/common.ts';
import { DownloadTaskRequest } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { waitFor } from '../support/wait-for.ts';

const mebibyte = 2 ** 20;
const rate = 16 * mebibyte;
const content = randomBytes(32 * mebibyte);

/** A bucket of a tenth of a second, and the last block, which is paid after it has moved. */
const unpaid = rate / 10 + mebibyte;

describe('rate limits', { timeout: 400_000 }, () => {
  let swarm: LocalSwarm;
  let origin: HttpOrigin;
  let count = 0;

  before(async () => {
    [swarm, origin] = [await LocalSwarm.create(), await HttpOrigin.start()];
    await swarm.startScheduler();
  });
  after(async () => {
    await swarm[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
  });

  const newUrl = (): string => origin.add(`/file-${(count += 1)}`, { content });

  /** Never more than the rate, whatever the machine does; and not so little that something else must be the limit. */
  async function assertRate(bytes: number, move: () => Promise<unknown>): Promise<void> {
    const startedMs = performance.now();
    await move();
    const seconds = (performance.now() - startedMs) / 1000;
    const measured = `${(bytes / seconds / mebibyte).toFixed(1)} MiB/s of ${rate / mebibyte}`;
    assert.ok((bytes - unpaid) / seconds <= rate * 1.02, measured);
    assert.ok(bytes / seconds >= rate / 20, measured);
  }

  const start = (download: Partial<DfdaemonConfig['download']>): Promise<Daemon> =>
    swarm.startDaemon(`daemon-${(count += 1)}`, {
      adjust: (config) => ({ ...config, download: { ...config.download, ...download } }),
    });

  /** Looks from outside: a reader would be somebody who waits. */
  async function isWhole(daemon: Daemon, url: string): Promise<boolean> {
    const { finishedAt } = await swarm.client(daemon).statLocalTask({ taskId: taskId({ url }) });
    return finishedAt !== undefined;
  }

  test('of everything a host uploads, to two children at once', async () => {
    const url = newUrl();
    const parent = await swarm.startDaemon('uploader', {
      adjust: (config) => ({ ...config, upload: { ...config.upload, rateLimit: rate } }),
    });
    await swarm.download(parent, { url });
    const children = [await start({}), await start({})];
    await assertRate(content.length, async () => {
      const receipts = await Promise.all(children.map((child) => swarm.download(child, { url })));
      assert.equal(
        receipts.reduce((sum, receipt) => sum + receipt.bytesFromOrigin, 0),
        0,
      );
    });
  });

  test('of one task from its origin, while another has its own', async () => {
    const daemon = await start({ perPeerRateLimit: rate });
    const urls = [newUrl(), newUrl()];
    await assertRate(content.length, () => Promise.all(urls.map((url) => swarm.download(daemon, { url }))));
  });

  test('of all tasks, from peers and from origins together', async () => {
    const [held, fresh] = [newUrl(), newUrl()];
    await swarm.download(await start({}), { url: held });
    const daemon = await start({ totalRateLimit: rate });
    await assertRate(2 * content.length, async () => {
      const [fromPeer] = await Promise.all([held, fresh].map((url) => swarm.download(daemon, { url })));
      assert.equal(fromPeer?.bytesFromOrigin, 0);
    });
  });

  test('of one task, from peers', async () => {
    const url = newUrl();
    await swarm.download(await start({}), { url });
    const daemon = await start({ perPeerRateLimit: rate });
    await assertRate(content.length, () => swarm.download(daemon, { url }));
  });

  test('of one download, as its caller asks, until another comes who has no patience', async () => {
    const url = newUrl();
    await swarm.download(await start({}), { url });
    const daemon = await start({});
    const ask = async (rateLimit?: number): Promise<void> => {
      const request = DownloadTaskRequest.fromPartial({ download: { url, enableTaskIdBasedBlobDigest: true } });
      for await (const _progress of swarm.client(daemon).downloadTask({ ...request, rateLimit })) continue;
    };
    await assertRate(content.length, () => ask(rate));
    await swarm.client(daemon).deleteLocalTask({ taskId: taskId({ url }) });
    const patient = ask(1024); // hours
    await ask();
    await patient;
  });

  test("cost no piece its deadline: the time a limit takes is not the parent's fault", async () => {
    const url = origin.add('/two-pieces', { content: content.subarray(0, 8 * mebibyte) });
    await swarm.download(await start({}), { url });
    // A piece takes two seconds at least: so long a busy machine keeps no answer waiting.
    const daemon = await start({ perPeerRateLimit: 2 * mebibyte, pieceDownloadTimeout: 1800 });
    const receipt = await swarm.download(daemon, { url });
    assert.equal(receipt.retries, 0);
    assert.equal(receipt.bytesFromOrigin, 0);
  });

  test('of what comes from origins', async () => {
    const daemon = await start({ backToSourceRateLimit: rate });
    await assertRate(content.length, () => swarm.download(daemon, { url: newUrl() }));
  });

  test('of what nobody waits for yet', async () => {
    const daemon = await swarm.startDaemon('prefetching', {
      adjust: (config) => ({ ...config, proxy: { ...config.proxy, prefetchBandwidthLimit: rate } }),
    });
    const url = origin.add('/prefetched', { content, gated: true });
    const request = { url, range: { start: 0, length: 10 }, prefetch: true, enableTaskIdBasedBlobDigest: true };
    const before = 5 * mebibyte; // the piece of the range, and a little
    origin.release('/prefetched', before);
    for await (const { response } of swarm.client(daemon).downloadTask({ download: Download.fromPartial(request) }))
      if (response?.$case === 'downloadPieceFinishedResponse') break; // the reader leaves
    // Calls of one connection arrive in order: once these are answered, the daemon knows that the reader has left.
    for (let calls = 0; calls < 3; calls += 1) assert.equal(await isWhole(daemon, url), false);
    await assertRate(content.length - before, () => {
      origin.release('/prefetched', Infinity);
      return waitFor('the rest of the content', () => isWhole(daemon, url));
    });
  });

  test('sampling moves everything, whoever is slow', async () => {
    const daemon = await start({ totalRateLimit: rate, trafficShaperType: 'sampling' });
    const slow = origin.add('/slow', { content, gated: true });
    const moving = swarm.download(daemon, { url: slow });
    origin.release('/slow', mebibyte);
    await assertRate(content.length, () => swarm.download(daemon, { url: newUrl() }));
    origin.release('/slow', Infinity);
    await moving;
  });
});
