/** Manifests in the forms that registries and caches in front of them give them, and registries that want to be left alone. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { ask, serveBody, startDaemon, startOrigin, type Origin, type ProxiedDaemon } from './support/proxy-fixture.ts';

const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, layers: [], note: 'x'.repeat(500) }));
const digest = `sha256:${createHash('sha256').update(manifest).digest('hex')}`;
const type = 'application/vnd.oci.image.manifest.v1+json';
const coders = { gzip: gzipSync, br: brotliCompressSync, zstd: zstdCompressSync } as const;

describe('a registry that compresses manifests for who accepts it', () => {
  let daemon: ProxiedDaemon;
  let origin: Origin;
  before(async () => {
    daemon = await startDaemon();
    origin = await startOrigin((request, response) => {
      const coding = request.headers['accept-encoding'] as keyof typeof coders | undefined;
      const coded = coding && coding in coders ? coders[coding](manifest) : undefined;
      const etag = `"${coding ?? 'plain'}"`;
      const header = { 'content-type': type, 'docker-content-digest': digest, etag, vary: 'Accept-Encoding' };
      if (request.headers['if-none-match'] === etag) return void response.writeHead(304, header).end();
      const body = request.url?.includes('/foreign/') === true ? Buffer.from('?') : (coded ?? manifest);
      const name = request.url?.includes('/foreign/') === true ? 'x-foreign' : coding;
      response.writeHead(200, {
        ...header,
        'content-length': body.length,
        ...(body !== manifest && { 'content-encoding': name }),
      });
      response.end(body);
    });
  });
  after(async () => {
    await origin[Symbol.asyncDispose]();
    await daemon[Symbol.asyncDispose]();
  });
  const get = (path: string, headers: Record<string, string> = {}) =>
    ask(daemon, path, { headers: { 'X-Dragonfly-Registry': origin.url, ...headers } });

  test('is answered for as it answers, each client in its own form', async () => {
    for (const reference of ['latest', digest, 'latest', digest]) {
      for (const [coding, code] of Object.entries(coders)) {
        const answer = await get(`/v2/a/b/manifests/${reference}`, { 'accept-encoding': coding });
        assert.deepEqual([answer.status, answer.headers['content-encoding']], [200, coding], reference);
        assert.ok(answer.body.equals(code(manifest)), coding);
      }
      const plain = await get(`/v2/a/b/manifests/${reference}`);
      assert.deepEqual([plain.status, plain.headers['content-encoding']], [200, undefined]);
      assert.ok(plain.body.equals(manifest));
    }
  });

  test('and in a form that nobody here can read', async () => {
    const answer = await get(`/v2/foreign/b/manifests/${digest}`, { 'accept-encoding': 'x-foreign' });
    assert.deepEqual([answer.status, answer.body.toString()], [200, '?']);
  });

  test('says in its own way that a manifest is the same', async () => {
    const answer = await get('/v2/a/b/manifests/latest', { 'accept-encoding': 'gzip', 'if-none-match': '"gzip"' });
    assert.deepEqual([answer.status, answer.headers['content-length']], [304, undefined]);
  });
});

test('a part of a manifest, or a condition, is answered for who asked for it', async () => {
  await using daemon = await startDaemon();
  await using origin = await startOrigin(serveBody(manifest, { 'content-type': type, etag: '"v1"' }));
  const path = `/v2/a/b/manifests/${digest}`;
  const asked: Record<string, string>[] = [{ range: 'bytes=0-3' }, {}, { 'if-match': '"v0"' }, { range: 'bytes=4-7' }];
  for (const round of ['unknown', 'known']) {
    const answers = await Promise.all(
      asked.map((header) => ask(daemon, path, { headers: { 'X-Dragonfly-Registry': origin.url, ...header } })),
    );
    const direct = await Promise.all(
      asked.map((headers) => ask({ port: Number(new URL(origin.url).port) }, path, { headers })),
    );
    const shown = ({ status, body }: (typeof answers)[number]): string => `${status} ${body.toString()}`;
    assert.deepEqual(answers.map(shown), direct.map(shown), round);
  }
});

test(
  'a registry that wants to be left alone is quoted at once where nobody holds the manifest',
  { timeout: 4_000 },
  async () => {
    await using daemon = await startDaemon();
    await using origin = await startOrigin((_request, response) => {
      response.writeHead(429, { 'retry-after': '60', 'content-length': 4 }).end('busy');
    });
    for (const reference of ['latest', digest]) {
      const headers = { 'X-Dragonfly-Registry': origin.url };
      const answer = await ask(daemon, `/v2/a/b/manifests/${reference}`, { headers });
      assert.deepEqual([answer.status, answer.headers['retry-after'], answer.body.toString()], [429, '60', 'busy']);
    }
  },
);
