/** How content is written when a store, or what is in between, does something else than was hoped for. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readlink, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { silentLogger } from '../../src/core/process/logger.ts';
import { ObjectRequests } from '../../src/dfdaemon/imports/object-requests.ts';
import { writeObject } from '../../src/dfdaemon/imports/object-writer.ts';
import { Upstream } from '../../src/dfdaemon/proxy/wire/upstream.ts';
import { TrustStore } from '../../src/dfdaemon/source/trust-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

const timeout = 30_000;
const bytes = Buffer.from('onetwo');
const md5s = ['one', 'two'].map((part) => createHash('md5').update(part).digest('hex'));
const content = { lengthBytes: 6, partLengthBytes: 3, md5s, etag: 'of-the-parts-2' };

async function lab(
  answer: RequestListener,
): Promise<AsyncDisposable & { readonly path: string; readonly requests: ObjectRequests }> {
  await using owned = new AsyncDisposableStack();
  const directory = owned.use(await temporaryDirectory('df-writer-'));
  const server = createServer(answer);
  owned.defer(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const upstream = new Upstream({}, new TrustStore({}, silentLogger));
  owned.defer(() => {
    server.closeAllConnections();
    upstream[Symbol.dispose]();
  });
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const storage = { region: 'r', endpoint, accessKeyId: 'key', accessKeySecret: 'secret' };
  const path = directory.join('content');
  await writeFile(path, bytes);
  const requests = new ObjectRequests({ url: 's3://bucket/key', storage }, upstream);
  const moved = owned.move();
  return { path, requests, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

test('an upload that all parts find gone at once is begun anew, and tags may be in capitals', { timeout }, async () => {
  let opened = 0;
  const late: (() => void)[] = [];
  await using all = await lab((request, response) => {
    request.resume();
    const query = new URL(request.url ?? '', 'http://store').searchParams;
    const number = query.get('partNumber');
    if (request.method === 'HEAD') return void response.writeHead(404).end();
    if (query.has('uploads')) {
      opened += 1;
      const id = `<UploadId>${opened}</UploadId>`;
      return void response.end(`<InitiateMultipartUploadResult>${id}</InitiateMultipartUploadResult>`);
    }
    if (request.method === 'POST')
      return void response.end('<CompleteMultipartUploadResult><ETag>"whole"</ETag></CompleteMultipartUploadResult>');
    if (query.get('uploadId') === '2')
      return void response.writeHead(200, { etag: `"${md5s[Number(number) - 1]?.toUpperCase()}"` }).end();
    late.push(() => void response.writeHead(404).end('<Error><Code>NoSuchUpload</Code></Error>'));
    if (late.length === 2) for (const each of late) each();
  });
  const { requests, path } = all;
  const remembered: (string | undefined)[] = [];
  const order = { content, path, remember: (id: string | undefined) => void remembered.push(id) };
  assert.equal(await writeObject(requests, order, AbortSignal.timeout(timeout)), 'whole');
  assert.deepEqual(remembered, ['1', undefined, '2']);
});

test('whatever ends a request, its file is closed', { timeout }, async () => {
  await using all = await lab((request) => void request.destroy());
  const { requests, path } = all;
  const part = { number: 1, offset: 0, lengthBytes: 3 };
  const sending = { md5: md5s[0] ?? '', signal: AbortSignal.timeout(timeout) };
  for (let times = 0; times < 3; times += 1) {
    await assert.rejects(requests.write(path, part, sending), { code: 'SOURCE_UNREACHABLE' });
    await assert.rejects(requests.put(path, part, { ...sending, uploadId: '1' }), { code: 'SOURCE_UNREACHABLE' });
    await assert.rejects(requests.write(path, part, { ...sending, signal: AbortSignal.abort() }), {
      name: 'AbortError',
    });
  }
  await waitFor('the files to be closed', async () => !(await openFiles()).includes(path));
});

test('a file that cannot be read ends the request with its reason', { timeout }, async () => {
  await using all = await lab((request) => void request.resume());
  const { requests, path } = all;
  const sending = { md5: md5s[0] ?? '', signal: AbortSignal.timeout(timeout) };
  await assert.rejects(requests.write(`${path}-gone`, { number: 1, offset: 0, lengthBytes: 3 }, sending), {
    message: /ENOENT/,
  });
});

async function openFiles(): Promise<(string | undefined)[]> {
  const names = await readdir('/proc/self/fd');
  return Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => undefined)));
}
