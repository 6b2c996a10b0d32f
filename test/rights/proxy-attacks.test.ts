/**
 * Attacks at the proxy, of kinds that no other test has: who asks, what a yes is about, what content depends on, secrets. As in attacks.test.ts
 * each is a row, and holds when what it is after does not happen.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { parseConfig } from '../../src/core/config/config.ts';
import { createLogger } from '../../src/core/process/logger.ts';
import { dfdaemonConfigSchema } from '../../src/dfdaemon/config.ts';
import { DfdaemonService } from '../../src/dfdaemon/service.ts';
import { ask, daemonConfig, serveBody, startOrigin, type Origin } from '../proxy/support/proxy-fixture.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const content = Buffer.alloc(3 * 2 ** 20, 'for those who may read it. ');
const secret = 'c0ffee-is-nobodys-business';
const right = { authorization: 'Bearer right' };

interface Lab {
  readonly swarm: LocalSwarm;
  readonly a: Daemon;
  readonly b: Daemon;
}

interface Attack {
  readonly root: string;
  readonly what: string;
  readonly run: (lab: Lab) => Promise<void>;
}

type Answering = (request: IncomingMessage, response: ServerResponse) => void;

const attacks: readonly Attack[] = [
  {
    root: 'who asks',
    what: 'a web page whose name was made to lead to the proxy reads services of the machine by it',
    run: async ({ a }) => {
      await using service = await startOrigin((_request, response) => response.end(secret));
      const page = { host: `page.example.com:${proxyOf(a).port}` };
      for (const header of [
        { ...page, 'x-dragonfly-registry': service.url },
        { host: '127.0.0.1', origin: 'http://page.example.com', 'x-dragonfly-registry': service.url },
        { host: '127.0.0.1', 'sec-fetch-site': 'cross-site', 'x-dragonfly-registry': service.url },
      ]) {
        const { body } = await ask(proxyOf(a), '/token', { headers: header });
        assert.equal(body.includes(secret), false, JSON.stringify(header));
      }
      for (const path of [
        `/token?ns=${encodeURIComponent(service.url)}`,
        `/v2/dragonfly.via.http/127.0.0.1_${new URL(service.url).port}/token`,
      ]) {
        const { body } = await ask(proxyOf(a), path, { headers: page });
        assert.equal(body.includes(secret), false, path);
      }
      const own = { host: `127.0.0.1:${proxyOf(a).port}`, 'x-dragonfly-registry': service.url };
      assert.equal((await ask(proxyOf(a), '/token', { headers: own })).body.toString(), secret, 'programs may');
    },
  },
  {
    root: 'who asks',
    what: 'a path of the door for a hub leads to another host',
    run: async ({ swarm }) => {
      await using other = await startOrigin((_request, response) => response.end(secret));
      await using hub = await startOrigin((_request, response) => response.writeHead(404).end('the hub'));
      await using proxy = await startLogging(swarm, {
        proxy: { rules: [{ regx: '.' }] },
        more: { doors: { huggingface: { endpoint: hub.url } } },
      });
      const { host, port } = new URL(other.url);
      for (const path of [
        `/hf//${host}/x`,
        `/hf/@${host}/x`,
        `/hf/../${host}/x`,
        `/hf/%2F%2F${host}/x`,
        `/hf/\\${host}/x`,
        `/hf/http://${host}/x`,
        `/hf/:${port}/x`,
        `/hf/.%2e/x`,
        `/hf/a/b/resolve/main/..%2f..%2f..%2f..%2fx`,
        `/hf/a/b/resolve/@${host}/x`,
      ]) {
        const { body } = await ask(proxy, path).catch(() => ({ body: Buffer.alloc(0) }));
        assert.equal(body.includes(secret), false, path);
      }
      assert.equal(other.seen.length, 0);
    },
  },
  {
    root: 'who asks',
    what: 'a tunnel to the node’s own ports speaks for a program of its machine',
    run: async ({ a }) => {
      const { peer = '', metrics = '', proxy = '' } = a.service.addresses;
      for (const target of [peer, metrics, proxy].filter((address) => address !== '')) {
        const socket = connect(proxyOf(a).port, '127.0.0.1');
        socket.write(`CONNECT ${target} HTTP/1.1\r\nhost: ${target}\r\n\r\n`);
        const [answer] = (await once(socket, 'data')) as [Buffer];
        socket.destroy();
        assert.equal(
          answer.toString().startsWith('HTTP/1.1 200'),
          false,
          `${target}: ${answer.toString().slice(0, 80)}`,
        );
      }
    },
  },
  {
    root: 'a yes about other bytes',
    what: '304 to whoever knows the validator',
    run: ({ a, b }) =>
      hidden([a, b], (request, response) => {
        if (request.headers['if-none-match'] === '"one"') response.writeHead(304, { etag: '"one"' }).end();
        else response.writeHead(401).end();
      }),
  },
  {
    root: 'a yes about other bytes',
    what: '200 to a HEAD, whoever asks',
    run: ({ a, b }) =>
      hidden([a, b], (request, response) => {
        if (request.method === 'HEAD') serveBody(content, { etag: '"one"' })(request, response);
        else response.writeHead(401).end();
      }),
  },
  {
    root: 'a yes about other bytes',
    what: 'the first bytes for everybody, as a preview',
    run: ({ a, b }) =>
      hidden(
        [a, b],
        (request, response) => {
          const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
          if (first !== undefined && Number(last) < 1024) serveBody(content, { etag: '"one"' })(request, response);
          else response.writeHead(401).end();
        },
        { openBytes: 1024 },
      ),
  },
  {
    root: 'a yes about other bytes',
    what: 'a page to sign in, with status 200, the validator and the length of the content',
    run: ({ a, b }) =>
      hidden([a, b], (_request, response) => {
        response.writeHead(200, { etag: '"one"', 'content-type': 'text/html', 'content-length': content.length });
        response.end(Buffer.alloc(content.length, 'sign in '));
      }),
  },
  {
    root: 'a yes about other bytes',
    what: '416 and 204 with the validator',
    run: async ({ a, b }) => {
      for (const status of [416, 204, 206])
        await hidden([a, b], (_request, response) =>
          response.writeHead(status, { etag: '"one"', 'content-range': `bytes */${content.length}` }).end(),
        );
    },
  },
  {
    root: 'identity',
    what: 'content that depends on a cookie, by an origin that says nothing of that',
    run: async ({ a, b }) => {
      for (const header of [
        {},
        { etag: '"same"' },
        { 'last-modified': 'Tue, 01 Sep 2026 10:00:00 GMT' },
        { 'cache-control': 'max-age=600' },
      ]) {
        await using origin = await startOrigin((request, response) => {
          const body = Buffer.from(`of ${request.headers.cookie ?? 'nobody'}`.padEnd(200));
          serveBody(body, header)(request, response);
        });
        for (const [daemon, cookie] of [
          [a, 'x=alice'],
          [b, 'x=bob'],
          [a, 'x=bob'],
          [b, 'x=alice'],
        ] as const) {
          const { body } = await ask(proxyOf(daemon), `${origin.url}/mine`, { headers: { cookie } });
          // One validator for both is the origin's own word that they are the same.
          if (!('etag' in header) && !('last-modified' in header))
            assert.ok(
              body.toString().startsWith(`of ${cookie}`),
              `${JSON.stringify(header)}: ${body.toString().trim()}`,
            );
        }
        const { body } = await ask(proxyOf(a), `${origin.url}/mine`);
        if (Object.keys(header).length === 0) assert.ok(body.toString().startsWith('of nobody'));
      }
    },
  },
  {
    root: 'identity',
    what: 'content that was coded for one is given to one who cannot read it',
    run: async ({ a, b }) => {
      const packed = gzipSync(content);
      for (const tag of ['"both"', undefined]) {
        await using origin = await startOrigin((request, response) => {
          const coded = /gzip/.test(String(request.headers['accept-encoding'] ?? ''));
          const header = { ...(tag !== undefined && { etag: tag }), ...(coded && { 'content-encoding': 'gzip' }) };
          serveBody(coded ? packed : content, header)(request, response);
        });
        const url = `${origin.url}/coded`;
        const read = async (daemon: Daemon, coding: string): Promise<void> => {
          const { headers, body } = await ask(proxyOf(daemon), url, { headers: { 'accept-encoding': coding } });
          const plain = headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
          if (coding === 'identity') assert.equal(headers['content-encoding'], undefined);
          assert.ok(plain.equals(content), `${daemon.name} ${coding} ${tag}`);
        };
        for (const [daemon, coding] of [
          [a, 'gzip'],
          [b, 'identity'],
          [a, 'identity'],
          [b, 'gzip'],
        ] as const)
          await read(daemon, coding);
      }
    },
  },
  {
    root: 'identity',
    what: 'one user’s choice of language becomes that of all',
    run: async ({ a, b }) => {
      await using origin = await startOrigin((request, response) => {
        const language = String(request.headers['accept-language'] ?? 'en');
        serveBody(Buffer.from(`in ${language}`.padEnd(100)), {
          etag: `"${language}"`,
          vary: 'accept-language',
          'cache-control': 'max-age=600',
        })(request, response);
      });
      for (const [daemon, language] of [
        [a, 'de'],
        [b, 'fr'],
        [a, 'fr'],
        [b, 'de'],
      ] as const) {
        const { body } = await ask(proxyOf(daemon), `${origin.url}/page`, { headers: { 'accept-language': language } });
        assert.ok(body.toString().startsWith(`in ${language}`), body.toString().trim());
      }
    },
  },
  {
    root: 'secrets',
    what: 'passwords and keys in the URLs of requests are in the log, in records or in metrics',
    run: async ({ swarm }) => {
      await using origin = await startOrigin((request, response) => {
        if (request.url?.startsWith('/moved') === true)
          response.writeHead(302, { location: `/gone?X-Amz-Signature=${secret}&token=${secret}` }).end();
        else if (request.url?.startsWith('/gone') === true)
          response.writeHead(403, { 'x-token': secret }).end(`no: ${secret}`);
        else serveBody(content, { etag: '"one"' })(request, response);
      });
      await using proxy = await startLogging(swarm, { proxy: { rules: [{ regx: '.' }] } });
      const withPassword = origin.url.replace('//', `//user:${secret}@`);
      for (const target of [
        `${withPassword}/a`,
        `${withPassword}/moved`,
        `${origin.url}/b?token=${secret}`,
        `${origin.url}/moved/c`,
        `${withPassword.replace(/:\d+$/, ':1')}/down`,
      ])
        await ask(proxy, target, { headers: { authorization: `Bearer ${secret}`, cookie: `s=${secret}` } }).catch(
          () => undefined,
        );
      await ask(proxy, '/x', { headers: { 'x-dragonfly-registry': `${withPassword}/prefix` } }).catch(() => undefined);
      const socket = connect(proxy.port, '127.0.0.1');
      socket.end(`CONNECT user:${secret}@127.0.0.1:1 HTTP/1.1\r\nhost: x\r\n\r\nGET`).on('error', () => undefined);
      await once(socket.resume(), 'close');
      const { body: metrics } = await ask(
        { port: Number(proxy.service.addresses['metrics']?.split(':').at(-1)) },
        '/metrics',
      ).catch(() => ({ body: Buffer.alloc(0) }));
      assert.equal(metrics.includes(secret), false, 'metrics');
      await proxy.stop();
      requireNothingOf(secret, proxy.directory);
    },
  },
  {
    root: 'bounds',
    what: 'who begins many requests and never ends one takes the places of all',
    run: async ({ a }) => {
      await using origin = await startOrigin(serveBody(content, { etag: '"one"' }));
      const { port } = proxyOf(a);
      const sockets = Array.from({ length: 600 }, () => {
        const socket = connect(port, '127.0.0.1').on('error', () => undefined);
        socket.write(`GET ${origin.url}/slow HTTP/1.1\r\nhost: x\r\nx-a: `);
        return socket;
      });
      try {
        const { status } = await ask(proxyOf(a), `${origin.url}/quick`);
        assert.equal(status, 200);
      } finally {
        for (const socket of sockets) socket.destroy();
      }
    },
  },
];

describe('attacks at the proxy', { timeout: 300_000 }, () => {
  const cleanup = new AsyncDisposableStack();
  let lab: Lab;

  before(async () => {
    const swarm = cleanup.use(await LocalSwarm.create());
    await swarm.startScheduler();
    const { config } = parseConfig(dfdaemonConfigSchema, 'proxy: {rules: [{regx: .}]}', 'rules.yaml');
    const { rules } = config.proxy;
    const start = (name: string): Promise<Daemon> =>
      swarm.startDaemon(name, { adjust: (own) => ({ ...own, proxy: { ...own.proxy, rules } }) });
    lab = { swarm, a: await start('a'), b: await start('b') };
  });
  after(() => cleanup.disposeAsync());

  for (const { root, what, run } of attacks) test(`${root}: ${what}`, () => run(lab));
});

/** Content is brought by one with the right to it; the origin answers all others as given, which must open nothing. */
async function hidden(daemons: readonly Daemon[], answer: Answering, { openBytes = 0 } = {}): Promise<void> {
  const give = serveBody(content, { etag: '"one"' });
  await using origin: Origin = await startOrigin((request, response) => {
    if (request.headers.authorization === right.authorization) give(request, response);
    else answer(request, response);
  });
  const url = `${origin.url}/private`;
  for (const daemon of daemons) assert.equal((await ask(proxyOf(daemon), url, { headers: right })).status, 200);
  const tries: readonly Record<string, string>[] = [
    {},
    { authorization: 'Bearer wrong' },
    { range: 'bytes=4096-8191' },
    { 'if-none-match': '"one"' },
    { 'if-range': '"one"', range: 'bytes=4096-8191' },
  ];
  for (const daemon of daemons)
    for (const headers of tries) {
      const { body } = await ask(proxyOf(daemon), url, { headers }).catch(() => ({ body: Buffer.alloc(0) }));
      const given = body.includes('for those') ? body.length : 0;
      assert.ok(given <= openBytes, `${daemon.name} ${JSON.stringify(headers)}: ${given} bytes`);
    }
}

interface LoggingDaemon extends AsyncDisposable {
  readonly service: DfdaemonService;
  readonly directory: string;
  readonly port: number;
  readonly stop: () => Promise<void>;
}

/** With everything it writes, its log included, below one directory. */
async function startLogging(
  { schedulerAddresses }: LocalSwarm,
  options: Parameters<typeof daemonConfig>[1],
): Promise<LoggingDaemon> {
  const directory = await temporaryDirectory('df-logging-');
  const text = daemonConfig(directory.path, { schedulers: schedulerAddresses, ...options });
  const { config } = parseConfig(dfdaemonConfigSchema, text, 'dfget.yaml');
  const file = {
    path: directory.join('all.log'),
    rotation: { maxBytes: 2 ** 26, maxAgeMs: 0, maxBackups: 0 },
  };
  const service = await DfdaemonService.start(config, createLogger('dfdaemon', { level: 'debug', file }));
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= service[Symbol.asyncDispose]());
  return {
    service,
    directory: directory.path,
    port: Number(service.addresses['proxy']?.split(':').at(-1)),
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
      await directory[Symbol.asyncDispose]();
    },
  };
}

function requireNothingOf(text: string, directory: string): void {
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || statSync(path).size > 2 ** 28) continue;
    const bytes = readFileSync(path);
    const at = bytes.indexOf(text);
    assert.equal(at, -1, `${path}: ${bytes.subarray(Math.max(0, at - 150), at + 60).toString()}`);
  }
}

function proxyOf(daemon: Daemon): { readonly port: number } {
  return { port: Number(daemon.service.addresses['proxy']?.split(':').at(-1)) };
}
