/**
 * Attacks of kinds that no other test has, over the roots of what once went wrong: who asks, certificates and roles, what an id stands for, proof, private
 * content, bounds, secrets. Each is a row, tried against running services; it holds when what it is after does not happen.
 */
import assert from 'node:assert/strict';
import { openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseConfig } from '../../src/core/config/config.ts';
import { taskId } from '../../src/core/ids.ts';
import { dfdaemonConfigSchema } from '../../src/dfdaemon/config.ts';
import { encodeRequest, tags } from '../../src/dfdaemon/transport/vortex.ts';
import { createClient } from '../../src/rpc/client.ts';
import { Download } from '../../gen/common/v2/common.ts';
import {
  DfdaemonUploadDefinition,
  SyncPersistentCachePiecesRequest,
  SyncPersistentPiecesRequest,
} from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { AnnouncePeerRequest, SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { ask, serveBody, startOrigin, type Origin } from '../proxy/support/proxy-fixture.ts';
import { announce, hostileParent } from './hostile-parent.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';

const content = Buffer.alloc(3 * 2 ** 20, 'for those who may read it. ');
const right = { authorization: 'Bearer right' };
const secret = 'c0ffee-is-nobodys-business';

interface Lab {
  readonly swarm: LocalSwarm;
  readonly origin: Origin;
  readonly a: Daemon;
  readonly b: Daemon;
}

interface Attack {
  readonly root: string;
  readonly what: string;
  readonly run: (lab: Lab) => Promise<void>;
}

const attacks: readonly Attack[] = [
  {
    root: 'who asks',
    what: 'a header with a line break is another request to the origin',
    run: async ({ swarm, origin, a }) => {
      const url = `${origin.url}/smuggled`;
      for (const requestHeader of [{ 'x-a': 'b\r\n\r\nGET /inner HTTP/1.1\r\nhost: x' }, { 'x-a\r\nx-b': 'c' }])
        await assert.rejects(swarm.download(a, { url, requestHeader }));
      assert.equal(origin.seen.filter(({ url: path }) => path === '/inner').length, 0);
    },
  },
  {
    root: 'who asks',
    what: 'a URL with a line break is another request to the origin',
    run: async ({ swarm, origin, a }) => {
      const url = `${origin.url}/split HTTP/1.1\r\nhost: x\r\n\r\nGET /inner`;
      await swarm.download(a, { url }).catch(() => undefined);
      assert.equal(origin.seen.filter(({ url: path }) => path === '/inner').length, 0);
    },
  },
  {
    root: 'who asks',
    what: 'a registration makes a seed send a second request of the member’s choice',
    run: async ({ swarm, origin }) => {
      const scheduler = createClient(SchedulerDefinition, swarm.channels, swarm.schedulerAddresses[0] ?? '');
      await announce(swarm, 'smuggler', 4321);
      const url = `${origin.url}/by-the-seed`;
      const requestHeader = { 'User-Agent': 'x\r\n\r\nGET /inner HTTP/1.1\r\nhost: x' };
      const request = register(url, 'smuggler', { requestHeader });
      const answers = scheduler.announcePeer(one(request), { signal: AbortSignal.timeout(3000) });
      await first(answers).catch(() => undefined);
      assert.equal(origin.seen.filter(({ url: path }) => path === '/inner').length, 0);
    },
  },
  {
    root: 'who asks',
    what: 'a parent sends its child to a service of the child’s own machine, with words of its choice',
    run: async ({ swarm, origin, b }) => {
      const said: Buffer[] = [];
      await using victim = await listener(
        (socket) => socket.on('data', (block: Buffer) => said.push(block)),
        '127.0.0.9',
      );
      const url = `${origin.url}/led-astray`;
      await using _parent = await hostileParent(
        swarm,
        { url, length: content.length },
        {
          ip: '127.0.0.9',
          tcpPort: victim.port,
          vortexTaskId: 'ab'.repeat(32),
        },
      );
      const outputPath = swarm.directory.join('astray.out');
      await swarm.download(b, { url, outputPath });
      assert.ok(readFileSync(outputPath).equals(content));
      assert.equal(Buffer.concat(said).toString('latin1'), '');
    },
  },
  {
    root: 'identity',
    what: 'a request for a part by a header of the client’s own becomes the whole for everybody',
    run: async ({ swarm, origin, a, b }) => {
      for (const requestHeader of [{ Range: 'bytes=0-9' }, { range: 'bytes=5-' }, { 'If-None-Match': '"one"' }]) {
        const url = `${origin.url}/part-${Object.keys(requestHeader)[0]}`;
        await swarm.download(a, { url, requestHeader }).catch(() => undefined);
        await requireContent(swarm, b, url);
      }
    },
  },
  {
    root: 'identity',
    what: 'a name of another host in the request becomes the content of this one',
    run: async ({ swarm, origin, a, b }) => {
      for (const requestHeader of [
        { Host: 'evil.example' },
        { 'X-Forwarded-Host': 'evil.example' },
        { accept: 'evil' },
      ]) {
        const url = `${origin.url}/vhost-${Object.keys(requestHeader)[0]}`;
        await swarm.download(a, { url, requestHeader }).catch(() => undefined);
        await requireContent(swarm, b, url);
      }
    },
  },
  {
    root: 'identity',
    what: 'what an origin gives to one kind of program becomes the content for others',
    run: async ({ swarm, origin, a, b }) => {
      const url = `${origin.url}/by-agent`;
      await swarm.download(a, { url, requestHeader: { 'User-Agent': 'evil/1' } }).catch(() => undefined);
      await requireContent(swarm, b, url);
    },
  },
  {
    root: 'proof',
    what: 'who has an output of his own writes to it, and so to the store and to other nodes',
    run: async ({ swarm, origin, a, b }) => {
      const url = `${origin.url}/written-to`;
      const outputPath = swarm.directory.join('own.out');
      await swarm
        .download(a, { url, outputPath, forceHardLink: true })
        .catch(() => swarm.download(a, { url, outputPath }));
      writeSync(openSync(outputPath, 'r+'), 'poison', 100);
      await requireContent(swarm, b, url);
      const again = swarm.directory.join('again.out');
      await swarm.download(a, { url, outputPath: again, forceHardLink: false });
      assert.ok(readFileSync(again).equals(content), 'the same node');
    },
  },
  {
    root: 'private content',
    what: 'a stranger learns of it by a condition, by a head, by a byte, or from what is stored only',
    run: async ({ origin, a }) => {
      const url = `${origin.url}/private/conditions`;
      assert.equal((await ask(proxyOf(a), url, { headers: right })).status, 200);
      const tries: readonly [string, Record<string, string>][] = [
        ['GET', { 'if-none-match': '"one"' }],
        ['HEAD', {}],
        ['GET', { range: 'bytes=0-0' }],
        ['GET', { 'cache-control': 'only-if-cached' }],
        ['GET', { authorization: 'Bearer wrong', 'cache-control': 'only-if-cached, max-stale' }],
        ['GET', { 'if-range': '"one"', range: 'bytes=0-9' }],
      ];
      for (const [method, headers] of tries) {
        const { status, headers: answer, body } = await ask(proxyOf(a), url, { method, headers });
        assert.ok(status >= 400, `${method} ${JSON.stringify(headers)}: ${status}`);
        assert.equal(answer.etag, undefined);
        assert.equal(body.includes('for those'), false);
      }
    },
  },
  {
    root: 'private content',
    what: 'another kind of request for pieces opens it',
    run: async ({ swarm, origin, a }) => {
      const url = `${origin.url}/private/kinds`;
      assert.equal((await ask(proxyOf(a), url, { headers: right })).status, 200);
      const id = taskId({ url });
      for (const tag of [
        tags.downloadPersistentPiece,
        tags.downloadPersistentCachePiece,
        tags.pipelinedPiece,
        tags.streamedPiece,
      ])
        assert.equal((await piece(a, tag, id)).includes('for those'), false, `tag ${tag}`);
      const node = createClient(DfdaemonUploadDefinition, swarm.channels, a.service.addresses['peer'] ?? '');
      const asked = { hostId: 'stranger', taskId: id, interestedPieceNumbers: [0] };
      await assert.rejects(first(node.syncPersistentCachePieces(SyncPersistentCachePiecesRequest.fromPartial(asked))));
      await assert.rejects(first(node.syncPersistentPieces(SyncPersistentPiecesRequest.fromPartial(asked))));
    },
  },
  {
    root: 'private content',
    what: 'a server of the stranger’s redirects the question whether he may have it to the right one',
    run: async ({ origin, a }) => {
      const plain = `${origin.url}/private/redirected`;
      assert.equal((await ask(proxyOf(a), plain, { headers: right })).status, 200);
      await using evil = await startOrigin((_request, response) => response.writeHead(307, { location: plain }).end());
      const { body } = await ask(proxyOf(a), `${evil.url}/private/redirected`, {
        headers: { authorization: 'Bearer mine' },
      });
      assert.equal(body.includes('for those'), false);
    },
  },
  {
    root: 'bounds',
    what: 'an origin’s header that does not end is kept',
    run: async ({ swarm, a }) => {
      let sent = 0;
      await using endless = await listener((socket) => {
        socket.once('data', () => {
          socket.write('HTTP/1.1 200 OK\r\n');
          const more = (): void => {
            while (!socket.destroyed && sent < 64 * 2 ** 20 && socket.write(`x-${sent}: ${'y'.repeat(1000)}\r\n`))
              sent += 1000;
            if (!socket.destroyed && sent < 64 * 2 ** 20) socket.once('drain', more);
          };
          more();
        });
      });
      const before = process.memoryUsage().external;
      await assert.rejects(swarm.download(a, { url: `http://127.0.0.1:${endless.port}/x` }));
      assert.ok(sent < 32 * 2 ** 20, `${sent} bytes were read`);
      assert.ok(process.memoryUsage().external - before < 64 * 2 ** 20);
    },
  },
  {
    root: 'bounds',
    what: 'a request for thousands of parts costs more than the content',
    run: async ({ origin, a }) => {
      const url = `${origin.url}/parts`;
      const range = `bytes=${Array.from({ length: 1500 }, (_, at) => `${at}-`).join(',')}`;
      const { body } = await ask(proxyOf(a), url, { headers: { range } });
      assert.ok(body.length <= 2 * content.length, `${body.length} bytes`);
      const sent = origin.seen.filter(({ url: path }) => path === '/parts').length;
      assert.ok(sent < 10, `${sent} requests`);
    },
  },
  {
    root: 'secrets',
    what: 'a cookie or a signed place that an origin gave to one is given to others',
    run: async ({ swarm, origin, a, b }) => {
      const url = `${origin.url}/sets-cookie`;
      await swarm.download(a, { url });
      await swarm.download(b, { url });
      const { headers } = await ask(proxyOf(b), url);
      assert.equal(JSON.stringify(headers).includes(secret), false, 'in the answer of another node');
      for (const daemon of [a, b]) requireNotKept(swarm, daemon);
    },
  },
  {
    root: 'secrets',
    what: 'credentials of further kinds are kept in the clear',
    run: async ({ swarm, origin, a }) => {
      const names = [
        'Cookie', 'X-Vault-Token', 'X-Goog-Api-Key', 'Proxy-Authorization', 'X-Auth-Token', 'X-Amz-Security-Token', 'Ocp-Apim-Subscription-Key',
        'X-Gitlab-Token', 'Circle-Token', 'X-Api-Key', 'JOB-TOKEN', 'X-Figma-Token', 'DPoP', 'X-CSRF-Token', 'x-my-own-thing',
      ]; // prettier-ignore
      for (const [index, name] of names.entries())
        await swarm
          .download(a, { url: `${origin.url}/with-header-${index}`, requestHeader: { [name]: secret } })
          .catch(() => undefined);
      const parameters = [
        'access_token',
        'api_key',
        'sig',
        'Signature',
        'X-Amz-Signature',
        'token',
        'auth',
        'jwt',
        'key',
        'password',
        'hdnea',
      ];
      for (const name of parameters)
        await swarm.download(a, { url: `${origin.url}/with?${name}=${secret}` }).catch(() => undefined);
      await swarm
        .download(a, { url: `${origin.url.replace('//', `//user:${secret}@`)}/with-password` })
        .catch(() => undefined);
      requireNotKept(swarm, a);
    },
  },
];

describe('attacks', { timeout: 300_000 }, () => {
  const cleanup = new AsyncDisposableStack();
  let lab: Lab;

  before(async () => {
    const swarm = cleanup.use(await LocalSwarm.create());
    const give = serveBody(content, { etag: '"one"' });
    const evil = serveBody(Buffer.alloc(content.length, 'evil '), { etag: '"two"' });
    const origin = cleanup.use(
      await startOrigin((request, response) => {
        const { url = '', headers } = request;
        if (url.startsWith('/private') && headers.authorization !== right.authorization)
          return void response.writeHead(401).end();
        const isFirst = origin.seen.filter((request) => request.url === '/sets-cookie').length === 1;
        if (isFirst && url === '/sets-cookie') response.setHeader('set-cookie', `session=${secret}`);
        if (isFirst && url === '/sets-cookie')
          response.setHeader('content-location', `https://store/x?X-Amz-Signature=${secret}`);
        const isEvil = [headers.host, headers['x-forwarded-host'], headers.accept, headers['user-agent']].some((text) =>
          String(text).startsWith('evil'),
        );
        (isEvil ? evil : give)(request, response);
      }),
    );
    await swarm.startScheduler();
    const { config } = parseConfig(dfdaemonConfigSchema, 'proxy: {rules: [{regx: .}]}', 'rules.yaml');
    const { rules } = config.proxy;
    const start = (name: string, seed = false): Promise<Daemon> =>
      swarm.startDaemon(name, { seed, adjust: (own) => ({ ...own, proxy: { ...own.proxy, rules } }) });
    await start('seed', true);
    lab = { swarm, origin, a: await start('a'), b: await start('b') };
  });
  after(() => cleanup.disposeAsync());

  for (const { root, what, run } of attacks) test(`${root}: ${what}`, () => run(lab));
});

async function requireContent(swarm: LocalSwarm, daemon: Daemon, url: string): Promise<void> {
  const outputPath = swarm.directory.join(`${daemon.name}-${encodeURIComponent(url).slice(-60)}`);
  await swarm.download(daemon, { url, outputPath });
  assert.ok(readFileSync(outputPath).equals(content), url);
}

/** Nothing below its directory has the secret in it. */
function requireNotKept(swarm: LocalSwarm, daemon: Daemon): void {
  for (const entry of readdirSync(swarm.directory.join(daemon.name), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    assert.equal(readFileSync(path).includes(secret), false, path);
  }
}

function proxyOf(daemon: Daemon): { readonly port: number } {
  return { port: Number(daemon.service.addresses['proxy']?.split(':').at(-1)) };
}

async function first(answers: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of answers) return;
}

async function* one<T>(message: T): AsyncGenerator<T> {
  yield message;
  await new Promise((resolve) => setTimeout(resolve, 2000).unref());
}

function register(url: string, name: string, more: Parameters<typeof Download.fromPartial>[0]): AnnouncePeerRequest {
  return AnnouncePeerRequest.fromPartial({
    hostId: `127.0.0.1-${name}`,
    taskId: taskId({ url }),
    peerId: `${name}-peer`,
    request: { $case: 'registerPeerRequest', value: { download: Download.fromPartial({ url, ...more }) } },
  });
}

async function piece(daemon: Daemon, tag: number, id: string): Promise<Buffer> {
  const socket = connect(Number(daemon.service.addresses['upload']?.split(':').at(-1)), '127.0.0.1');
  socket.end(encodeRequest(tag, id, 0));
  const blocks: Buffer[] = [];
  socket.on('data', (block: Buffer) => blocks.push(block)).on('error', () => undefined);
  await once(socket, 'close');
  return Buffer.concat(blocks);
}

async function listener(
  take: (socket: Socket) => void,
  host = '127.0.0.1',
): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    take(socket);
  });
  server.listen(0, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
