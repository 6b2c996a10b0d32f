import assert from 'node:assert/strict';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { signV4 } from '../../../src/dfdaemon/source/sigv4.ts';
import { ask, startDaemon, type Answer, type ProxiedDaemon } from '../support/proxy-fixture.ts';
import { startSmallStore, storeKey, type SmallStore } from '../support/s3-store.ts';

const writer = { accessKeyID: 'WRITER', secretKey: 'writes' };
const narrow = { accessKeyID: 'NARROW', secretKey: 'narrow', prefixes: ['own/'] };
const emptyHash = createHash('sha256').digest('hex');

void describe('writes at the door for clients of S3', () => {
  let store: SmallStore;
  let daemon: ProxiedDaemon;
  before(async () => {
    store = await startSmallStore();
    const bucket = { name: 'models', bucket: 'stored', endpoint: store.origin.url, ...storeKey };
    const s3 = {
      tcpListen: { port: 0 },
      buckets: [{ ...bucket, writable: true, anonymous: true, ttl: '1h' }],
      clients: [writer, narrow],
    };
    daemon = await startDaemon({ more: { doors: { s3 } } });
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  });

  const host = (): string => daemon.service.addresses['s3'] ?? '';
  const at = async (
    path: string,
    {
      method = 'PUT',
      key = writer,
      header = {},
      body,
    }: {
      method?: string;
      key?: typeof writer;
      header?: Record<string, string>;
      body?: Buffer | ((signed: Signed) => Buffer);
    } = {},
  ): Promise<Answer> => {
    const date = new Date();
    const payload = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...header };
    const signed = await signV4(
      { method, url: new URL(`http://${host()}${path}`), header: payload, date },
      { accessKeyId: key.accessKeyID, secretAccessKey: key.secretKey, region: 'us-east-1', service: 's3' },
    );
    const signature = /Signature=(\w+)/.exec(signed['authorization'] ?? '')?.[1] ?? '';
    const sent = typeof body === 'function' ? body({ signature, date: signed['x-amz-date'] ?? '' }) : body;
    const headers = { ...signed, host: host(), 'content-length': String(sent?.length ?? 0) };
    return ask({ port: Number(host().split(':').at(-1)) }, path, { method, headers, ...(sent && { body: sent }) });
  };
  const code = ({ body }: Answer): string | undefined => /<Code>(\w+)<\/Code>/.exec(body.toString())?.[1];

  it('what was written is what is read next, and what was known of it before is forgotten', async () => {
    for (const content of [randomBytes(100_000), randomBytes(50_000)]) {
      assert.equal(
        (await at('/models/own/object', { body: content, header: { 'x-amz-meta-owner': 'me' } })).status,
        200,
      );
      assert.ok(store.objects.get('stored/own/object')?.equals(content));
      assert.ok((await at('/models/own/object', { method: 'GET' })).body.equals(content));
    }
    const put = store.origin.seen.find(({ method }) => method === 'PUT');
    assert.equal(put?.headers['x-amz-meta-owner'], 'me');
    assert.equal(put?.headers['x-amz-content-sha256'], 'UNSIGNED-PAYLOAD');
    assert.ok(put?.headers.authorization?.includes(storeKey.accessKeyID));
  });

  it('nobody writes but who may, nor gives rights to others, nor copies what he may not read', async () => {
    const body = Buffer.from('evil');
    const puts = store.origin.seen.filter(({ method }) => method === 'PUT').length;
    assert.equal(code(await at('/models/other', { key: narrow, body })), 'AccessDenied');
    assert.equal(code(await at('/models?delete', { method: 'POST', key: narrow, body })), 'AccessDenied');
    assert.equal(code(await at('/models/own/x', { body, header: { 'x-amz-acl': 'public-read' } })), 'NotImplemented');
    assert.equal(code(await at('/models/own/x', { body, header: { 'x-amz-grant-read': 'id=1' } })), 'NotImplemented');
    assert.equal(code(await at('/models/own/x?acl', { body })), 'NotImplemented');
    assert.equal(code(await at('/models?policy', { body })), 'NotImplemented');
    const copies = {
      '/models/other': 'AccessDenied',
      '/stored/own/object': 'AccessDenied',
      '/models/own/../other': 'InvalidArgument',
      '/models/own/object': undefined,
    };
    for (const [source, expected] of Object.entries(copies))
      assert.equal(
        code(await at('/models/own/x', { key: narrow, header: { 'x-amz-copy-source': source } })),
        expected,
        source,
      );
    const copy = store.origin.seen.findLast(({ method }) => method === 'PUT');
    assert.equal(copy?.headers['x-amz-copy-source'], '/stored/own/object');
    const unsigned = await ask({ port: Number(host().split(':').at(-1)) }, '/models/own/x', {
      method: 'PUT',
      headers: { host: host() },
      body,
    });
    assert.equal(code(unsigned), 'AccessDenied');
    assert.equal(store.origin.seen.filter(({ method }) => method === 'PUT').length, puts + 1, 'the allowed copy');
  });

  it('chunks that are signed one by one are checked and sent on without their signatures', async () => {
    const content = randomBytes(150_000);
    const header = {
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'x-amz-decoded-content-length': String(content.length),
      'content-encoding': 'aws-chunked',
    };
    const body = (signed: Signed): Buffer => inChunks(content, signed);
    assert.equal((await at('/models/own/chunks', { header, body })).status, 200);
    assert.ok(store.objects.get('stored/own/chunks')?.equals(content));
    const put = store.origin.seen.at(-1)?.headers;
    assert.deepEqual([put?.['content-length'], put?.['content-encoding']], [String(content.length), undefined]);
    const changed = (signed: Signed): Buffer => {
      const sent = inChunks(content, signed);
      sent[100_000] = (sent[100_000] ?? 0) ^ 1;
      return sent;
    };
    const refused = await at('/models/own/changed', { header, body: changed });
    assert.equal(code(refused), 'SignatureDoesNotMatch');
    assert.equal(store.objects.has('stored/own/changed'), false);
  });

  it('chunks without signatures reach the store as they are, and their content stays here', async () => {
    const content = randomBytes(150_000);
    const header = {
      'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-decoded-content-length': String(content.length),
      'x-amz-trailer': 'x-amz-checksum-crc32',
      'content-encoding': 'aws-chunked',
    };
    const parts = [content.subarray(0, 100_001), content.subarray(100_001)];
    const chunks = parts.flatMap((part) => [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]);
    const body = Buffer.concat([...chunks, Buffer.from('0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n')]);
    assert.equal((await at('/models/own/unsigned', { header, body })).status, 200);
    // This store keeps the chunks as they are: what is here is not what it says, so it is not kept.
    assert.ok(store.objects.get('stored/own/unsigned')?.equals(body));
    assert.ok((await at('/models/own/unsigned', { method: 'GET' })).body.equals(body));
    store.unwraps = content;
    assert.equal((await at('/models/own/unsigned', { header, body })).status, 200);
    store.unwraps = undefined;
    const gets = store.bodies().length;
    assert.ok((await at('/models/own/unsigned', { method: 'GET' })).body.equals(content));
    assert.equal(store.bodies().length, gets, 'the store was asked for none of it');
  });

  it('a store whose entity tags are no MD5s is believed in nothing: what is written is read from it', async () => {
    const content = randomBytes(50_000);
    store.tag = '"0123456789abcdef0123456789abcdef"';
    try {
      assert.equal((await at('/models/own/odd', { body: content })).status, 200);
      const answers = [];
      for (let time = 0; time < 3; time += 1)
        answers.push(await at('/models/own/odd', { method: 'GET' }).catch(() => undefined));
      const right = answers.filter((answer) => answer?.body.equals(content) === true);
      assert.ok(right.length >= 2, 'at most one reader finds out');
      assert.ok(answers.every((answer) => !answer || answer.body.equals(content)));
    } finally {
      store.tag = undefined;
    }
  });
});

interface Signed {
  readonly signature: string;
  readonly date: string;
}

/** As clients of S3 do it: each chunk's signature is made of the one before. */
function inChunks(content: Buffer, { signature, date }: Signed): Buffer {
  const hmac = (key: Buffer | string, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const scope = [date.slice(0, 8), 'us-east-1', 's3', 'aws4_request'];
  const key = scope.reduce<Buffer>((before, part) => hmac(before, part), Buffer.from(`AWS4${writer.secretKey}`));
  const blocks: Buffer[] = [];
  let previous = signature;
  for (let at = 0; ; at += 65_536) {
    const part = content.subarray(at, at + 65_536);
    const hash = createHash('sha256').update(part).digest('hex');
    const text = ['AWS4-HMAC-SHA256-PAYLOAD', date, scope.join('/'), previous, emptyHash, hash].join('\n');
    previous = hmac(key, text).toString('hex');
    blocks.push(Buffer.from(`${part.length.toString(16)};chunk-signature=${previous}\r\n`), part, Buffer.from('\r\n'));
    if (part.length === 0) return Buffer.concat(blocks);
  }
}
