/**
 * An origin that accepts connections and says nothing: whoever has another place to go to, or something held here, is answered soon; a
 * client that has neither waits for long, and gets an answer of the proxy in the end, never a broken connection.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { proxyLimits } from '../../../src/dfdaemon/proxy/limits.ts';
import { ask, serveBody, startDaemon, startOrigin, type Origin, type ProxiedDaemon } from '../support/proxy-fixture.ts';

const soonMs = 700;
const longMs = 4000;
Object.assign(proxyLimits, {
  connectTimeoutMs: 300,
  probeTimeoutMs: 500,
  upstreamHeaderTimeoutMs: soonMs,
  ownSilenceMs: longMs,
  ownSilenceMarginMs: 1000,
});

describe('an origin that hangs', { timeout: 60_000 }, () => {
  const closers = new AsyncDisposableStack();
  const blob = Buffer.alloc(80_000, 'x');
  const digest = `sha256:${createHash('sha256').update(blob).digest('hex')}`;
  const manifest = Buffer.from('{"schemaVersion":2}');
  let origin: Origin;
  let node: ProxiedDaemon;
  let hangs = false;
  before(async () => {
    origin = closers.use(
      await startOrigin((request, response) => {
        if (hangs) return;
        const isBlob = /blobs|file/.test(request.url ?? '');
        serveBody(isBlob ? blob : manifest, { etag: '"a"' })(request, response);
      }),
    );
    node = closers.use(
      await startDaemon({ proxy: { registryMirror: { url: origin.url }, proxies: [{ regx: 'file' }] } }),
    );
    for (const path of ['/v2/a/manifests/v1', `/v2/a/blobs/${digest}`, `${origin.url}/v2/a/manifests/v1`])
      assert.equal((await ask(node, path)).status, 200);
    assert.equal((await ask(node, `${origin.url}/file`)).body.length, blob.length);
    hangs = true;
  });
  after(() => closers.disposeAsync());

  const cases: readonly (readonly [string, string, (url: string) => string, number, 'soon' | 'long'])[] = [
    ['a manifest that is known is served at the mirror', 'GET', () => '/v2/a/manifests/v1', 200, 'soon'],
    ['and by the forward proxy', 'GET', (url) => `${url}/v2/a/manifests/v1`, 200, 'soon'],
    ['an object that is held is served', 'GET', (url) => `${url}/file`, 200, 'soon'],
    ['its HEAD is', 'HEAD', (url) => `${url}/file`, 200, 'soon'],
    ['the ping of the mirror is answered', 'GET', () => '/v2/', 200, 'soon'],
    ['an engine is told soon of what is not held', 'GET', () => '/v2/b/tags/list', 502, 'soon'],
    ['also of a manifest', 'GET', () => '/v2/b/manifests/v1', 503, 'soon'],
    ['a client of the forward proxy waits, and is told', 'GET', (url) => `${url}/other`, 502, 'long'],
    ['so for what a rule shares and nobody has', 'GET', (url) => `${url}/file-2`, 502, 'long'],
    ['and for its HEAD', 'HEAD', (url) => `${url}/file-2`, 502, 'long'],
  ];
  for (const [what, method, path, status, when] of cases)
    test(what, async () => {
      const startMs = performance.now();
      const answer = await ask(node, path(origin.url), { method });
      const tookMs = performance.now() - startMs;
      assert.equal(answer.status, status);
      if (when === 'soon') assert.ok(tookMs < longMs - 500, `took ${tookMs} ms`);
      else assert.ok(tookMs >= longMs - 100, `took ${tookMs} ms`);
    });
});
