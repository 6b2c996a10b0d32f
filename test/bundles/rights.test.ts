// needs: nginx
/** Nobody is given a file by way of a bundle whom its origin does not give it to, and no bundle has what it is not named by. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { makeBundle, type ListedFile } from '../../src/core/bundle/bundle.ts';
import { textForBundle, textForUrl } from '../../src/core/task-name.ts';
import { defaultFilteredQueryParams } from '../../src/core/net/signed-urls.ts';
import { createClient } from '../../src/rpc/client.ts';
import { Download } from '../../gen/common/v2/common.ts';
import { DfdaemonUploadDefinition, ListTaskEntriesRequest } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import type { Daemon } from '../support/local-swarm.ts';
import { OriginalScheduler } from '../support/original-scheduler.ts';
import { assertHolds, BundleWorld, succeeded, type Files } from './bundle-world.ts';

/** A hub with one repository, for those who have a token. */
class PrivateHub implements AsyncDisposable {
  readonly requests: string[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(files: Files): Promise<PrivateHub> {
    const listing = Object.entries(files).map(([path, content]) => ({
      type: 'file',
      path,
      size: content.length,
      oid: createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex'),
    }));
    const hub: PrivateHub = new PrivateHub(
      createServer(({ url = '', headers }, response) => {
        const name = /\/resolve\/main\/(.*)$/.exec(url)?.[1];
        const content = name === undefined ? Buffer.from(JSON.stringify(listing)) : files[decodeURIComponent(name)];
        const isKnown = headers.authorization === 'Bearer good' || headers.authorization === 'Bearer also';
        // Whoever may list it is told its names; the files are for those alone who may have them.
        if (name !== undefined && !isKnown) return void response.writeHead(401).end();
        if (name !== undefined) hub.requests.push(name);
        const range = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '');
        const part = range ? content?.subarray(Number(range[1]), Number(range[2]) + 1) : content;
        const told = range ? { 'content-range': `bytes ${range[1]}-${range[2]}/${content?.length}` } : {};
        response.writeHead(range ? 206 : 200, { 'accept-ranges': 'bytes', etag: '"1"', ...told }).end(part);
      }),
    );
    hub.#server.listen(0, '127.0.0.1');
    await once(hub.#server, 'listening');
    return hub;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

describe('a bundle', () => {
  let world: BundleWorld;
  let one: Daemon;
  let other: Daemon;

  before(async () => {
    world = await BundleWorld.create();
    one = await world.swarm.startDaemon('one');
    other = await world.swarm.startDaemon('other');
  });
  after(() => world?.[Symbol.asyncDispose]());

  it('of a private repository is for those whom the hub gives it to', async () => {
    const files = BundleWorld.files(60, { odd: false });
    const count = Object.keys(files).length;
    await using hub = await PrivateHub.start(files);
    const source = (token?: string): string[] => [
      'hf://Owner/Private/',
      '--hf-base-url',
      hub.url,
      ...(token === undefined ? [] : ['--hf-token', token]),
    ];
    const output = world.output();
    const [first] = succeeded(await world.dfget(one, source('good'), output));
    await assertHolds(output, files);
    assert.equal(first?.files, count);
    assert.equal(new Set(hub.requests).size, count);
    const fetched = hub.requests.length;
    // Another user with a token of his own shows that the hub gives it to him, too; the bytes are his neighbour's.
    const second = world.output();
    const [shared] = succeeded(await world.dfget(other, source('also'), second));
    await assertHolds(second, files);
    assert.deepEqual([shared?.taskId, shared?.bytesFromOrigin], [first?.taskId, 0]);
    // Those of the files that the bytes lie in which are compared.
    assert.ok(hub.requests.length <= fetched + 8, `${hub.requests.length - fetched} more requests`);
    for (const daemon of [one, other])
      for (const token of ['bad', undefined]) {
        const refused = await world.dfget(daemon, source(token), world.output());
        assert.deepEqual([refused.error?.code, refused.error?.details?.statusCode], ['SOURCE_STATUS', 401], token);
      }
  });

  it('is not fetched under a name that was made of another list, or without a list', async () => {
    const url = `${world.origin.url}/tree/`;
    const listed: ListedFile[] = [{ path: 'a', lengthBytes: 1, validator: '"1"' }];
    const [meant, forged] = [makeBundle(listed), makeBundle([{ path: 'b', lengthBytes: 1, validator: '"1"' }])];
    const text = textForBundle(url, defaultFilteredQueryParams, { listDigest: meant.listDigest, rest: 'x' });
    const address = one.service.addresses['peer'] ?? '';
    const seed = createClient(DfdaemonUploadDefinition, world.swarm.channels, address);
    const plain = textForUrl(url, defaultFilteredQueryParams, 'x');
    for (const [name, bundle] of [
      [text, forged.packed],
      [text, undefined],
      [plain, meant.packed],
      [undefined, meant.packed],
    ] as const) {
      const download = Download.fromPartial({ url, contentForCalculatingTaskId: name, bundle });
      await assert.rejects(
        async () => {
          for await (const _ of seed.downloadTask({ download }, { signal: AbortSignal.timeout(30_000) }));
        },
        { code: 'PERMISSION_DENIED' },
      );
    }
    assert.equal((await world.requests('/tree/')).length, 0);
  });

  it('lies below the URL of a directory, and has no name that its user chose', async () => {
    const { packed } = makeBundle([{ path: 'a', lengthBytes: 1, validator: '"1"' }]);
    for (const path of ['file', 'tree/?x=', 'tree/#x', 'tree/?', 'tree/#', 'tree/ ']) {
      const url = `${world.origin.url}/${path}`;
      await assert.rejects(world.swarm.download(one, { url, bundle: packed }), { code: 'INVALID_ARGUMENT' });
    }
    const chosen = { url: `${world.origin.url}/tree/`, bundle: packed, contentForCalculatingTaskId: 'mine' };
    await assert.rejects(world.swarm.download(one, chosen), { code: 'PERMISSION_DENIED' });
    const odd = { url: `${world.origin.url}/tree/`, bundle: Buffer.from('no list') };
    await assert.rejects(world.swarm.download(one, odd), { code: 'INVALID_ARGUMENT' });
  });

  it('is offered to nobody where a scheduler of the original sends seeds', async () => {
    await using original = await OriginalScheduler.start();
    const daemon = await world.swarm.startDaemon('original', { schedulers: [original.address] });
    const files = BundleWorld.files(30, { odd: false });
    const source = await world.hub('Original', files);
    const listed = async (at: Daemon): Promise<boolean> => {
      const huggingFace = { revision: 'main', baseUrl: world.origin.url };
      const request = ListTaskEntriesRequest.fromPartial({ taskId: 'x', url: 'hf://Owner/Original/', huggingFace });
      return (await world.swarm.client(at).listTaskEntries(request, { signal: AbortSignal.timeout(30_000) })).bundles;
    };
    assert.deepEqual([await listed(one), await listed(daemon)], [true, false]);
    const output = world.output();
    const receipts = succeeded(await world.dfget(daemon, source, output));
    await assertHolds(output, files);
    assert.equal(receipts.length, 30);
    await world.swarm.stopDaemon('original');
  });
});
