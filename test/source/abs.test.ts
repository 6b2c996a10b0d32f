import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/core/process/logger.ts';
import { Sources } from '../../src/dfdaemon/source/sources.ts';
import { bytesOf, rejects } from './conformance.ts';
import { ok, OddServer, type OddRequest } from './odd-server.ts';

const key = Buffer.alloc(64, 7).toString('base64');

async function listed(
  sources: Sources,
  url: string,
  endpoint: string,
  signal: AbortSignal,
): Promise<[string, number][]> {
  const found: [string, number][] = [];
  for await (const entry of sources.list({ url, header: {}, objectStorage: { endpoint }, signal })) {
    found.push([entry.url, entry.contentLengthBytes]);
  }
  return found;
}

describe('abs', () => {
  it('signs with the key of the account, at an endpoint with the account in its path too', async (t) => {
    await using store = await OddServer.start(() => ok('content'));
    await using sources = new Sources({ logger: silentLogger });
    const objectStorage = { endpoint: `${store.url}/acc/`, accessKeyId: 'acc', accessKeySecret: key };
    const range = { start: 0, length: 7 };
    const body = await sources.open({ url: 'abs://box/a%20b/c', header: {}, objectStorage, range, signal: t.signal });
    assert.equal((await bytesOf(body)).toString(), 'content');
    const { path, header = {} }: Partial<OddRequest> = store.requests[0] ?? {};
    assert.equal(path, '/acc/box/a%20b/c');
    assert.match(header['authorization'] ?? '', /^SharedKey acc:[\w+/]{43}=$/);
    assert.match(header['x-ms-version'] ?? '', /^20\d\d-/);
    assert.ok(Math.abs(Date.parse(header['x-ms-date'] ?? '') - Date.now()) < 60_000);
  });

  it('adds a shared access signature to the URL, and names it in no error', async (t) => {
    await using store = await OddServer.start(() => 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
    await using sources = new Sources({ logger: silentLogger });
    const objectStorage = { endpoint: store.url, sessionToken: '?sv=1&sig=s3cret' };
    const opened = sources.open({ url: 'abs://box/key', header: {}, objectStorage, signal: t.signal });
    await assert.rejects(opened, (error: Error) => !JSON.stringify([error.message, error]).includes('s3cret'));
    assert.equal(store.requests[0]?.path, '/box/key?sv=1&sig=s3cret');
    assert.equal(store.requests[0]?.header['authorization'], undefined);
  });

  it('sends a bearer token that the request brings, and nothing where it brings nothing', async (t) => {
    await using store = await OddServer.start(() => ok('content'));
    await using sources = new Sources({ logger: silentLogger });
    const objectStorage = { endpoint: store.url };
    for (const header of [{ Authorization: 'Bearer token' }, {}]) {
      await bytesOf(await sources.open({ url: 'abs://box/key', header, objectStorage, signal: t.signal }));
    }
    assert.deepEqual(
      store.requests.map(({ header }) => header['authorization']),
      ['Bearer token', undefined],
    );
  });

  it('lists page by page, with names that XML cannot carry', async (t) => {
    const pages = [
      '\u00EF\u00BB\u00BF<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="x"><Prefix>dir/</Prefix><Blobs><Blob><Name>dir/</Name><Properties><Content-Length>0</Content-Length></Properties></Blob><Blob><Name>dir/a&amp;b</Name><Properties><Content-Length>7</Content-Length></Properties></Blob></Blobs><NextMarker>m+1</NextMarker></EnumerationResults>',
      '<EnumerationResults><Blobs><BlobPrefix><Name>dir/sub/</Name></BlobPrefix><Blob><Name Encoded="true">dir%2Fc%EF%BF%BE</Name><Properties><Content-Length>9</Content-Length></Properties></Blob></Blobs><NextMarker /></EnumerationResults>',
      '<html>sign in</html>',
    ];
    await using store = await OddServer.start(() => rawOk(pages.shift() ?? ''));
    await using sources = new Sources({ logger: silentLogger });
    assert.deepEqual(await listed(sources, 'abs://box/dir', store.url, t.signal), [
      ['abs://box/dir/a%26b', 7],
      ['abs://box/dir/sub/', 0],
      ['abs://box/dir/c%EF%BF%BE', 9],
    ]);
    assert.equal(store.requests[0]?.path, '/box?restype=container&comp=list&prefix=dir%2F&delimiter=%2F');
    assert.match(store.requests[1]?.path ?? '', /&marker=m%2B1$/);
    await rejects(listed(sources, 'abs://box/dir', store.url, t.signal), 'PROTOCOL');
  });

  it('says what is missing', async (t) => {
    await using sources = new Sources({ logger: silentLogger });
    const open = (objectStorage: Record<string, string>): Promise<unknown> =>
      sources.open({ url: 'abs://box/key', header: {}, objectStorage, signal: t.signal });
    await rejects(open({}), 'INVALID_ARGUMENT');
    await rejects(
      open({ endpoint: 'http://127.0.0.1:1', accessKeyId: 'a', accessKeySecret: 'not base64!' }),
      'INVALID_ARGUMENT',
    );
  });
});

/** Text that is bytes already. */
function rawOk(text: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
}
