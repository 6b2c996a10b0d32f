import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { AwsV4Signer } from 'aws4fetch';
import type { DfdaemonConfig } from '../../../src/dfdaemon/config.ts';
import { encodePath } from '../../../src/dfdaemon/source/sigv4.ts';
import { LocalSwarm, type Daemon } from '../../support/local-swarm.ts';
import { ask, type Answer, type Ask } from '../support/proxy-fixture.ts';
import { startSmallStore, storeKey, type SmallStore } from '../support/s3-store.ts';

interface Signing extends Ask {
  readonly key?: { readonly accessKeyID: string; readonly secretKey: string } | undefined;
  readonly host?: string;
  readonly date?: Date;
  /** In the URL, for so many seconds. */
  readonly expiresSec?: number;
}

const reader = { accessKeyID: 'READER', secretKey: 'the reader’s+secret/' };
const narrow = { accessKeyID: 'NARROW', secretKey: 'narrow' };
const stranger = { accessKeyID: 'READER', secretKey: 'guessed' };
const MiB = 2 ** 20;
/** One is what is meant. A busy machine is slow at the store, and what comes slowly is asked for again for a reader who waits. */
const mostCopies = 3;

/** A busy machine is no reason to go to the store past the scheduler. */
const patient = (config: DfdaemonConfig): DfdaemonConfig => ({
  ...config,
  scheduler: { ...config.scheduler, scheduleTimeout: 300_000 },
});

void describe('the door for clients of S3', () => {
  let store: SmallStore;
  let swarm: LocalSwarm;
  const nodes: Daemon[] = [];
  const model = randomBytes(24 * MiB);
  const second = randomBytes(16 * MiB);
  const secret = randomBytes(3000);
  before(async () => {
    store = await startSmallStore();
    store.objects.set('at-the-store/models/a b+c.bin', model);
    store.objects.set('at-the-store/second.bin', second);
    store.objects.set('at-the-store/empty', Buffer.alloc(0));
    store.objects.set('private/secret', secret);
    swarm = await LocalSwarm.create();
    await swarm.startScheduler();
    const at = { endpoint: store.origin.url, ...storeKey };
    const s3 = {
      tcpListen: { port: 0 },
      buckets: [
        { name: 'models', bucket: 'at-the-store', anonymous: true, ttl: '1h', ...at },
        { name: 'private', ...at, ttl: '1h' },
      ],
      clients: [reader, { ...narrow, buckets: ['models'], prefixes: ['models/'] }],
    };
    for (let node = 0; node < 8; node += 1) {
      const unixListen = { socket: swarm.directory.join(`s3-${node}.sock`) };
      const yaml = `doors: ${JSON.stringify({ s3: { ...s3, unixListen } })}`;
      nodes.push(await swarm.startDaemon(`node-${node}`, { yaml, adjust: patient }));
    }
  });
  after(async () => {
    await swarm[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  });

  const portOf = (node: number): number => Number(nodes[node]?.service.addresses['s3']?.split(':').at(-1));

  /** @param path as it is written in the URL, with its query. */
  const at = async (node: number, path: string, options: Signing = {}): Promise<Answer> => {
    const { key, date = new Date(), expiresSec, host = `127.0.0.1:${portOf(node)}`, method = 'GET' } = options;
    const headers = { ...options.headers, host };
    if (!key) return ask({ port: portOf(node) }, path, { ...options, headers });
    const url = new URL(`http://${host}${path}`);
    if (expiresSec !== undefined) url.searchParams.set('X-Amz-Expires', String(expiresSec));
    const signer = new AwsV4Signer({
      method,
      url: url.href,
      headers: expiresSec === undefined ? (options.headers ?? {}) : {},
      datetime: date.toISOString().replace(/[-:]|\.\d{3}/g, ''),
      accessKeyId: key.accessKeyID,
      secretAccessKey: key.secretKey,
      region: 'eu-test-1',
      service: 's3',
      signQuery: expiresSec !== undefined,
      allHeaders: true,
    });
    const signed = await signer.sign();
    const sent = { ...headers, ...Object.fromEntries(signed.headers) };
    return ask({ port: portOf(node) }, signed.url.pathname + signed.url.search, { ...options, headers: sent });
  };
  const code = ({ body }: Answer): string | undefined => /<Code>(\w+)<\/Code>/.exec(body.toString())?.[1];
  const path = `/models/${encodePath('models/a b+c.bin')}`;

  it('eight nodes read cold parts and the whole at once, for a fraction of the copies', async (context) => {
    const length = 2 * MiB;
    const parts = Array.from({ length: 20 }, (_, index) => ({
      node: index % 8,
      start: (index * 1_187_345) % (22 * MiB),
    }));
    const cold = await Promise.all(
      parts.map(async ({ node, start }) => {
        const headers = { range: `bytes=${start}-${start + length - 1}` };
        return { start, answer: await at(node, path, { key: reader, headers }) };
      }),
    );
    for (const { start, answer } of cold) {
      assert.equal(answer.status, 206);
      assert.equal(answer.headers['content-range'], `bytes ${start}-${start + length - 1}/${model.length}`);
      assert.ok(answer.body.equals(model.subarray(start, start + length)));
    }
    const whole = await Promise.all(nodes.map((_, node) => at(node, path, { key: reader })));
    for (const { status, body } of whole) {
      assert.equal(status, 200);
      assert.ok(body.equals(model));
    }
    const requests = store.origin.seen.length;
    const copies = store.given.bytes / model.length;
    context.diagnostic(
      `28 reads of 8 nodes: ${copies.toFixed(2)} copies, ${requests} requests, ${store.bodies().length} of them for bytes`,
    );
    assert.ok(copies < mostCopies, `${copies} copies`); // without the door it is 9.7
    assert.ok(store.origin.seen.every(({ headers }) => !headers.authorization?.includes('READER')));
  });

  it('eight nodes read another object whole at once: the store is asked by each what it is, and by few for its bytes', async (context) => {
    const before = { bytes: store.given.bytes, requests: store.origin.seen.length };
    const answers = await Promise.all(nodes.map((_, node) => at(node, '/models/second.bin', { key: reader })));
    for (const { body } of answers) assert.ok(body.equals(second));
    const copies = (store.given.bytes - before.bytes) / second.length;
    context.diagnostic(
      `8 nodes, whole: ${copies.toFixed(2)} copies, ${store.origin.seen.length - before.requests} requests`,
    );
    assert.ok(copies < mostCopies, `${copies} copies`);
  });

  it('tells of an object as the store does, with checksums for those who ask for them', async () => {
    const head = await at(0, path, { key: reader, method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(head.headers['content-length'], String(model.length));
    assert.equal(head.headers['x-amz-meta-owner'], 'tests');
    assert.equal(head.headers['x-amz-checksum-crc32'], undefined);
    const checked = await at(0, path, { key: reader, method: 'HEAD', headers: { 'x-amz-checksum-mode': 'ENABLED' } });
    assert.equal(checked.headers['x-amz-checksum-crc32'], 'AAAAAA==');
    const named = await at(0, `${path}?response-content-type=text%2Fplain`, { key: reader, method: 'HEAD' });
    assert.equal(named.headers['content-type'], 'text/plain');
    const evil = await at(0, `${path}?response-content-type=${encodeURIComponent('a\r\nb: c')}`, { key: reader });
    assert.equal(code(evil), 'InvalidArgument');
  });

  it('ranges of every form, preconditions, and what is empty', async () => {
    const range = async (text: string): Promise<Answer> => at(1, path, { key: reader, headers: { range: text } });
    assert.ok((await range('bytes=-1000')).body.equals(model.subarray(-1000)));
    assert.ok((await range(`bytes=${model.length - 7}-`)).body.equals(model.subarray(-7)));
    assert.equal((await range('bytes=0-0,5-6')).status, 200);
    assert.equal((await range('lines=1-2')).status, 200);
    const outside = await range(`bytes=${model.length}-`);
    assert.equal(outside.status, 416);
    assert.equal(code(outside), 'InvalidRange');
    assert.equal(outside.headers['content-range'], `bytes */${model.length}`);
    const { etag = '' } = (await at(1, path, { key: reader, method: 'HEAD' })).headers;
    const when = async (headers: Record<string, string>): Promise<Answer> => at(1, path, { key: reader, headers });
    assert.equal((await when({ 'if-none-match': etag.replaceAll('"', '') })).status, 304);
    assert.equal((await when({ 'if-modified-since': 'Fri, 02 Jan 2026 00:00:00 GMT' })).status, 304);
    const failed = await when({ 'if-match': '"other"' });
    assert.equal(failed.status, 412);
    assert.equal(code(failed), 'PreconditionFailed');
    const empty = await at(1, '/models/empty', { key: reader });
    assert.deepEqual([empty.status, empty.body.length], [200, 0]);
  });

  it('a part by its number is a range of the same object', async () => {
    const bodies = store.bodies().length;
    const { status, headers, body } = await at(6, `${path}?partNumber=2`, { key: reader });
    assert.equal(status, 206);
    assert.equal(headers['content-range'], `bytes ${8 * MiB}-${16 * MiB - 1}/${model.length}`);
    assert.equal(headers['x-amz-mp-parts-count'], '3');
    assert.ok(body.equals(model.subarray(8 * MiB, 16 * MiB)));
    assert.equal(store.bodies().length, bodies, 'it was here');
  });

  it('the bucket in the host, a signed URL, and the unix socket', async () => {
    const inHost = await at(2, `/${encodePath('models/a b+c.bin')}`, {
      key: reader,
      host: `models.s3.test:${portOf(2)}`,
      headers: { range: 'bytes=5-9' },
    });
    assert.ok(inHost.body.equals(model.subarray(5, 10)));
    const signed = await at(2, '/private/secret', { key: reader, expiresSec: 60 });
    assert.ok(signed.body.equals(secret));
    const outgoing = httpRequest({
      createConnection: () => connect(swarm.directory.join('s3-2.sock')),
      path,
      headers: { host: 'anything', range: 'bytes=1-3000' },
    }).end();
    const [message] = (await once(outgoing, 'response')) as [IncomingMessage];
    const blocks: Buffer[] = [];
    for await (const block of message) blocks.push(block as Buffer);
    assert.ok(Buffer.concat(blocks).equals(model.subarray(1, 3001)));
  });

  it('gives nothing without a key, with a wrong one or another bucket’s, though it is all here', async () => {
    assert.ok((await at(0, '/private/secret', { key: reader })).body.equals(secret));
    const asked = store.origin.seen.length;
    const hourAgo = new Date(Date.now() - 3_600_000);
    const refused: [string, Signing, string][] = [
      ['/private/secret', {}, 'AccessDenied'],
      ['/private/secret', { key: stranger }, 'SignatureDoesNotMatch'],
      ['/private/secret', { key: { ...reader, accessKeyID: 'NOBODY' } }, 'InvalidAccessKeyId'],
      ['/private/secret', { key: storeKey }, 'InvalidAccessKeyId'],
      ['/private/secret', { key: narrow }, 'AccessDenied'],
      ['/models/empty', { key: narrow }, 'AccessDenied'],
      ['/private/secret', { key: reader, date: hourAgo }, 'RequestTimeTooSkewed'],
      ['/private/secret', { key: reader, date: hourAgo, expiresSec: 60 }, 'AccessDenied'],
      ['/private/secret', { key: stranger, expiresSec: 60 }, 'SignatureDoesNotMatch'],
      ['/private/secret', { key: reader, method: 'POST' }, 'NotImplemented'],
      ['/private/secret', { key: reader, method: 'DELETE' }, 'MethodNotAllowed'],
      ['/private/secret?acl', { key: reader }, 'NotImplemented'],
      ['/none/secret', {}, 'AccessDenied'],
      ['/models/empty', { host: 'rebound.example' }, 'AccessDenied'],
    ];
    for (const [where, options, expected] of refused) {
      for (const method of options.method ? [options.method] : ['GET', 'HEAD']) {
        const answer = await at(0, where, { ...options, method });
        assert.ok(answer.status >= 400, `${method} ${where} ${expected}`);
        if (method === 'HEAD') assert.equal(answer.body.length, 0);
        else assert.equal(code(answer), expected, `${method} ${where}`);
      }
    }
    assert.equal(store.origin.seen.length, asked, 'the store was not asked either');
    assert.equal(code(await at(0, '/none/x', { key: reader })), 'NoSuchBucket');
    assert.equal((await at(0, '/models/empty')).status, 200, 'programs of this machine may');
  });

  it('a request is read in one way only: what was signed is what is done', async () => {
    for (const where of [
      '/private/../models/empty',
      '/models/%2e%2e/private/secret',
      '/models/empty?a=1&a=2',
      '/models/%ff',
    ]) {
      const answer = await ask({ port: portOf(0) }, where, { headers: { host: `127.0.0.1:${portOf(0)}` } });
      assert.match(code(answer) ?? '', /^Invalid(?:URI|Argument)$/, where);
    }
    const asking = (upgrade?: string): Promise<Answer> => {
      const more = upgrade === undefined ? {} : { connection: 'upgrade', upgrade };
      return ask({ port: portOf(0) }, '/models/empty', { headers: { host: `127.0.0.1:${portOf(0)}`, ...more } });
    };
    assert.equal(code(await asking('websocket')), 'NotImplemented');
    assert.equal((await asking('h2c')).status, (await asking()).status, 'an offer may be passed over');
    const moved = new AwsV4Signer({
      url: `http://127.0.0.1:${portOf(0)}/models/empty`,
      accessKeyId: reader.accessKeyID,
      secretAccessKey: reader.secretKey,
      service: 's3',
      region: 'eu-test-1',
    });
    const header = Object.fromEntries((await moved.sign()).headers);
    const host = `127.0.0.1:${portOf(0)}`;
    const sent = (where: string, more: Record<string, string> = {}): Promise<Answer> =>
      ask({ port: portOf(0) }, where, { headers: { ...header, host, ...more } });
    assert.equal((await sent('/models/empty')).status, 200);
    assert.equal(code(await sent('/private/secret')), 'SignatureDoesNotMatch');
    assert.equal(code(await sent('/models/empty?versionId=1')), 'SignatureDoesNotMatch');
    assert.equal(code(await sent('/models/empty', { 'x-amz-expected-bucket-owner': '1' })), 'AccessDenied');
  });

  it('errors of the store are in its own words, and what is held is given while it is ill', async () => {
    const missing = await at(3, '/models/models/none', { key: reader });
    assert.equal(missing.status, 404);
    assert.equal(code(missing), 'NoSuchKey');
    assert.ok((await at(3, '/private/secret', { key: reader })).body.equals(secret));
    store.ill = true;
    try {
      assert.ok((await at(3, '/private/secret', { key: reader })).body.equals(secret));
      assert.ok((await at(3, path, { key: reader })).body.equals(model));
      assert.equal(code(await at(3, '/private/secret', { key: stranger })), 'SignatureDoesNotMatch');
      assert.equal((await at(3, '/models/models/none', { key: reader })).status, 503);
    } finally {
      store.ill = false;
    }
  });

  it('an object that has changed is another one', async () => {
    const [first, later] = [randomBytes(500_000), randomBytes(500_000)];
    store.objects.set('private/changing', first);
    assert.ok((await at(4, '/private/changing', { key: reader })).body.equals(first));
    store.objects.set('private/changing', later);
    assert.ok((await at(5, '/private/changing', { key: reader })).body.equals(later));
    // This node was told of the first one an hour ago or less, and has it.
    assert.ok((await at(4, '/private/changing', { key: reader })).body.equals(first));
    store.objects.set('private/moving', first);
    assert.equal((await at(4, '/private/moving', { key: reader, method: 'HEAD' })).status, 200);
    store.objects.set('private/moving', later);
    const answer = await at(4, '/private/moving', { key: reader });
    assert.ok(answer.body.equals(later), 'what was told of it did not hold, so it was asked again');
  });

  it('a version that was asked for is the one that is fetched', async () => {
    store.objects.set('private/versioned', secret);
    const answer = await at(7, '/private/versioned?versionId=v%2F1', { key: reader });
    assert.ok(answer.body.equals(secret));
    const asked = store.origin.seen.filter(({ url }) => url.includes('versioned')).map(({ url }) => url);
    assert.deepEqual(new Set(asked), new Set(['/private/versioned?versionId=v%2F1']));
  });

  it('lists the buckets a key may use, and counts by bucket', async () => {
    const names = async (key: Signing['key']): Promise<string[]> =>
      [...(await at(0, '/', { key })).body.toString().matchAll(/<Name>([^<]*)/g)].map(([, name = '']) => name);
    assert.deepEqual(await names(reader), ['models', 'private']);
    assert.deepEqual(await names(narrow), ['models']);
    const metrics = (await nodes[0]?.service.registry.metrics()) ?? '';
    assert.match(metrics, /dragonfly_dfdaemon_s3_request_total\{bucket="models",way="peers"\} [1-9]/);
    assert.match(metrics, /dragonfly_dfdaemon_s3_request_total\{bucket="private",way="refused"\} [1-9]/);
  });
});
