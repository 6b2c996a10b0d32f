// needs: ceph-mon, ceph-osd, ceph, radosgw
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/core/process/logger.ts';
import { encodePath } from '../../src/dfdaemon/source/sigv4.ts';
import { Sources } from '../../src/dfdaemon/source/sources.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { CephGateway, cephMissing } from './ceph-gateway.ts';
import { bytesOf, rejects, sourceConformance } from './conformance.ts';
import { ok, OddServer } from './odd-server.ts';

sourceConformance('s3, Ceph RADOS gateway', {
  credentials: true,
  directories: true,
  skip: cephMissing,
  open: async () => {
    const directory = await temporaryDirectory();
    const ceph = await CephGateway.start(directory.path);
    const sources = new Sources({ logger: silentLogger });
    await ceph.put('bucket');
    const { endpoint, accessKeyId, accessKeySecret } = ceph;
    return {
      sources,
      options: { header: {}, objectStorage: { endpoint, accessKeyId, accessKeySecret } },
      badOptions: { header: {}, objectStorage: { endpoint, accessKeyId, accessKeySecret: 'wrong' } },
      put: async (name, content) => {
        await ceph.put(`bucket/${encodePath(name)}`, content);
        return `s3://bucket/${encodePath(name)}`;
      },
      directory: async (contents) => {
        for (const [name, content] of Object.entries(contents))
          await ceph.put(`bucket/tree/${encodePath(name)}`, content);
        return 's3://bucket/tree/';
      },
      close: async () => {
        await sources[Symbol.asyncDispose]();
        await ceph[Symbol.asyncDispose]();
        await directory[Symbol.asyncDispose]();
      },
    };
  },
});

describe('s3', () => {
  it('reads the settings of the older generation from the header, and does not send them on', async (t) => {
    await using store = await OddServer.start(() => ok('content'));
    await using sources = new Sources({ logger: silentLogger });
    const header = {
      awsEndpoint: store.url,
      awsRegion: 'eu-1',
      awsAccessKeyID: 'AK',
      awsSecretAccessKey: 's3cret',
      'X-Own': '1',
    };
    const body = await sources.open({ url: "s3://bucket/a%20b'.bin", header, signal: t.signal });
    assert.equal((await bytesOf(body)).toString(), 'content');
    const [request] = store.requests;
    assert.equal(request?.path, '/bucket/a%20b%27.bin');
    assert.match(
      request?.header['authorization'] ?? '',
      /^AWS4-HMAC-SHA256 Credential=AK\/\d{8}\/eu-1\/s3\/aws4_request/,
    );
    assert.equal(request?.header['x-own'], '1');
    assert.equal(JSON.stringify(request?.header).includes('s3cret'), false);
  });

  it('is anonymous without keys', async (t) => {
    await using store = await OddServer.start(() => ok('content'));
    await using sources = new Sources({ logger: silentLogger });
    const objectStorage = { endpoint: store.url };
    await bytesOf(await sources.open({ url: 'cos://bucket/key', header: {}, objectStorage, signal: t.signal }));
    assert.equal(store.requests[0]?.header['authorization'], undefined);
  });

  it('signs again for the region the store names', async (t) => {
    await using store = await OddServer.start(({ header }) =>
      header['authorization']?.includes('/eu-2/s3/')
        ? ok('content')
        : 'HTTP/1.1 400 Bad Request\r\nx-amz-bucket-region: eu-2\r\nContent-Length: 0\r\n\r\n',
    );
    await using sources = new Sources({ logger: silentLogger });
    const objectStorage = { endpoint: store.url, accessKeyId: 'AK', accessKeySecret: 's', region: 'eu-1' };
    await bytesOf(await sources.open({ url: 's3://bucket/key', header: {}, objectStorage, signal: t.signal }));
    assert.equal(store.requests.length, 2);
  });

  it('reads a listing page by page', async (t) => {
    const page = (keys: readonly string[], next?: string): string =>
      ok(
        `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>${next !== undefined}</IsTruncated>${next === undefined ? '' : `<NextContinuationToken>${next}</NextContinuationToken>`}${keys
          .map((key) => `<Contents><Key>${key}</Key><Size>7</Size></Contents>`)
          .join('')}</ListBucketResult>`,
      );
    await using store = await OddServer.start(({ path }) =>
      path.includes('continuation-token=a%2Bb') ? page(['dir/c%26d']) : page(['dir/', 'dir/a+b'], 'a+b'),
    );
    await using sources = new Sources({ logger: silentLogger });
    const urls: string[] = [];
    const objectStorage = { endpoint: store.url };
    for await (const { url } of sources.list({ url: 's3://bucket/dir', header: {}, objectStorage, signal: t.signal })) {
      urls.push(url);
    }
    assert.deepEqual(urls, ['s3://bucket/dir/a%20b', 's3://bucket/dir/c%26d']);
  });

  it('reads a listing with character data, references and a name space; what is none is an error', async (t) => {
    const answers = [
      ok(
        '<?xml version="1.0"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated><Contents><Key><![CDATA[dir/a%26b]]></Key><Size>7</Size></Contents><Contents><Key>dir/c&#x2D;d</Key><Size>9007</Size></Contents><CommonPrefixes><Prefix>dir/e&amp;f/</Prefix></CommonPrefixes></ListBucketResult>',
      ),
      ok('<html><body>sign in</body></html>'),
    ];
    await using store = await OddServer.start(() => answers.shift() ?? ok(''));
    await using sources = new Sources({ logger: silentLogger });
    const list = async (): Promise<[string, number][]> => {
      const found: [string, number][] = [];
      const objectStorage = { endpoint: store.url };
      const listing = sources.list({ url: 's3://bucket/dir', header: {}, objectStorage, signal: t.signal });
      for await (const { url, contentLengthBytes } of listing) found.push([url, contentLengthBytes]);
      return found;
    };
    assert.deepEqual(await list(), [
      ['s3://bucket/dir/e%26f/', 0],
      ['s3://bucket/dir/a%26b', 7],
      ['s3://bucket/dir/c-d', 9007],
    ]);
    await rejects(list(), 'PROTOCOL');
  });

  it('reads a listing of a store that knows its first version only, and escapes nothing', async (t) => {
    const page = (key: string, rest: string): string =>
      ok(`<ListBucketResult>${rest}<Contents><Key>${key}</Key><Size>7</Size></Contents></ListBucketResult>`);
    await using store = await OddServer.start(({ path }) => {
      if (path.includes('marker=dir%2Fc')) return page('dir/d', '<IsTruncated>false</IsTruncated>');
      return path.includes('marker=dir%2Fa%2520%2Bb')
        ? page('dir/c', '<IsTruncated>true</IsTruncated>')
        : page('dir/a%20+b', '<IsTruncated>true</IsTruncated><NextMarker>dir/a%20+b</NextMarker>');
    });
    await using sources = new Sources({ logger: silentLogger });
    const urls: string[] = [];
    const request = { url: 's3://bucket/dir', header: {}, objectStorage: { endpoint: store.url }, signal: t.signal };
    for await (const { url } of sources.list(request)) urls.push(url);
    assert.deepEqual(urls, ['s3://bucket/dir/a%2520%2Bb', 's3://bucket/dir/c', 's3://bucket/dir/d']);
  });

  it('follows a redirect within the service, and no other', async (t) => {
    let location = '';
    await using store = await OddServer.start(({ path }) =>
      path === '/bucket/key' ? `HTTP/1.1 307 X\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n` : ok('content'),
    );
    await using sources = new Sources({ logger: silentLogger });
    const objectStorage = { endpoint: store.url, accessKeyId: 'AK', accessKeySecret: 's' };
    const open = () => sources.open({ url: 's3://bucket/key', header: {}, objectStorage, signal: t.signal });
    location = `${store.url}/bucket/key?there`;
    assert.equal((await bytesOf(await open())).toString(), 'content');
    assert.match(store.requests.at(-1)?.header['authorization'] ?? '', /^AWS4-HMAC-SHA256/);
    location = `http://localhost:${store.port}/bucket/key?there`;
    await rejects(open(), 'SOURCE_STATUS');
    assert.equal(store.requests.length, 3);
  });

  it('tells why the store refuses, in its words', async (t) => {
    const xml = '<Error><Code>RequestTimeTooSkewed</Code><Message>The clocks differ.</Message></Error>';
    const head = `HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nContent-Length: ${xml.length}\r\n\r\n`;
    await using store = await OddServer.start(() => head + xml);
    await using sources = new Sources({ logger: silentLogger });
    const objectStorage = { endpoint: store.url };
    const opening = sources.open({ url: 's3://bucket/key', header: {}, objectStorage, signal: t.signal });
    assert.match((await rejects(opening, 'SOURCE_STATUS')).message, /RequestTimeTooSkewed: The clocks differ\./);
  });

  it('signs with the credentials of this process only where it is told to', async (t) => {
    await using store = await OddServer.start(() => ok('content'));
    const own = { AWS_ACCESS_KEY_ID: 'OWN', AWS_SECRET_ACCESS_KEY: 's', AWS_SESSION_TOKEN: 'token' };
    Object.assign(process.env, own);
    t.after(() => Object.keys(own).forEach((name) => delete process.env[name]));
    for (const ownCredentials of [true, false]) {
      await using sources = new Sources({ logger: silentLogger, ownCredentials });
      const objectStorage = { endpoint: store.url };
      await bytesOf(await sources.open({ url: 's3://bucket/key', header: {}, objectStorage, signal: t.signal }));
      const { header = {} } = store.requests.at(-1) ?? {};
      assert.equal(header['authorization']?.includes('Credential=OWN/') ?? false, ownCredentials);
      assert.equal(header['x-amz-security-token'], ownCredentials ? 'token' : undefined);
    }
  });

  it('explains what is missing', async (t) => {
    await using sources = new Sources({ logger: silentLogger });
    const open = (url: string, objectStorage: Record<string, string> = {}) =>
      sources.open({ url, header: {}, objectStorage, signal: t.signal });
    assert.match((await rejects(open('oss://bucket/key'), 'INVALID_ARGUMENT')).message, /endpoint/);
    assert.match((await rejects(open('s3:///key'), 'INVALID_ARGUMENT')).message, /bucket/);
    await rejects(open('s3://bucket/key', { region: 'eu.evil.example/' }), 'INVALID_ARGUMENT');
    await rejects(open('s3://bucket/key', { endpoint: 'http://[' }), 'INVALID_ARGUMENT');
    await rejects(open('s3://bucket/%zz'), 'INVALID_ARGUMENT');
    // A URL would name another object.
    for (const key of ['a/../b', 'a/%2E%2e/b', './b']) await rejects(open(`s3://bucket/${key}`), 'INVALID_ARGUMENT');
  });
});
