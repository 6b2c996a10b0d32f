import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { silentLogger } from '../../src/core/process/logger.ts';
import type { SourceRequest } from '../../src/dfdaemon/source/source.ts';
import { Sources, type SourcesOptions } from '../../src/dfdaemon/source/sources.ts';
import { bytesOf, rejects } from './conformance.ts';
import { ok, OddServer } from './odd-server.ts';

function redirect(location: string, status = 302): string {
  return `HTTP/1.1 ${status} Moved\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`;
}

async function start(t: TestContext, answer: Parameters<typeof OddServer.start>[0], host?: string): Promise<OddServer> {
  const server = await OddServer.start(answer, host === undefined ? {} : { host });
  t.after(() => server[Symbol.asyncDispose]());
  return server;
}

function sourcesFor(t: TestContext, options: Partial<SourcesOptions> = {}): Sources {
  const sources = new Sources({ logger: silentLogger, ...options });
  t.after(() => sources[Symbol.asyncDispose]());
  return sources;
}

const secrets = {
  Authorization: 'Bearer s3cret',
  Cookie: 'id=1',
  'X-Api-Key': 'k',
  'X-Amz-Security-Token': 't',
  Accept: 'a/b',
};

describe('redirects', () => {
  for (const status of [301, 302, 303, 307, 308]) {
    it(`follows ${status} and keeps the header within one origin`, async (t) => {
      const server = await start(t, ({ path }) => (path === '/a' ? redirect('b/../c?d=e', status) : ok(path)));
      const body = await sourcesFor(t).open({ url: `${server.url}/a`, header: secrets, signal: t.signal });
      assert.equal((await bytesOf(body)).toString(), '/c?d=e');
      assert.equal(server.requests[1]?.header['authorization'], 'Bearer s3cret');
    });
  }

  it('D-4 leaves everything that may be a secret behind when the origin changes, for good', async (t) => {
    const back = await start(t, () => ok('end'));
    const other = await start(t, () => redirect(`${back.url}/end`));
    const first = await start(t, () => redirect(`${other.url}/x`));
    await bytesOf(
      await sourcesFor(t).open({ url: `${first.url}/a`, header: secrets, range: undefined, signal: t.signal }),
    );
    for (const server of [other, back]) {
      const names = Object.keys(server.requests[0]?.header ?? {}).sort();
      assert.deepEqual(names, ['accept', 'accept-encoding', 'host', 'user-agent']);
    }
  });

  it('carries the range across origins', async (t) => {
    const other = await start(
      t,
      ({ header }) =>
        `HTTP/1.1 206 P\r\nContent-Range: ${header['range']?.replace('=', ' ')}/9\r\nContent-Length: 2\r\n\r\nab`,
    );
    const first = await start(t, () => redirect(`${other.url}/x`));
    const body = await sourcesFor(t).open({
      url: first.url,
      header: {},
      range: { start: 3, length: 2 },
      signal: t.signal,
    });
    assert.equal(body.startBytes, 3);
  });

  it('ends a circle', async (t) => {
    const server = await start(t, () => redirect('/again'));
    const error = await rejects(sourcesFor(t).open({ url: server.url, header: {}, signal: t.signal }), 'SOURCE_STATUS');
    assert.match(error.message, /redirects/);
    assert.equal(server.requests.length, 11);
  });

  for (const location of ['file:///etc/passwd', 'gopher://x/', 'http://', 'javascript:0']) {
    it(`does not follow to ${location}`, async (t) => {
      const server = await start(t, () => redirect(location));
      await rejects(sourcesFor(t).open({ url: server.url, header: {}, signal: t.signal }), 'SOURCE_STATUS');
    });
  }

  it('remembers the way for the further ranges of one download, for one caller, until it fails', async (t) => {
    const expired = new Set<string>();
    const store = await start(t, ({ path }) =>
      expired.has(path) ? 'HTTP/1.1 403 Expired\r\nContent-Length: 0\r\n\r\n' : ok('abc', 'ETag: "v"\r\n'),
    );
    const hub = await start(t, () => redirect(`${store.url}/signed${hub.requests.length}`));
    const sources = sourcesFor(t);
    const open = async (more: Partial<SourceRequest>): Promise<void> => {
      await bytesOf(await sources.open({ url: `${hub.url}/model`, header: {}, signal: t.signal, ...more }));
    };
    await open({});
    await open({ validator: '"v"' });
    assert.equal(hub.requests.length, 1, 'a further range goes straight to where the first led');
    await open({ validator: '"v"', header: { Authorization: 'Bearer other' } });
    assert.equal(hub.requests.length, 2, 'another caller asks for itself');
    await open({});
    assert.equal(hub.requests.length, 3, 'a new download asks the origin');
    await open({ validator: '"v"' });
    assert.equal(store.requests.at(-1)?.path, '/signed3');
    expired.add('/signed3');
    await open({ validator: '"v"' });
    assert.equal(hub.requests.length, 4, 'an expired target is asked for again');
    assert.equal(store.requests.at(-1)?.path, '/signed4');
  });
});

describe('egress policy (DF2-2)', () => {
  it('refuses a redirect to the metadata service of a cloud', async (t) => {
    for (const target of ['169.254.169.254', '[fe80::1]', '[::ffff:169.254.169.254]', '[64:ff9b::a9fe:a9fe]']) {
      const server = await start(t, () => redirect(`http://${target}/latest/meta-data`));
      const work = sourcesFor(t).open({ url: server.url, header: {}, signal: t.signal });
      const error = await rejects(work, 'PERMISSION_DENIED');
      assert.match(error.message, /link-local/);
    }
  });

  it('judges the address a name resolves to, not the name', async (t) => {
    const server = await start(t, () => ok('x'));
    const sources = sourcesFor(t, { egress: { deny: ['127.0.0.0/8', '::1'] } });
    const url = `http://localhost:${server.port}/`;
    await rejects(sources.open({ url, header: {}, signal: t.signal }), 'PERMISSION_DENIED');
    assert.equal(server.connections, 0, 'not even a connection is made');
  });

  it('refuses services of the cluster itself', async (t) => {
    const manager = await start(t, () => ok('secret'));
    const server = await start(t, () => redirect(`${manager.url}/api/v1/users`));
    const sources = sourcesFor(t, { egress: { denyEndpoints: [`127.0.0.1:${manager.port}`] } });
    await rejects(sources.open({ url: server.url, header: {}, signal: t.signal }), 'PERMISSION_DENIED');
    await rejects(sources.open({ url: manager.url, header: {}, signal: t.signal }), 'PERMISSION_DENIED');
    assert.equal(manager.connections, 0);
  });

  it('reaches nothing but the allow list when there is one', async (t) => {
    const server = await start(t, () => ok('x'));
    const closed = sourcesFor(t, { egress: { allow: ['10.0.0.0/8'] } });
    await rejects(closed.open({ url: server.url, header: {}, signal: t.signal }), 'PERMISSION_DENIED');
    const open = sourcesFor(t, { egress: { allow: ['127.0.0.1'] } });
    await bytesOf(await open.open({ url: server.url, header: {}, signal: t.signal }));
  });
});
