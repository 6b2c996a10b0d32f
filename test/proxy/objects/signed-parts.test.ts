/** Parts whose range is signed: each caller's own request decides, and a part leaves the origin once. */
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { after, before, beforeEach, describe, test } from 'node:test';
import { SchedulerLiveDefinition } from '../../../gen/scheduler/v2/live.ts';
import { createClient } from '../../../src/rpc/client.ts';
import { LocalSwarm } from '../../support/local-swarm.ts';
import { waitFor } from '../../support/wait-for.ts';
import { ask, startDaemon, startOrigin, type Origin, type ProxiedDaemon } from '../support/proxy-fixture.ts';

const secrets: Record<string, string> = { alice: 'wonderland', bob: 'builder' };
const partBytes = 2 ** 20 + 7;

/** In the manner of SigV4: the key's name, which fields are covered, and their digest under the key's secret. */
function signed(key: string, path: string, range: string, { secret = secrets[key] ?? '', ifMatch = '' } = {}) {
  const date = `${Date.now()}-${randomBytes(4).toString('hex')}`;
  const signature = createHmac('sha256', secret).update([path, range, ifMatch, date].join('\n')).digest('hex');
  const names = ifMatch ? 'host;if-match;range;x-amz-date' : 'host;range;x-amz-date';
  return {
    range,
    'x-amz-date': date,
    authorization: `AWS4-HMAC-SHA256 Credential=${key}/20261130/us-east-1/s3/aws4_request, SignedHeaders=${names}, Signature=${signature}`,
    ...(ifMatch && { 'if-match': ifMatch }),
  };
}

describe('parts with a signed range', () => {
  let swarm: LocalSwarm;
  let nodes: ProxiedDaemon[];
  let scheduler: string;
  let origin: Origin;
  let content: Buffer;
  let etag: string;
  const readers = new Set(['alice', 'bob']);
  const sent = { bytes: 0, breakAt: Infinity, honoursConditions: true };

  function store(request: IncomingMessage, response: ServerResponse): void {
    const { authorization = '', range = '', 'x-amz-date': date, 'if-match': ifMatch = '' } = request.headers;
    const key = /Credential=(\w+)\//.exec(authorization)?.[1] ?? '';
    const wanted = createHmac('sha256', secrets[key] ?? randomBytes(8)).update(
      [request.url, range, ifMatch, date].join('\n'),
    );
    const mayRead = readers.has(key) && authorization.endsWith(`Signature=${wanted.digest('hex')}`);
    if (!mayRead) return void response.writeHead(403, { 'content-length': 6 }).end('denied');
    if (ifMatch && ifMatch !== etag) return void response.writeHead(412, { 'content-length': 0 }).end();
    if (sent.honoursConditions && request.headers['if-none-match'] === etag)
      return void response.writeHead(304, { etag }).end();
    const [, first = '', last = ''] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    const body = content.subarray(Number(first), Number(last) + 1);
    const place = `bytes ${first}-${Number(first) + body.length - 1}/${content.length}`;
    response.writeHead(206, {
      etag,
      'content-length': body.length,
      'content-range': place,
      'x-amz-meta-owner': 'alice',
    });
    if (body.length > sent.breakAt) {
      response.write(body.subarray(0, sent.breakAt), () => response.destroy());
      sent.breakAt = Infinity;
      return;
    }
    sent.bytes += body.length;
    response.end(body);
  }

  before(async () => {
    swarm = await LocalSwarm.create();
    scheduler = await swarm.startScheduler();
    const schedulers = [scheduler];
    const start = (hostname: string) =>
      startDaemon({
        proxy: { proxies: [{ regx: '.*' }] },
        schedulers,
        more: { host: { advertiseIP: '127.0.0.1', hostname } },
      });
    nodes = await Promise.all(['one', 'two', 'three'].map(start));
  });
  after(async () => {
    for (const node of nodes) await node[Symbol.asyncDispose]();
    await swarm[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    content = randomBytes(3 * partBytes - 11);
    etag = `"${randomBytes(8).toString('hex')}"`;
    Object.assign(sent, { bytes: 0, breakAt: Infinity, honoursConditions: true });
    await origin?.[Symbol.asyncDispose]();
    origin = await startOrigin(store);
  });
  after(() => origin[Symbol.asyncDispose]());

  const rangeOf = (part: number): string => `bytes=${part * partBytes}-${(part + 1) * partBytes - 1}`;
  const get = (
    node: number,
    part: number,
    { key = 'alice', ...more }: { key?: string; secret?: string; ifMatch?: string } = {},
  ) =>
    ask(nodes[node] as ProxiedDaemon, `${origin.url}/models/weights`, {
      headers: signed(key, '/models/weights', rangeOf(part), more),
    });

  function assertPart(answer: Awaited<ReturnType<typeof ask>>, part: number): void {
    const bytes = content.subarray(part * partBytes, (part + 1) * partBytes);
    const start = part * partBytes;
    assert.equal(answer.status, 206);
    assert.equal(answer.headers['content-range'], `bytes ${start}-${start + bytes.length - 1}/${content.length}`);
    assert.equal(answer.headers['content-length'], String(bytes.length));
    assert.equal(answer.headers.etag, etag);
    assert.equal(answer.headers['x-amz-meta-owner'], 'alice');
    assert.ok(!Object.keys(answer.headers).includes('x-dragonfly-part'));
    assert.ok(answer.body.equals(bytes));
  }

  test('three nodes ask for all parts at once: each caller is asked for, and each byte leaves the origin once', async () => {
    const wanted = nodes.flatMap((_, node) => [0, 1, 2].map((part) => ({ node, part })));
    await Promise.all(wanted.map(async ({ node, part }) => assertPart(await get(node, part), part)));
    assert.equal(sent.bytes, content.length);
    assert.equal(origin.seen.length, wanted.length, 'each request of a client reaches the origin, and no other');
  });

  test('what is held is given to whom the origin answers, and to nobody else', async () => {
    assertPart(await get(0, 1), 1);
    for (const node of [0, 1, 2]) {
      assertPart(await get(node, 1, { key: 'bob' }), 1);
      const forged = await get(node, 1, { secret: 'guessed' });
      assert.deepEqual([forged.status, forged.body.toString()], [403, 'denied']);
      const stranger = await get(node, 1, { key: 'mallory', secret: 'own' });
      assert.equal(stranger.status, 403);
    }
    readers.delete('bob');
    assert.equal((await get(1, 1, { key: 'bob' })).status, 403);
    readers.add('bob');
    assert.equal(sent.bytes, partBytes);
  });

  test('a changed object is given as it is now', async () => {
    assertPart(await get(0, 0), 0);
    content = randomBytes(content.length);
    etag = '"second"';
    for (const node of [0, 1, 2]) assertPart(await get(node, 0), 0);
  });

  test('a condition that the client has signed is decided by the origin', async () => {
    assertPart(await get(0, 0, { ifMatch: etag }), 0);
    assertPart(await get(1, 0, { ifMatch: etag }), 0);
    assert.equal(sent.bytes, partBytes);
    assert.equal((await get(2, 0, { ifMatch: '"other"' })).status, 412);
  });

  test('an origin that knows no conditions answers each caller itself', async () => {
    sent.honoursConditions = false;
    for (const node of [0, 1, 2]) assertPart(await get(node, 2), 2);
  });

  test('a part that breaks off is nobody’s whole part', async () => {
    sent.breakAt = 300_000;
    const answers = await Promise.allSettled([0, 1, 2].map((node) => get(node, 0)));
    for (const answer of answers) if (answer.status === 'fulfilled') assertPart(answer.value, 0);
    for (const node of [0, 1, 2]) assertPart(await get(node, 0), 0);
  });

  test('what a node only says that it holds is not taken: each caller has the store’s own bytes', async () => {
    assertPart(await get(0, 1), 1);
    await swarm.stopScheduler(scheduler);
    await swarm.startScheduler(Number(scheduler.split(':').at(-1)));
    const live = createClient(SchedulerLiveDefinition, swarm.channels, scheduler);
    await waitFor('the scheduler to be told of the part', async () => {
      for await (const { tasks } of live.watchTasks({ intervalMs: 0 }, { timeoutMs: 5_000 })) return tasks.length > 0;
      return false;
    });
    sent.bytes = 0;
    assertPart(await get(1, 1), 1);
    assert.equal(sent.bytes, partBytes);
    assertPart(await get(1, 1), 1);
    assert.equal(sent.bytes, partBytes, 'what this node has fetched itself is its own');
  });
});
