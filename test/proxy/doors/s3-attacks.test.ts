/**
 * What somebody tries at the port for clients of S3 who is not what he says, or has a key for less than he wants: each kind of attempt is a row, and
 * what it must come to.
 */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { AwsV4Signer } from 'aws4fetch';
import { ask, startDaemon, type Answer, type ProxiedDaemon } from '../support/proxy-fixture.ts';
import { startSmallStore, storeKey, type SmallStore } from '../support/s3-store.ts';

const writer = { accessKeyID: 'WRITER', secretKey: 'writes' };
const narrow = { accessKeyID: 'NARROW', secretKey: 'narrow', buckets: ['models'], prefixes: ['own/'] };
const emptyHash = createHash('sha256').digest('hex');
const unsigned = 'UNSIGNED-PAYLOAD';

interface Attempt {
  readonly method?: string;
  readonly key?: typeof writer;
  /** Signed. */
  readonly header?: Record<string, string>;
  readonly body?: Buffer;
  /** In the URL. */
  readonly expiresSec?: number;
  readonly date?: Date;
  /** Sent instead of what was signed. */
  readonly instead?: { readonly method?: string; readonly path?: string; readonly header?: Record<string, string> };
}

void describe('attacks on the port for clients of S3', () => {
  let store: SmallStore;
  let daemon: ProxiedDaemon;
  before(async () => {
    store = await startSmallStore();
    for (const name of ['stored/own/a', 'stored/other', 'hidden/secret', 'digits/x'])
      store.objects.set(name, Buffer.from(name));
    const at = { endpoint: store.origin.url, ...storeKey, ttl: '1h' };
    const s3 = {
      tcpListen: { port: 0 },
      buckets: [
        { name: 'models', bucket: 'stored', ...at, writable: true, anonymous: true },
        { name: 'hidden', ...at },
        { name: '127', bucket: 'digits', ...at },
      ],
      clients: [writer, narrow],
    };
    daemon = await startDaemon({ more: { doors: { s3 }, objectStorage: { enable: true } } });
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  });

  const host = (): string => daemon.service.addresses['s3'] ?? '';
  const port = (): number => Number(host().split(':').at(-1));
  const at = async (path: string, attempt: Attempt = {}): Promise<Answer> => {
    const { method = 'GET', key = writer, header = {}, body, expiresSec, date = new Date(), instead } = attempt;
    const url = new URL(`http://${host()}${path}`);
    if (expiresSec !== undefined) url.searchParams.set('X-Amz-Expires', String(expiresSec));
    const signer = new AwsV4Signer({
      method,
      url: url.href,
      headers: { ...(expiresSec === undefined && { 'x-amz-content-sha256': unsigned }), ...header },
      datetime: date.toISOString().replace(/[-:]|\.\d{3}/g, ''),
      accessKeyId: key.accessKeyID,
      secretAccessKey: key.secretKey,
      region: 'us-east-1',
      service: 's3',
      signQuery: expiresSec !== undefined,
      allHeaders: true,
    });
    const signed = await signer.sign();
    const length = body ? { 'content-length': String(body.length) } : {};
    const headers = { ...Object.fromEntries(signed.headers), host: host(), ...length, ...instead?.header };
    const target = instead?.path === undefined ? signed.url.pathname : instead.path;
    return ask({ port: port() }, target + signed.url.search, {
      method: instead?.method ?? method,
      headers,
      ...(body && { body }),
    });
  };
  const code = ({ body }: Answer): string | undefined => /<Code>(\w+)<\/Code>/.exec(body.toString())?.[1];
  const puts = () => store.origin.seen.filter(({ method }) => method === 'PUT').length;
  const deletes = () => store.origin.seen.filter(({ method }) => method === 'DELETE').length;

  it('a signed URL is for what was signed: not for another method, key, bucket or time', async () => {
    const expiresSec = 60;
    assert.equal((await at('/models/own/a', { expiresSec })).body.toString(), 'stored/own/a');
    const rows: [string, NonNullable<Attempt['instead']>][] = [
      ['another method', { method: 'DELETE' }],
      ['HEAD for GET', { method: 'HEAD' }],
      ['a write', { method: 'PUT' }],
      ['another key', { path: '/models/other' }],
      ['another bucket', { path: '/hidden/secret' }],
      ['the same key, written otherwise', { path: '/models/own/../own/a' }],
      ['what is copied there', { method: 'PUT', header: { 'x-amz-copy-source': '/hidden/secret' } }],
      ['another host', { header: { host: `models.${host()}` } }],
    ];
    for (const [what, instead] of rows) {
      const answer = await at('/models/own/a', { expiresSec, instead });
      assert.ok(answer.status >= 400, `${what}: ${answer.status}`);
    }
    const anHourAgo = new Date(Date.now() - 3_600_000);
    assert.equal(code(await at('/models/own/a', { expiresSec, date: anHourAgo })), 'AccessDenied');
    assert.equal(code(await at('/models/own/a', { expiresSec: 700_000 })), 'AuthorizationQueryParametersError');
    assert.equal(code(await at('/models/own/a', { date: anHourAgo })), 'RequestTimeTooSkewed');
    assert.equal(deletes() + puts(), 0);
  });

  it('a key for less reaches no more, however it is written', async () => {
    const paths = [
      '/models/own/../other',
      '/models/own/%2e%2e/other',
      '/models/own%2F..%2Fother',
      '/models//own/../other',
      '/models/other',
      '/hidden/secret',
      '/models/own/%2E%2E%2F..%2Fhidden%2Fsecret',
    ];
    for (const path of paths) {
      const { status, body } = await at('/models/own/a', { key: narrow, instead: { path } });
      assert.ok(status >= 400 && !body.equals(Buffer.from('hidden/secret')), path);
      const signed = await at(path, { key: narrow });
      assert.ok(signed.status >= 400, path);
    }
    for (const path of ['/models?list-type=2', '/models?list-type=2&prefix=ow', '/models?versions', '/hidden?location'])
      assert.equal(code(await at(path, { key: narrow })), 'AccessDenied', path);
  });

  it('a bucket whose name is digits is not taken for the address of this machine', async () => {
    assert.equal((await at('/models/own/a')).body.toString(), 'stored/own/a');
    assert.equal((await at('/127/x')).body.toString(), 'digits/x');
  });

  it('a web page that the user of this machine opens is no program of this machine', async () => {
    const browser = { 'sec-fetch-site': 'cross-site' };
    const plain = (path: string, method: string, headers: Record<string, string>): Promise<Answer> =>
      ask({ port: port() }, path, { method, headers: { host: host(), ...headers } });
    assert.equal((await plain('/models/own/a', 'GET', {})).status, 200);
    assert.equal((await plain('/buckets/models/objects/own/a', 'GET', {})).status, 200);
    for (const headers of [browser, { 'sec-fetch-site': 'same-origin' }, { origin: 'https://evil.example' }])
      for (const [path, method] of [
        ['/models/own/a', 'GET'],
        ['/models/own/a?response-content-type=text%2Fhtml', 'GET'],
        ['/buckets/models/objects/own/a', 'GET'],
        ['/buckets/models/objects/own/a', 'DELETE'],
      ] as const)
        assert.equal((await plain(path, method, headers)).status, 403, `${method} ${path} ${JSON.stringify(headers)}`);
    assert.equal(deletes(), 0);
  });

  it('the key of this node is not lent for what the store guards against deletion', async () => {
    const header = { 'x-amz-bypass-governance-retention': 'true' };
    assert.equal(code(await at('/models/own/a', { method: 'DELETE', header })), 'NotImplemented');
    assert.equal(deletes(), 0);
  });

  it('a body that is longer than it says reaches the store as nothing else, and one that is shorter not at all', async () => {
    const smuggled = 'DELETE /stored/other HTTP/1.1\r\nHost: store\r\nContent-Length: 0\r\n\r\n';
    const before = store.origin.seen.length;
    for (const [name, said, content] of [
      ['longer', 4, `good${smuggled}`],
      ['shorter', 400, 'good'],
    ] as const) {
      const header = {
        'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
        'x-amz-decoded-content-length': String(said),
        'content-encoding': 'aws-chunked',
      };
      const answer = await chunked(`/models/own/${name}`, header, Buffer.from(content)).catch(() => undefined);
      assert.ok(!answer || answer.status >= 400, `${name}: ${answer?.status}`);
      assert.equal(store.objects.has(`stored/own/${name}`), false, name);
    }
    const seen = store.origin.seen.slice(before).map(({ method }) => method);
    assert.ok(!seen.includes('DELETE'), seen.join(' '));
    assert.equal((await at('/models/own/a')).body.toString(), 'stored/own/a');
  });

  /** In one chunk, and the last one, each signed. */
  const chunked = async (path: string, header: Record<string, string>, content: Buffer): Promise<Answer> => {
    const date = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
    const signer = new AwsV4Signer({
      method: 'PUT',
      url: `http://${host()}${path}`,
      headers: header,
      datetime: date,
      accessKeyId: writer.accessKeyID,
      secretAccessKey: writer.secretKey,
      region: 'us-east-1',
      service: 's3',
      allHeaders: true,
    });
    const signed = await signer.sign();
    const hmac = (key: Buffer | string, text: string): Buffer => createHmac('sha256', key).update(text).digest();
    const scope = [date.slice(0, 8), 'us-east-1', 's3', 'aws4_request'];
    const key = scope.reduce<Buffer>((last, part) => hmac(last, part), Buffer.from(`AWS4${writer.secretKey}`));
    let previous = /Signature=(\w+)/.exec(signed.headers.get('authorization') ?? '')?.[1] ?? '';
    const chunks = [content, Buffer.alloc(0)].map((part) => {
      const hash = createHash('sha256').update(part).digest('hex');
      const text = ['AWS4-HMAC-SHA256-PAYLOAD', date, scope.join('/'), previous, emptyHash, hash].join('\n');
      previous = hmac(key, text).toString('hex');
      const head = Buffer.from(`${part.length.toString(16)};chunk-signature=${previous}\r\n`);
      return Buffer.concat([head, part, Buffer.from('\r\n')]);
    });
    const body = Buffer.concat(chunks);
    const headers = { ...Object.fromEntries(signed.headers), host: host(), 'content-length': String(body.length) };
    return ask({ port: port() }, path, { method: 'PUT', headers, body });
  };
});
