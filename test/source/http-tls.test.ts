/** D-2: certificates of origins are verified. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { silentLogger } from '../../src/core/process/logger.ts';
import { Sources, type SourcesOptions } from '../../src/dfdaemon/source/sources.ts';
import { issueCertificates, type TestCertificates } from './certificates.ts';
import { bytesOf, rejects, sha256, sourceConformance, type Origin } from './conformance.ts';

interface TlsOrigin extends Origin {
  readonly port: number;
}

async function tlsOrigin(certificates: TestCertificates, options: Partial<SourcesOptions>): Promise<TlsOrigin> {
  const objects = new Map<string, { content: Buffer; tag: string }>();
  const server = createServer({ cert: certificates.cert, key: certificates.key }, (request, response) => {
    const object = objects.get(request.url ?? '');
    if (!object) return void response.writeHead(404).end();
    const { content, tag } = object;
    const part = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const asked =
      part && (request.headers['if-range'] ?? tag) === tag
        ? [Number(part[1]), Number(part[2] || content.length)]
        : undefined;
    response.setHeader('ETag', tag).setHeader('Accept-Ranges', 'bytes');
    if (!asked) return void response.writeHead(200, { 'content-length': content.length }).end(content);
    const [first = 0, last = 0] = asked;
    if (first >= content.length)
      return void response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    const bytes = content.subarray(first, last + 1);
    const contentRange = `bytes ${first}-${first + bytes.length - 1}/${content.length}`;
    response.writeHead(206, { 'content-range': contentRange, 'content-length': bytes.length }).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  const sources = new Sources({ logger: silentLogger, ...options });
  return {
    port,
    sources,
    options: { header: {} },
    put: (name, content) => {
      objects.set(`/${name}`, { content, tag: `"${sha256(content).slice(0, 16)}"` });
      return Promise.resolve(`https://localhost:${port}/${name}`);
    },
    close: async () => {
      await sources[Symbol.asyncDispose]();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const localhost = await issueCertificates([{ type: 'dns', value: 'localhost' }]);

sourceConformance('https, authority given by configuration', {
  open: () => tlsOrigin(localhost, { trust: { caPem: [localhost.ca] } }),
});

describe('origin certificates (D-2)', () => {
  const start = async (
    t: TestContext,
    certificates: TestCertificates,
    options: Partial<SourcesOptions> = {},
  ): Promise<TlsOrigin> => {
    const origin = await tlsOrigin(certificates, options);
    t.after(() => origin.close());
    return origin;
  };

  it('refuses an authority that is not trusted', async (t) => {
    const origin = await start(t, localhost);
    const url = await origin.put('x', Buffer.from('x'));
    const error = await rejects(origin.sources.open({ url, header: {}, signal: t.signal }), 'SOURCE_UNREACHABLE');
    assert.match(error.message, /authority that is not trusted/);
    assert.match(error.hint ?? '', /authority/);
  });

  it('trusts an authority that one request brings, and only for that request', async (t) => {
    const origin = await start(t, localhost);
    const content = randomBytes(3_000_000);
    const url = await origin.put('x', content);
    const body = await origin.sources.open({ url, header: {}, signal: t.signal, caPem: [localhost.ca] });
    assert.ok((await bytesOf(body)).equals(content));
    await rejects(origin.sources.open({ url, header: {}, signal: t.signal }), 'SOURCE_UNREACHABLE');
  });

  it('refuses a certificate for another host', async (t) => {
    const other = await issueCertificates([{ type: 'dns', value: 'other.example' }]);
    const origin = await start(t, other, { trust: { caPem: [other.ca] } });
    const url = await origin.put('x', Buffer.from('x'));
    const error = await rejects(origin.sources.open({ url, header: {}, signal: t.signal }), 'SOURCE_UNREACHABLE');
    assert.match(error.message, /another host/);
  });

  it('refuses an expired certificate', async (t) => {
    const expired = await issueCertificates([{ type: 'dns', value: 'localhost' }], -60_000);
    const origin = await start(t, expired, { trust: { caPem: [expired.ca] } });
    const url = await origin.put('x', Buffer.from('x'));
    const error = await rejects(origin.sources.open({ url, header: {}, signal: t.signal }), 'SOURCE_UNREACHABLE');
    assert.match(error.message, /expired/);
  });

  it('skips the check only for a host that is listed as insecure', async (t) => {
    const origin = await start(t, localhost, { trust: { insecureHosts: ['localhost'] } });
    const url = await origin.put('x', Buffer.from('x'));
    await bytesOf(await origin.sources.open({ url, header: {}, signal: t.signal }));
    const byAddress = url.replace('localhost', '127.0.0.1');
    await rejects(origin.sources.open({ url: byAddress, header: {}, signal: t.signal }), 'SOURCE_UNREACHABLE');
  });

  it('skips the check for a request that the configuration marked insecure, and for no other', async (t) => {
    const origin = await start(t, localhost);
    const url = await origin.put('x', Buffer.from('x'));
    await bytesOf(await origin.sources.open({ url, header: {}, signal: t.signal, insecureSkipVerify: true }));
    await rejects(origin.sources.open({ url, header: {}, signal: t.signal }), 'SOURCE_UNREACHABLE');
  });

  it('explains a port that does not speak TLS', async (t) => {
    const { createServer: createPlain } = await import('node:http');
    const server = createPlain().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    t.after(() => server.close());
    const sources = new Sources({ logger: silentLogger });
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const error = await rejects(sources.open({ url, header: {}, signal: t.signal }), 'SOURCE_UNREACHABLE');
    assert.match(error.message, /TLS/);
    await sources[Symbol.asyncDispose]();
  });
});
