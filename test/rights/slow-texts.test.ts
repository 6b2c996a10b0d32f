/**
 * Texts of others are read in time linear in their length. Expressions of JavaScript's engine backtrack, and one header of 30 KiB keeps a whole
 * service busy: each text here once did so, or would with the obvious expression. Measured is how long nothing else ran.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { parseRangeHeader } from '../../src/core/byte-range.ts';
import { parseConfig } from '../../src/core/config/config.ts';
import { blobDigest, canonicalUrl } from '../../src/core/ids.ts';
import { linksOf, nextPageOf } from '../../src/core/net/link-header.ts';
import { signatureParams } from '../../src/core/net/signed-urls.ts';
import { parseAuthChallenges } from '../../src/core/oci/auth-challenge.ts';
import { isManifestUrl, manifestUrlOfImage } from '../../src/core/oci/reference.ts';
import { redact } from '../../src/core/redact.ts';
import { dfdaemonConfigSchema } from '../../src/dfdaemon/config.ts';
import { listedParts } from '../../src/dfdaemon/proxy/doors/s3/kept/kept-writes.ts';
import { Freshness } from '../../src/dfdaemon/proxy/proof/freshness.ts';
import { signedHeaders } from '../../src/dfdaemon/proxy/proof/signed-headers.ts';
import { mirrorTarget } from '../../src/dfdaemon/proxy/registry/mirror-target.ts';
import { throughMirror } from '../../src/dfdaemon/proxy/registry/mirror-naming.ts';
import { isRegistryControl, registryPath } from '../../src/dfdaemon/proxy/registry/registry-path.ts';
import { entriesOfPage } from '../../src/dfdaemon/source/http/directory-page.ts';
import { parseResponseHead } from '../../src/dfdaemon/source/http/http-head.ts';
import { createClient } from '../../src/rpc/client.ts';
import { taskId } from '../../src/core/ids.ts';
import { Download } from '../../gen/common/v2/common.ts';
import { ListTaskEntriesRequest } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { AnnouncePeerRequest, SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { ask } from '../proxy/support/proxy-fixture.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { announce } from './hostile-parent.ts';

/** As long as the header of a request may be. */
const length = 120_000;
const many = (text: string, characters = length): string => text.repeat(Math.floor(characters / text.length));
/** Generous: what is linear takes a few milliseconds. */
const stallMs = 500;

const origin = 'http://host';
const freshness = (cacheControl: string): Freshness =>
  new Freshness({
    url: new URL(origin),
    requestHeader: {},
    statusCode: 200,
    header: { 'cache-control': cacheControl },
  });

const readings: readonly [string, (text: string) => unknown, readonly string[]][] = [
  [
    'the URL of a task',
    (text) => canonicalUrl(text, []),
    [
      `${origin}/?${many('/')}x`,
      `x?${many('://b/')}`,
      `${origin}/${many('^')}?${many('^')}`,
      `${origin}/?${many('a&')}`,
    ],
  ],
  ['the digest in a URL', blobDigest, [`${origin}${many('/v2/')}`, `${origin}/v2/${many('/blobs/sha256:')}`]],
  ['a signed URL', (text) => signatureParams(new URL(text)), [`${origin}/?${many('sig=&')}`]],
  [
    'a range',
    parseRangeHeader,
    [`bytes=0-1,${many(' ')}x`, `bytes=1-${many(' ')}x`, `bytes${many(' ')}x`, `bytes=${many('1')}x`],
  ],
  ['links', nextPageOf, [many('<'), many('<a>;'), `<a>${many(' ')}x`, `<a>;${many(' ')}rel`, many('<a>;rel=')]],
  ['links through a door', linksOf, [many('<'), many('<>,'), `<a>${many(' ')}`]],
  ['the path of a registry', registryPath, [many('/v2/'), `/v2/a${many('/blobs/')}`, `${many('/v2/a/manifests/')}/`]],
  [
    'what is for the registry alone',
    (text) => isRegistryControl(new URL(`${origin}${text}`)),
    [many('/v2'), many('/v2/a'), many('/v2/'), many('/v2/a/referrers/'), many('/v2/a/blobs/uploads/')],
  ],
  [
    'references of a registry',
    (text) => throughMirror(['Link', text], { origin, prefix: '', namespace: 'host', viaPath: undefined }),
    [many('<'), many('<a'), many('<>')],
  ],
  [
    'a challenge',
    parseAuthChallenges,
    [`Bearer ${many('a="')}`, `Bearer ${many(' ')}`, many('Bearer '), `Bearer realm="${many('\\')}`],
  ],
  [
    'the head of an answer',
    (text) => tried(() => parseResponseHead(`HTTP/1.1 200 OK\r\n${text}\r\n\r\n`, 'GET')),
    [`x: a${many(' ')}b`, `x:${many(' \t')}b`, many(' '), many('a: b\r\n'), many('a:\r\n ')],
  ],
  ['what may be kept', (text) => freshness(text).storable, [many('a="'), many('a="\\'), many(','), many('a = ')]],
  [
    'signed headers',
    (text) => signedHeaders({ authorization: text }, new URL(origin)),
    [many('SignedHeaders '), `SignedHeaders${many(' ')}`],
  ],
  [
    'the parts of an upload',
    listedParts,
    [many('<Part>', 2 ** 21), `<Part><ETag>${many(' ', 2 ** 16)}<x></Part>`, `<Part>${many('<ETag>')}</Part>`],
  ],
  [
    'a registry that is named',
    (text) => mirrorTarget('/v2/', text, { url: origin, registries: [], dynamic: true }),
    [`${origin}/${many('/')}x`],
  ],
  [
    'an image',
    (text) => [isManifestUrl(`${origin}/v2/${text}/manifests/x`), manifestUrlOfImage(text)],
    [many('a'), many('a/'), many('a-'), many('a_'), many('a:')],
  ],
  [
    'what is redacted',
    redact,
    [
      many('a://'),
      many('http://a'),
      many('bearer '),
      many('?token'),
      many('&a_token_'),
      `?${many('a_')}`,
      `http://${many('a')}`,
      `bearer${many(' ')}`,
    ],
  ],
  [
    'a page of a directory',
    (text) => [
      ...entriesOfPage({ url: `${origin}/`, contentType: 'text/html', text: `<title>Index of</title>${text}` }),
    ],
    [many('<a href="'), many('<a href="x">'), many('<a href="x">x</a> '), many('<title>'), `<title>${many(' ')}`],
  ],
  [
    'the title of a page',
    (text) => [...entriesOfPage({ url: `${origin}/`, contentType: 'text/html', text })],
    [
      `<title>${many(' ')}<`,
      `<title>${many(' ')}x`,
      `<title>x${many(' ')}`,
      many('<title>'),
      `<!doctype html>${many(' ')}`,
    ],
  ],
];

describe('texts of others', { timeout: 120_000 }, () => {
  for (const [what, read, texts] of readings)
    test(what, () => {
      for (const text of texts) {
        const startMs = performance.now();
        tried(() => read(text));
        const tookMs = performance.now() - startMs;
        assert.ok(tookMs < stallMs, `${JSON.stringify(text.slice(0, 30))}… takes ${Math.round(tookMs)} ms`);
      }
    });
});

describe('services that are told such texts', { timeout: 240_000 }, () => {
  const cleanup = new AsyncDisposableStack();
  let swarm: LocalSwarm;
  let node: Daemon;

  before(async () => {
    swarm = cleanup.use(await LocalSwarm.create());
    await swarm.startScheduler();
    const { rules } = parseConfig(dfdaemonConfigSchema, 'proxy: {rules: [{regx: .}]}', 'rules.yaml').config.proxy;
    node = await swarm.startDaemon('node', { adjust: (own) => ({ ...own, proxy: { ...own.proxy, rules } }) });
  });
  after(() => cleanup.disposeAsync());

  test('the proxy, by its clients', async () => {
    const port = Number(node.service.addresses['proxy']?.split(':').at(-1));
    const up = await answering('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    cleanup.use(up);
    const paths = [many('/v2'), `/x?${many('/')}x`, `/v2/${many('v2/')}`, many('/./')];
    for (const path of paths) await quickly(path, () => ask({ port }, `${up.url}${path}`));
    for (const path of [`/v2/?ns=${up.url}/${many('/')}x`, many('/v2')]) await quickly(path, () => ask({ port }, path));
    const header = [
      { range: `bytes=0-1,${many(' ')}x` },
      { 'cache-control': many('a="') },
      { 'if-none-match': many('"a",') },
      { accept: many(',') },
      { te: `,${many(' ')}x` },
      { authorization: many('SignedHeaders ') },
      { via: many(',') },
    ];
    for (const headers of header)
      await quickly(Object.keys(headers).join(), () => ask({ port }, `${up.url}/h`, { headers }));
  });

  test('a daemon, by its origin', async () => {
    const lines = [
      `x: a${many(' ', 30_000)}b`,
      `link: ${many('<', 30_000)}`,
      `cache-control: ${many('a="', 30_000)}`,
      `www-authenticate: ${many('a="', 30_000)}`,
      `etag: "${many('"', 30_000)}`,
      `content-range: bytes ${many('1', 30_000)}`,
    ];
    for (const line of lines) {
      await using up = await answering(`HTTP/1.1 200 OK\r\n${line}\r\ncontent-length: 2\r\n\r\n[]`);
      await quickly(line, () => swarm.download(node, { url: `${up.url}/${line.length}-${line.slice(0, 4).trim()}` }));
      const request = ListTaskEntriesRequest.fromPartial({
        taskId: 'x',
        url: 'hf://Owner/Name/',
        huggingFace: { revision: 'main', baseUrl: up.url },
      });
      await quickly(line, () => swarm.client(node).listTaskEntries(request, { signal: AbortSignal.timeout(20_000) }));
    }
  });

  test('a scheduler, by whoever registers', async () => {
    await announce(swarm, 'teller', 4321);
    const scheduler = createClient(SchedulerDefinition, swarm.channels, swarm.schedulerAddresses[0] ?? '');
    for (const url of [
      `${origin}/?${many('/')}x`,
      `${origin}${many('/v2/')}`,
      `${origin}/?${many('/', 2 ** 21)}x`,
      `${origin}${many('/v2/', 2 ** 21)}`,
    ]) {
      const request = AnnouncePeerRequest.fromPartial({
        hostId: '127.0.0.1-teller',
        taskId: taskId({ url: origin }),
        peerId: `teller-${url.length}-${url.slice(-3)}`.replaceAll('/', '-'),
        request: { $case: 'registerPeerRequest', value: { download: Download.fromPartial({ url }) } },
      });
      await quickly(url, async () => {
        for await (const _ of scheduler.announcePeer(once1(request), { signal: AbortSignal.timeout(3000) })) return;
      });
    }
  });

  test('a list whose pages have nothing in them does not go on for ever', async () => {
    let pages = 0;
    await using up = await answering(() => {
      pages += 1;
      return `HTTP/1.1 200 OK\r\nlink: </api/models/O/N/tree/main?p=${pages}>; rel="next"\r\ncontent-length: 2\r\n\r\n[]`;
    });
    const request = ListTaskEntriesRequest.fromPartial({
      taskId: 'x',
      url: 'hf://O/N/',
      huggingFace: { revision: 'main', baseUrl: up.url },
    });
    await assert.rejects(swarm.client(node).listTaskEntries(request, { signal: AbortSignal.timeout(100_000) }), {
      code: 'RESOURCE_EXHAUSTED',
    });
    const same = await answering(
      `HTTP/1.1 200 OK\r\nlink: </api/models/O/N/tree/main>; rel="next"\r\ncontent-length: 2\r\n\r\n[]`,
    );
    cleanup.use(same);
    const again = ListTaskEntriesRequest.fromPartial({
      taskId: 'x',
      url: 'hf://O/N/',
      huggingFace: { revision: 'main', baseUrl: same.url },
    });
    await assert.rejects(swarm.client(node).listTaskEntries(again), { code: 'PROTOCOL' });
  });
});

/** Whatever comes of the work, nothing else had to wait for it. */
async function quickly(text: string, work: () => Promise<unknown>): Promise<void> {
  let longestMs = 0;
  let lastMs = performance.now();
  const look = (): void => {
    longestMs = Math.max(longestMs, performance.now() - lastMs);
    lastMs = performance.now();
  };
  const timer = setInterval(look, 5);
  await work().catch(() => undefined);
  look();
  clearInterval(timer);
  assert.ok(
    longestMs < stallMs,
    `${JSON.stringify(text.slice(0, 30))}… stops everything for ${Math.round(longestMs)} ms`,
  );
}

function tried(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    return undefined;
  }
}

async function* once1<T>(message: T): AsyncGenerator<T> {
  yield message;
}

/** A server that says the same to everybody, in these very bytes. */
async function answering(answer: string | (() => string)): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined).on('data', () => socket.write(typeof answer === 'string' ? answer : answer()));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await Promise.resolve();
    },
  };
}
