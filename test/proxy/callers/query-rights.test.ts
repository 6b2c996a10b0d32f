/** A right that lies in the query of a URL is a right of whoever has that query, and opens nothing to those without it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { LocalSwarm } from '../../support/local-swarm.ts';
import { ask, serveBody, startDaemon, startOrigin, type Origin, type ProxiedDaemon } from '../support/proxy-fixture.ts';

const body = Buffer.alloc(90_000, 'secret');
const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, layers: [{ digest, size: body.length }] }));

describe('a right in the query', () => {
  const closers = new AsyncDisposableStack();
  let origin: Origin;
  let nodes: Record<'alone' | 'first' | 'second', ProxiedDaemon>;
  let away = false;
  before(async () => {
    origin = closers.use(
      await startOrigin((request, response) => {
        if (away) return void request.socket.destroy();
        if (!/[?&](?:token|X-Amz-Signature)=good$/.test(request.url ?? ''))
          return void response.writeHead(403).end('no');
        const isManifest = request.url?.includes('/manifests/') === true;
        serveBody(isManifest ? manifest : body, { etag: isManifest ? '"m"' : '"b"' })(request, response);
      }),
    );
    const swarm = closers.use(await LocalSwarm.create());
    const schedulers = [await swarm.startScheduler()];
    const proxy = { proxies: [{ regx: '.*' }] };
    const host = (hostname: string) => ({ host: { advertiseIP: '127.0.0.1', hostname } });
    const start = async (options: Parameters<typeof startDaemon>[0]) => closers.use(await startDaemon(options));
    nodes = {
      alone: await start({ proxy }),
      first: await start({ proxy, schedulers, more: host('first') }),
      second: await start({ proxy, schedulers, more: host('second') }),
    };
  });
  after(() => closers.disposeAsync());

  for (const param of ['token', 'X-Amz-Signature'])
    for (const path of [`/v2/a/blobs/${digest}`, '/files/a.bin'])
      for (const state of ['there', 'away'])
        test(`${param} of ${path.slice(0, 24)}…, the origin is ${state}`, async () => {
          away = false;
          const status = async (node: ProxiedDaemon, query: string): Promise<number> =>
            (await ask(node, `${origin.url}${path}${query}`)).status;
          for (const node of Object.values(nodes)) assert.equal(await status(node, `?${param}=good`), 200);
          away = state === 'away';
          for (const node of Object.values(nodes)) {
            assert.equal(await status(node, `?${param}=good`), 200, 'who has it');
            for (const query of ['', `?${param}=bad`])
              assert.ok((away ? [403, 502, 503] : [403]).includes(await status(node, query)), `with "${query}"`);
          }
        });

  test('a manifest that came by such a URL opens no blob to others', async () => {
    away = false;
    assert.equal((await ask(nodes.alone, `${origin.url}/v2/b/manifests/v1?token=good`)).status, 200);
    assert.equal((await ask(nodes.alone, `${origin.url}/v2/b/blobs/${digest}`)).status, 403);
  });
});
