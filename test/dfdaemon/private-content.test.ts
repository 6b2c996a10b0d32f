/** What an origin gave to credentials only is for those who have some, whatever port of whichever node they ask. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { parseConfig } from '../../src/core/config/config.ts';
import { taskId } from '../../src/core/ids.ts';
import { dfdaemonConfigSchema } from '../../src/dfdaemon/config.ts';
import { encodeRequest, tags } from '../../src/dfdaemon/transport/vortex.ts';
import { createClient } from '../../src/rpc/client.ts';
import { DfdaemonUploadDefinition, SyncPiecesRequest } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { ask, isProbe, serveBody, startOrigin, type Origin } from '../proxy/support/proxy-fixture.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';

const content = Buffer.alloc(6 * 2 ** 20, 'for those who may read it. ');
const digest = createHash('sha256').update(content).digest('hex');
const right = { authorization: 'Bearer right' };

describe('private content', { timeout: 240_000 }, () => {
  const cleanup = new AsyncDisposableStack();
  let swarm: LocalSwarm;
  let origin: Origin;
  let [a, b]: Daemon[] = [];

  before(async () => {
    swarm = cleanup.use(await LocalSwarm.create());
    const give = serveBody(content, { etag: '"one"' });
    origin = cleanup.use(
      await startOrigin((request, response) => {
        const isSigned = request.url?.endsWith('Signature=right') === true;
        if (isSigned || request.headers.authorization === right.authorization) return give(request, response);
        response.writeHead(401, { 'www-authenticate': 'Basic' }).end();
      }),
    );
    await swarm.startScheduler();
    const { config } = parseConfig(dfdaemonConfigSchema, 'proxy: {rules: [{regx: .}]}', 'rules.yaml');
    const { rules } = config.proxy;
    const start = (name: string): Promise<Daemon> =>
      swarm.startDaemon(name, { adjust: (own) => ({ ...own, proxy: { ...own.proxy, rules } }) });
    [a, b] = [await start('a'), await start('b')];
  });
  after(() => cleanup.disposeAsync());

  const portOf = (daemon: Daemon | undefined, name: string): number =>
    Number(daemon?.service.addresses[name]?.split(':').at(-1));
  const bodies = (): number =>
    origin.seen.filter(
      ({ url, headers }) => (headers.authorization ?? url.includes('=right')) && !isProbe(headers.range),
    ).length;

  async function syncPieces(daemon: Daemon | undefined, id: string): Promise<string> {
    const node = createClient(DfdaemonUploadDefinition, swarm.channels, daemon?.service.addresses['peer'] ?? '');
    const request = SyncPiecesRequest.fromPartial({ taskId: id, hostId: 'stranger', interestedPieceNumbers: [0] });
    try {
      for await (const _ of node.syncPieces(request)) return 'told';
    } catch (error) {
      return (error as { code: string }).code;
    }
    return 'ended';
  }

  async function piece(daemon: Daemon | undefined, id: string): Promise<Buffer> {
    const socket = connect(portOf(daemon, 'upload'), '127.0.0.1');
    socket.end(encodeRequest(tags.downloadPiece, id, 0));
    const blocks: Buffer[] = [];
    socket.on('data', (block: Buffer) => blocks.push(block));
    await once(socket, 'close');
    return Buffer.concat(blocks);
  }

  async function requireHidden(id: string): Promise<void> {
    for (const daemon of [a, b]) {
      assert.equal(await syncPieces(daemon, id), 'PERMISSION_DENIED');
      const bytes = await piece(daemon, id);
      assert.equal(bytes.includes('for those who'), false, `${bytes.length} bytes`);
    }
  }

  for (const path of ['/file', `/v2/team/app/blobs/sha256:${digest}`]) {
    test(`${path}, fetched through proxies`, async () => {
      assert.ok(a && b);
      const url = origin.url + path;
      const id = taskId({ url });
      const before = bodies();
      for (const daemon of [a, b]) {
        const answer = await ask({ port: portOf(daemon, 'proxy') }, url, { headers: right });
        assert.equal(answer.status, 200);
        assert.ok(answer.body.equals(content));
      }
      assert.equal(bodies() - before, 1, 'the second one had it from the first');
      await requireHidden(id);
      for (const daemon of [a, b])
        await assert.rejects(swarm.download(daemon, { url }), { code: 'SOURCE_STATUS' }, daemon.name);
      const c = await swarm.startDaemon(`c-${path.length}`);
      await assert.rejects(swarm.download(c, { url }), { code: 'SOURCE_STATUS' });
      await swarm.stopDaemon(c.name);
    });
  }

  test('fetched by a user with a token', async () => {
    assert.ok(a && b);
    const url = `${origin.url}/by-token`;
    const before = bodies();
    for (const daemon of [a, b]) await swarm.download(daemon, { url, requestHeader: right });
    assert.equal(bodies() - before, 1, 'the second one had it from the first');
    const { tasks } = await swarm.client(a).listLocalTasks({});
    for (const { taskId: id, finishedAt } of tasks) if (finishedAt) await requireHidden(id);
    await assert.rejects(swarm.download(b, { url }), { code: 'SOURCE_STATUS' });
  });

  const blob = `/v2/team/app/blobs/sha256:${digest}`;
  const signed = (by: string): string => `/signed?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=${by}`;

  for (const [name, path, honest, invented] of [
    ['a token that the registry does not know', blob, right, { authorization: 'Bearer invented' }],
    ['a signature of his own making', signed, {}, {}],
  ] as const) {
    test(`${name} gives a user nothing of what others were given`, async () => {
      assert.ok(a && b);
      const urlOf = (by: string): string => origin.url + (typeof path === 'string' ? path : path(by));
      await swarm.download(a, { url: urlOf('right'), requestHeader: honest });
      for (const daemon of [a, b]) {
        const stolen = swarm.download(daemon, { url: urlOf('invented'), requestHeader: invented });
        await assert.rejects(stolen, { code: 'SOURCE_STATUS' }, daemon.name);
        const before = bodies();
        await swarm.download(daemon, { url: urlOf('right'), requestHeader: honest });
        assert.ok(bodies() - before <= 1, 'a user with the right is given it, after one question');
      }
    });
  }

  test('an origin that says yes to everybody opens no content that it does not have', async () => {
    assert.ok(a);
    await swarm.download(a, { url: origin.url + blob, requestHeader: right });
    const own = Buffer.alloc(content.length, 'not the content of that digest. ');
    const accomplice = cleanup.use(await startOrigin(serveBody(own, { etag: '"own"' })));
    const stolen = swarm.download(a, { url: accomplice.url + blob, requestHeader: { authorization: 'Bearer own' } });
    await assert.rejects(stolen, { code: 'DIGEST_MISMATCH' });
  });

  test('what anybody is given stays open to nodes of the original', async () => {
    assert.ok(a);
    const free = await startOrigin(serveBody(content));
    const url = `${free.url}/free`;
    await swarm.download(a, { url });
    assert.equal(await syncPieces(a, taskId({ url })), 'told');
    assert.ok((await piece(a, taskId({ url }))).includes('for those who'));
    await free[Symbol.asyncDispose]();
  });
});
