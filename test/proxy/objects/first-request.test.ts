/** What nobody knows yet: the client's own request is the question and the fetch in one. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { LocalSwarm } from '../../support/local-swarm.ts';
import { OriginalScheduler } from '../../support/original-scheduler.ts';
import {
  ask,
  serveBody,
  startDaemon,
  startOrigin,
  type ProxiedDaemon,
  type SeenRequest,
} from '../support/proxy-fixture.ts';

describe('of what nobody knows', () => {
  const content = randomBytes(3 * 2 ** 20);
  let swarm: LocalSwarm;
  let nodes: ProxiedDaemon[];
  before(async () => {
    swarm = await LocalSwarm.create();
    // A scheduler that has just started waits for those who may hold something already.
    const swarmLimits = { resumeMs: 0, resumeKnownMs: 0 };
    nodes = await startNodes(await swarm.startScheduler(0, undefined, undefined, { swarmLimits }));
  });
  after(async () => {
    for (const node of nodes) await node[Symbol.asyncDispose]();
    await swarm[Symbol.asyncDispose]();
  });

  /** Every node in turn; what the origin has seen. */
  async function seen(listener: RequestListener, check: (answer: Awaited<ReturnType<typeof ask>>) => void) {
    await using origin = await startOrigin(listener);
    for (const node of nodes) check(await ask(node, `${origin.url}/object`));
    return origin.seen.map(({ headers }: SeenRequest) => headers.range ?? 'whole');
  }

  for (const status of [401, 403, 404, 410, 500]) {
    test(`an origin that answers ${status} is asked once for each caller`, async () => {
      const refusal = Buffer.from(`in the origin's own words: ${status}`);
      const asked = await seen(
        (_, response) => response.writeHead(status, { 'content-length': refusal.length }).end(refusal),
        (answer) => {
          assert.equal(answer.status, status);
          assert.ok(answer.body.equals(refusal));
        },
      );
      assertNoQuestionsFirst(asked);
    });
  }

  for (const [name, header] of Object.entries({ no: {}, 'a weak': { etag: 'W/"weak"' } })) {
    test(`an object with ${name} validator is asked for once for each caller`, async () => {
      const asked = await seen(serveBody(content, header), (answer) => {
        assert.equal(answer.status, 200);
        assert.ok(answer.body.equals(content));
      });
      assertNoQuestionsFirst(asked);
    });
  }

  test('an object that has a name leaves its origin by the first request, the others ask about it', async () => {
    const asked = await seen(serveBody(content, { etag: '"named"' }), (answer) => {
      assert.equal(answer.status, 200);
      assert.ok(answer.body.equals(content));
    });
    assert.equal(asked.filter((range) => range === 'whole').length, 1);
  });

  test('a part of what nobody knows is asked for by the client’s own request', async () => {
    const part = { first: 1_000_000, last: 1_999_999 };
    await using origin = await startOrigin((request, response) =>
      serveBody(content, { etag: '"parts"' })(request, response),
    );
    const range = `bytes=${part.first}-${part.last}`;
    for (const node of nodes) {
      const answer = await ask(node, `${origin.url}/parts`, { headers: { range } });
      assert.equal(answer.status, 206);
      assert.equal(answer.headers['content-range'], `bytes ${part.first}-${part.last}/${content.length}`);
      assert.ok(answer.body.equals(content.subarray(part.first, part.last + 1)));
    }
    const asked = origin.seen.map(({ headers }) => headers.range);
    assert.equal(asked[0], range);
    assert.equal(asked.filter((one) => one === range).length, 1, asked.join(' '));
  });

  for (const [name, header, status] of [
    ['the end', 'bytes=-5000', 206],
    ['what lies behind the end', 'bytes=99999999-', 416],
    ['everything, as a part', 'bytes=0-', 206],
  ] as const) {
    test(`${name} of what nobody knows is answered as its origin would`, async () => {
      const give = serveBody(content, { etag: '"ends"', 'content-md5': 'of this very answer' });
      await using origin = await startOrigin((request, response) => {
        const suffix = /^bytes=-(\d+)$/.exec(request.headers.range ?? '')?.[1];
        if (suffix !== undefined) request.headers.range = `bytes=${content.length - Number(suffix)}-`;
        give(request, response);
      });
      for (const node of nodes) {
        const answer = await ask(node, `${origin.url}/ends`, { headers: { range: header } });
        assert.equal(answer.status, status);
        if (status === 206) assert.ok(answer.body.equals(content.subarray(header === 'bytes=0-' ? 0 : -5000)));
        else assert.equal(answer.headers['content-range'], `bytes */${content.length}`);
      }
      const whole = await ask(nodes[0] as ProxiedDaemon, `${origin.url}/ends`);
      assert.ok(whole.body.equals(content));
    });
  }

  test('apt’s way to write a flat repository is asked about as it is written, and shared', async () => {
    const content = randomBytes(2 ** 20);
    await using origin = await startOrigin(serveBody(content, { etag: '"deb"' }));
    for (const node of nodes) {
      const answer = await ask(node, `${origin.url}/flat/./tried_1_all.deb?a=./b`);
      assert.equal(answer.status, 200);
      assert.ok(answer.body.equals(content));
    }
    assert.deepEqual(new Set(origin.seen.map(({ url }) => url)), new Set(['/flat/./tried_1_all.deb?a=./b']));
    assert.equal(origin.seen.filter(({ headers }) => headers.range === undefined).length, 1);
  });

  test('a redirect to a page is the client’s own answer, and is asked for once', async () => {
    const asked = await seen(
      (request, response) => {
        if (request.url === '/object') return void response.writeHead(302, { location: '/login' }).end();
        response.writeHead(200, { 'content-type': 'text/html', etag: '"page"', 'content-length': 4 }).end('page');
      },
      (answer) => {
        assert.equal(answer.status, 302);
        assert.equal(answer.headers.location, '/login');
      },
    );
    assert.ok(asked.length < 4 * nodes.length, `${asked.length} requests for the redirect, and for where it leads`);
  });
});

test('at a scheduler of the original the first node alone fetches an object that has a name', async () => {
  await using scheduler = await OriginalScheduler.start();
  await using started = new AsyncDisposableStack();
  const nodes = await startNodes(scheduler.address);
  for (const node of nodes) started.use(node);
  const content = randomBytes(3 * 2 ** 20);
  await using origin = await startOrigin(serveBody(content, { etag: '"named"' }));
  for (const node of nodes) assert.ok((await ask(node, `${origin.url}/object`)).body.equals(content));
  const asked = origin.seen.map(({ headers }: SeenRequest) => headers.range ?? 'whole');
  assert.equal(asked.filter((range) => range === 'whole').length, 1, asked.join(' '));
});

function startNodes(scheduler: string): Promise<ProxiedDaemon[]> {
  const start = (hostname: string) =>
    startDaemon({
      proxy: { proxies: [{ regx: '.*' }] },
      schedulers: [scheduler],
      more: { host: { advertiseIP: '127.0.0.1', hostname } },
    });
  return Promise.all(['one', 'two', 'three'].map(start));
}

/** On a busy machine the scheduler may not have answered a node in time, which asks first then. */
function assertNoQuestionsFirst(asked: readonly string[]): void {
  const whole = asked.filter((range) => range === 'whole').length;
  assert.equal(whole, 3, asked.join(' '));
  assert.ok(asked.length < 2 * whole, asked.join(' '));
}

test('a part of an object whose entity tag differs between question and fetch arrives', async () => {
  await using daemon = await startDaemon({ proxy: { proxies: [{ regx: '.*' }] } });
  const content = randomBytes(9_000_000);
  let fetches = 0;
  await using origin = await startOrigin((request, response) => {
    if (request.headers.range !== 'bytes=0-0') fetches += 1;
    serveBody(content, { etag: fetches > 1 ? '"replica-2"' : '"replica-1"' })(request, response);
    if (request.headers.range === 'bytes=0-0') fetches = Math.min(fetches, 1);
  });
  for (const start of [100, 5_000_000, 7_000_000]) {
    const answer = await ask(daemon, `${origin.url}/file`, { headers: { range: `bytes=${start}-${start + 99}` } });
    assert.equal(answer.status, 206);
    assert.ok(answer.body.equals(content.subarray(start, start + 100)), `from ${start}`);
  }
});
