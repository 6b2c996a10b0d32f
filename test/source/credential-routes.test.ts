/** Where secrets go when an origin sends a client elsewhere: the rules, and every client that follows redirects or asks for tokens. */
import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { describe, test } from 'node:test';
import { headerTowards, mayLogIn, tokenService } from '../../src/core/net/credential-routes.ts';
import { silentLogger } from '../../src/core/process/logger.ts';
import { parseAuthChallenges } from '../../src/core/oci/auth-challenge.ts';
import { Sources } from '../../src/dfdaemon/source/sources.ts';
import { Egress } from '../../src/rpc/registry/egress.ts';
import { findImage } from '../../src/rpc/registry/image.ts';
import { RegistryClient } from '../../src/rpc/registry/registry-client.ts';
import { ask, startDaemon, startOrigin, type Origin } from '../proxy/support/proxy-fixture.ts';

const secrets = {
  authorization: 'Bearer secret-1',
  cookie: 'session=secret-2',
  'private-token': 'secret-3',
  'x-jfrog-art-api': 'secret-4',
};
const content = Buffer.from('what is behind the redirect');

describe('the rules', () => {
  const logins: [service: string, registry: string, allowed: boolean][] = [
    ['https://registry.example.org/token', 'https://registry.example.org', true],
    ['https://registry.example.org:8443/token', 'https://registry.example.org', true],
    ['https://auth.docker.io/token', 'https://registry-1.docker.io', true],
    ['https://gitlab.com/jwt/auth', 'https://registry.gitlab.com', true],
    ['https://gitlab.example.org/jwt/auth', 'https://registry.example.org:5050', true],
    ['https://dockerauth.cn-hangzhou.aliyuncs.com/auth', 'https://registry.cn-hangzhou.aliyuncs.com', true],
    ['https://authn.nvidia.com/token', 'https://nvcr.io', true],
    ['https://evil.example.net/token', 'https://registry.example.org', false],
    ['https://docker.io.evil.net/token', 'https://registry-1.docker.io', false],
    ['https://evil.co.uk/token', 'https://registry.co.uk', false],
    ['https://evil.com/token', 'https://registry.com', false],
    ['http://127.0.0.2/token', 'http://127.0.0.1', false],
    ['http://127.0.0.1:1/token', 'http://127.0.0.1:2', true],
    ['https://10.0.0.2/token', 'https://10.0.0.1', false],
    ['https://[::2]/token', 'https://[::1]', false],
    ['https://localhost/token', 'https://registry', false],
  ];
  for (const [service, registry, allowed] of logins)
    test(`${service} ${allowed ? 'gets' : 'does not get'} the login for ${registry}`, () =>
      assert.equal(mayLogIn(new URL(service), new URL(registry)), allowed));

  const realms: [realm: string, registry: string, safe: boolean][] = [
    ['https://a/token', 'https://a', true],
    ['http://a/token', 'http://a', true],
    ['https://a/token', 'http://a', true],
    ['http://a/token', 'https://a', false],
    ['ftp://a/token', 'http://a', false],
    ['', 'https://a', false],
  ];
  for (const [realm, registry, safe] of realms)
    test(`the realm "${realm}" of ${registry} is ${safe ? 'asked' : 'refused'}`, () => {
      const [challenge] = parseAuthChallenges(`Bearer realm="${realm}",service="s"`);
      assert.ok(challenge);
      const service = (): string => tokenService(challenge, new URL(registry), { repository: 'a/b' }).search;
      if (safe) assert.equal(service(), '?service=s&scope=repository%3Aa%2Fb%3Apull');
      else assert.throws(service, { code: 'PROTOCOL' });
    });

  const ways: [from: string, to: string, kept: boolean][] = [
    ['https://a/x', 'https://a/y', true],
    ['https://a/x', 'https://a:443/y', true],
    ['https://a/x', 'http://a/x', false],
    ['http://a/x', 'https://a/x', false],
    ['https://a/x', 'https://a:8443/x', false],
    ['https://a/x', 'https://b.a/x', false],
  ];
  for (const [from, to, kept] of ways)
    test(`from ${from} to ${to} secrets ${kept ? 'are kept' : 'stay behind'}`, () => {
      const header = { ...secrets, accept: 'a/b', range: 'bytes=0-1' };
      const sent = headerTowards(new URL(to), new URL(from), header);
      assert.deepEqual(sent, kept ? header : { accept: 'a/b', range: 'bytes=0-1' });
    });
});

describe('every client', { timeout: 120_000 }, () => {
  const secretIn = ({ headers }: { readonly headers: IncomingHttpHeaders }): string[] =>
    Object.entries(headers).flatMap(([name, value]) => (/secret|Basic/.test(String(value)) ? [name] : []));

  function requireNoSecret(elsewhere: Origin): void {
    assert.ok(elsewhere.seen.length > 0, 'it was asked');
    assert.deepEqual(elsewhere.seen.flatMap(secretIn), []);
  }

  /** Another origin, and one that redirects everything to it. */
  async function redirectingPair(cleanup: AsyncDisposableStack): Promise<{ origin: Origin; elsewhere: Origin }> {
    const elsewhere = cleanup.use(
      await startOrigin((_request, response) => {
        response.writeHead(200, { 'content-length': content.length, etag: '"1"' }).end(content);
      }),
    );
    const redirect = { location: `${elsewhere.url}/there` };
    const origin = cleanup.use(await startOrigin((_request, response) => response.writeHead(307, redirect).end()));
    return { origin, elsewhere };
  }

  const sourceOf = (cleanup: AsyncDisposableStack): Sources => cleanup.use(new Sources({ logger: silentLogger }));

  const registryOf = (cleanup: AsyncDisposableStack): RegistryClient =>
    cleanup.use(
      new RegistryClient({
        egress: new Egress({ allow: ['127.0.0.0/8'], deny: [], ownPorts: () => new Set() }),
        timeoutMs: 10_000,
        insecure: () => false,
      }),
    );
  const signal = (): AbortSignal => AbortSignal.timeout(20_000);
  const image = { headers: {}, username: 'user', password: 'secret', platform: 'linux/amd64' };

  test('a download over HTTP', async () => {
    await using cleanup = new AsyncDisposableStack();
    const { origin, elsewhere } = await redirectingPair(cleanup);
    const body = await sourceOf(cleanup).open({ url: `${origin.url}/x`, header: secrets, signal: signal() });
    await body.readTo(() => undefined);
    assert.deepEqual(origin.seen.flatMap(secretIn).sort(), Object.keys(secrets).sort());
    requireNoSecret(elsewhere);
  });

  test('a download from a hub', async () => {
    await using cleanup = new AsyncDisposableStack();
    const { origin, elsewhere } = await redirectingPair(cleanup);
    const hub = { token: 'secret', revision: 'main', baseUrl: origin.url };
    const request = { url: 'hf://owner/name/file', header: {}, hub, signal: signal() };
    await (await sourceOf(cleanup).open(request)).readTo(() => undefined);
    assert.deepEqual(origin.seen.flatMap(secretIn), ['authorization']);
    requireNoSecret(elsewhere);
  });

  test('the proxy, which asks for its callers', async () => {
    await using cleanup = new AsyncDisposableStack();
    const { origin, elsewhere } = await redirectingPair(cleanup);
    const daemon = cleanup.use(await startDaemon({ proxy: { rules: [{ regx: '.*' }] } }));
    const answer = await ask(daemon, `${origin.url}/x`, { headers: secrets });
    assert.ok([200, 307].includes(answer.status));
    if (elsewhere.seen.length > 0) requireNoSecret(elsewhere);
  });

  test('a preheat of an image that is redirected', async () => {
    await using cleanup = new AsyncDisposableStack();
    const { origin, elsewhere } = await redirectingPair(cleanup);
    const request = { ...image, username: undefined, headers: secrets, url: `${origin.url}/v2/a/b/manifests/1` };
    await assert.rejects(findImage(registryOf(cleanup), request, signal()));
    assert.deepEqual(origin.seen.flatMap(secretIn).sort(), Object.keys(secrets).sort());
    requireNoSecret(elsewhere);
  });

  /** Wants a token of a service at another address than its own. */
  async function challenging(cleanup: AsyncDisposableStack): Promise<{ registry: Origin; service: Origin }> {
    const service = cleanup.use(
      await startOrigin((_request, response) => response.writeHead(200).end(JSON.stringify({ token: 't' }))),
    );
    const realm = `${service.url.replace('127.0.0.1', 'localhost')}/token`;
    const challenge = { 'www-authenticate': `Bearer realm="${realm}",service="s"` };
    const registry = cleanup.use(
      await startOrigin((request, response) => {
        const known = request.headers.authorization === 'Bearer t';
        response.writeHead(known ? 404 : 401, known ? {} : challenge).end();
      }),
    );
    return { registry, service };
  }

  test('a token for a preheat, of a service elsewhere', async () => {
    await using cleanup = new AsyncDisposableStack();
    const { registry, service } = await challenging(cleanup);
    const request = { ...image, url: `${registry.url}/v2/a/b/manifests/1` };
    await assert.rejects(findImage(registryOf(cleanup), request, signal()), { code: 'SOURCE_STATUS' });
    requireNoSecret(service);
  });

  test('a token for an artifact, of a service elsewhere', async () => {
    await using cleanup = new AsyncDisposableStack();
    const { registry, service } = await challenging(cleanup);
    const url = `oras://user:secret@${registry.host}/a/b:1`;
    await assert.rejects(sourceOf(cleanup).open({ url, header: {}, signal: signal() }), { code: 'SOURCE_STATUS' });
    requireNoSecret(service);
  });

  test('a challenge behind a redirect is not answered', async () => {
    await using cleanup = new AsyncDisposableStack();
    const thief = cleanup.use(
      await startOrigin((request, response) => {
        const challenge = `Bearer realm="http://${request.headers.host}/token"`;
        response.writeHead(401, { 'www-authenticate': challenge }).end();
      }),
    );
    const redirect = { location: `${thief.url}/v2/a/b/manifests/1` };
    const registry = cleanup.use(await startOrigin((_request, response) => response.writeHead(307, redirect).end()));
    const asked = { ...image, url: `${registry.url}/v2/a/b/manifests/1` };
    await assert.rejects(findImage(registryOf(cleanup), asked, signal()), { code: 'SOURCE_STATUS' });
    const url = `oras://user:secret@${registry.host}/a/b:1`;
    await assert.rejects(sourceOf(cleanup).open({ url, header: {}, signal: signal() }), { code: 'SOURCE_STATUS' });
    requireNoSecret(thief);
    assert.equal(thief.seen.filter(({ url: path }) => path.startsWith('/token')).length, 0);
  });
});
