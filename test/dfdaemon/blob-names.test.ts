/** A blob has two ids, by digest and by URL: what a node holds under one it gives under the other, once it has read that it is the same. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { parseConfig } from '../../src/core/config/config.ts';
import { taskId } from '../../src/core/ids.ts';
import { dfdaemonConfigSchema } from '../../src/dfdaemon/config.ts';
import { createClient } from '../../src/rpc/client.ts';
import { Download } from '../../gen/common/v2/common.ts';
import { DfdaemonUploadDefinition } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { ask, isProbe, serveBody, startOrigin } from '../proxy/support/proxy-fixture.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { OriginalScheduler } from '../support/original-scheduler.ts';

const byUrl = { enableTaskIdBasedBlobDigest: false };

describe('two ids of a blob', { timeout: 240_000 }, () => {
  const cleanup = new AsyncDisposableStack();
  let swarm: LocalSwarm;
  let origin: HttpOrigin;
  let scheduler: OriginalScheduler;
  let seed: Daemon;
  let outputs = 0;

  before(async () => {
    swarm = cleanup.use(await LocalSwarm.create());
    origin = cleanup.use(await HttpOrigin.start());
    scheduler = cleanup.use(await OriginalScheduler.start());
    seed = await swarm.startDaemon('seed', { schedulers: [scheduler.address] });
  });
  after(() => cleanup.disposeAsync());

  const blob = (content = randomBytes(5 * 2 ** 20)) => {
    const digest = createHash('sha256').update(content).digest('hex');
    const path = `/v2/team/app/blobs/sha256:${digest}`;
    return { content, digest, path, url: origin.add(path, { content }) };
  };
  /** Requests for the content; those for its length alone ask for one byte. */
  const copies = (path: string): number => origin.requestsFor(path).filter(({ range }) => range !== 'bytes=0-0').length;
  const fetch = async (url: string, more: Parameters<typeof Download.fromPartial>[0] = {}): Promise<Buffer> => {
    const outputPath = swarm.directory.join(`out-${(outputs += 1)}`);
    await swarm.download(seed, { url, outputPath, ...more });
    return readFileSync(outputPath);
  };

  test('a seed that was told to fetch by URL has it by digest, and says so to the scheduler that asks', async () => {
    const { content, digest, path, url } = blob();
    const upload = createClient(DfdaemonUploadDefinition, swarm.channels, seed.service.addresses['peer'] ?? '');
    const trigger = async (enableTaskIdBasedBlobDigest: boolean): Promise<void> => {
      const download = Download.fromPartial({ url, priority: 6, needBackToSource: true, enableTaskIdBasedBlobDigest });
      for await (const _progress of upload.downloadTask({ download })) continue;
    };
    await trigger(false);
    await trigger(true);
    assert.equal(scheduler.holdersOf(taskId({ url, blobDigestAsId: false })), 1);
    assert.equal(scheduler.holdersOf(digest), 1);
    assert.deepEqual(await fetch(url), content);
    assert.equal(copies(path), 1);
  });

  test('and the other way round, for whoever says which digest he wants', async () => {
    const { content, digest, path, url } = blob();
    await fetch(url);
    assert.deepEqual(await fetch(url, { ...byUrl, digest: `sha256:${digest}` }), content);
    assert.equal(copies(path), 1);
  });

  test('many who ask at once wait for one copy', async () => {
    const { content, path, url } = blob();
    await fetch(url, byUrl);
    const got = await Promise.all(Array.from({ length: 5 }, () => fetch(url)));
    assert.ok(got.every((each) => each.equals(content)));
    assert.equal(copies(path), 1);
  });

  test('what a registry gave by URL is not taken for what the digest names', async () => {
    const { content, path, url } = blob();
    origin.add(path, { content: randomBytes(content.length) });
    await fetch(url, byUrl);
    origin.add(path, { content });
    assert.deepEqual(await fetch(url), content);
    assert.equal(copies(path), 2);
  });

  test('what credentials were needed for is not given to those without', async () => {
    const content = randomBytes(2 ** 20);
    const digest = createHash('sha256').update(content).digest('hex');
    const give = serveBody(content);
    const right = { authorization: 'Bearer right' };
    await using registry = await startOrigin((request, response) => {
      if (request.headers.authorization === right.authorization) return give(request, response);
      response.writeHead(401, { 'www-authenticate': 'Basic' }).end();
    });
    const { config } = parseConfig(dfdaemonConfigSchema, 'proxy: {rules: [{regx: .}]}', 'rules.yaml');
    const { rules } = config.proxy;
    const node = await swarm.startDaemon('node', { adjust: (own) => ({ ...own, proxy: { ...own.proxy, rules } }) });
    const port = Number(node.service.addresses['proxy']?.split(':').at(-1));
    const url = `${registry.url}/v2/team/app/blobs/sha256:${digest}`;
    for (const named of ['false', 'true']) {
      const headers = { ...right, 'x-dragonfly-enable-task-id-based-blob-digest': named };
      assert.ok((await ask({ port }, url, { headers })).body.equals(content));
      for (const requestHeader of [{}, { authorization: 'Bearer invented' }])
        await assert.rejects(swarm.download(node, { url, requestHeader }), { code: 'SOURCE_STATUS' });
    }
    const bodies = registry.seen.filter(({ headers }) => headers.authorization === right.authorization);
    assert.equal(bodies.filter(({ headers }) => !isProbe(headers.range)).length, 1);
  });
});
