/** What an origin tells one caller about himself is not told to another, whoever asked at the same time, or before. */
import assert from 'node:assert/strict';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { LocalSwarm } from '../../support/local-swarm.ts';
import { ask, serveBody, startDaemon, startOrigin, type Origin, type ProxiedDaemon } from '../support/proxy-fixture.ts';

const body = Buffer.alloc(100_000, 'content');
const manifest = Buffer.from('{"schemaVersion":2,"layers":[]}');
const proxy = { proxies: [{ regx: '.*' }] };

describe('an origin that sets a cookie with each answer', () => {
  const closers = new AsyncDisposableStack();
  let origin: Origin;
  let nodes: Record<'alone' | 'first' | 'second', ProxiedDaemon>;
  let answers = 0;
  const cookieOf = ({ headers }: { headers: IncomingHttpHeaders }): string | undefined => headers['set-cookie']?.[0];
  before(async () => {
    const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      answers += 1;
      const own = { 'set-cookie': `sid=${answers}`, 'x-user': request.headers.authorization ?? 'nobody' };
      await delay(100); // so that others ask meanwhile
      if (!request.url?.startsWith('/v2/')) return serveBody(body, { etag: '"one"', ...own })(request, response);
      const same = request.headers['if-none-match'] === '"m"';
      const header = { 'content-type': 'application/vnd.oci.image.manifest.v1+json', etag: '"m"', ...own };
      response.writeHead(same ? 304 : 200, { ...header, 'ratelimit-remaining': String(100 - answers) });
      response.end(same ? undefined : manifest);
    };
    origin = closers.use(await startOrigin((request, response) => void answer(request, response)));
    const swarm = closers.use(await LocalSwarm.create());
    const schedulers = [await swarm.startScheduler()];
    const start = async (options: Parameters<typeof startDaemon>[0]) => closers.use(await startDaemon(options));
    nodes = {
      alone: await start({ proxy }),
      first: await start({ proxy, schedulers, more: { host: { advertiseIP: '127.0.0.1', hostname: 'first' } } }),
      second: await start({ proxy, schedulers, more: { host: { advertiseIP: '127.0.0.1', hostname: 'second' } } }),
    };
  });
  after(() => closers.disposeAsync());

  for (const name of ['alone', 'first', 'second'] as const)
    for (const [what, path] of [
      ['an object', `/file-${name}`],
      ['an object that is stored', `/file-${name}`],
      ['a manifest', `/v2/a/manifests/${name}`],
      ['a manifest that is known', `/v2/a/manifests/${name}`],
    ] as const)
      test(`node ${name}: of three that ask at once for ${what}, none gets the cookie of another`, async () => {
        const got = await Promise.all([1, 2, 3].map(() => ask(nodes[name], `${origin.url}${path}`)));
        for (const { status } of got) assert.equal(status, 200);
        const cookies = got.map(cookieOf).filter((cookie) => cookie !== undefined);
        assert.ok(cookies.length >= 1);
        assert.equal(new Set(cookies).size, cookies.length, String(cookies));
      });

  test('a manifest that is known from one caller comes to another with what the registry tells him', async () => {
    const [a, b] = [{ authorization: 'Bearer a' }, { authorization: 'Bearer b' }];
    const first = await ask(nodes.alone, `${origin.url}/v2/b/manifests/v1`, { headers: a });
    const second = await ask(nodes.alone, `${origin.url}/v2/b/manifests/v1`, { headers: b });
    assert.ok(second.body.equals(manifest));
    assert.notEqual(cookieOf(second), cookieOf(first));
    assert.equal(second.headers['x-user'], 'Bearer b');
    assert.notEqual(second.headers['ratelimit-remaining'], first.headers['ratelimit-remaining']);
  });

  test('while the origin is away, nobody sees what another caller was told last', async () => {
    const path = `${origin.url}/away`;
    for (const authorization of ['Bearer a', 'Bearer b']) await ask(nodes.alone, path, { headers: { authorization } });
    origin.server.closeAllConnections();
    origin.server.close();
    const got = await ask(nodes.alone, path, { headers: { authorization: 'Bearer a' } });
    assert.equal(got.status, 200);
    assert.ok(got.body.equals(body));
    assert.equal(cookieOf(got), undefined);
    assert.notEqual(got.headers['x-user'], 'Bearer b');
  });
});
