/** What a node does with uploads that an earlier process has left. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { persistentTaskId } from '../../src/core/ids.ts';
import { pieceLayout } from '../../src/core/piece-layout.ts';
import { silentLogger } from '../../src/core/process/logger.ts';
import { PendingUploads } from '../../src/dfdaemon/imports/pending-uploads.ts';
import { SealedStorage } from '../../src/dfdaemon/imports/sealed-storage.ts';
import { Upstream } from '../../src/dfdaemon/proxy/wire/upstream.ts';
import { TrustStore } from '../../src/dfdaemon/source/trust-store.ts';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';

const secret = 'a-secret-of-the-store';
const content = Buffer.from('on its way');
const md5 = createHash('md5').update(content).digest('hex');

async function lab(): Promise<
  AsyncDisposable & {
    readonly directory: TemporaryDirectory;
    readonly asked: string[];
    readonly store: TaskStore;
    readonly uploads: PendingUploads;
    readonly id: string;
  }
> {
  await using owned = new AsyncDisposableStack();
  const directory = owned.use(await temporaryDirectory('df-pending-'));
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.method ?? '');
    request.resume();
    response.writeHead(request.method === 'PUT' ? 200 : 404, { etag: `"${md5}"` }).end();
  });
  owned.defer(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const place = { url: 's3://bucket/key', region: 'r', endpoint };
  const store = owned.use(await TaskStore.open({ directory: directory.join('store') }));
  const path = join(store.incoming, 'staged');
  await writeFile(path, content);
  const id = persistentTaskId(place);
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  const staged = { path, layout: pieceLayout(content.length, 4 * 2 ** 20), crcs: [crc32(content)] };
  const times = { replicas: 1, createdMs: Date.now(), ttlMs: 3_600_000, owner: '' };
  const sealed = new SealedStorage(directory.join('secrets.key'));
  const sealedStorage = await sealed.seal({ region: 'r', endpoint, accessKeyId: 'key', accessKeySecret: secret });
  const upload = { sealedStorage, partLengthBytes: 8 * 2 ** 20 };
  const kept = { ...times, object: { ...place, state: 'pending' as const }, upload };
  store.adopt(id, { url: `dfstore://${id}`, digest }, { staged, kept });
  const upstream = new Upstream({}, new TrustStore({}, silentLogger));
  owned.defer(() => {
    server.closeAllConnections();
    upstream[Symbol.dispose]();
  });
  const uploads = owned.use(new PendingUploads({ store, upstream, sealed, logger: silentLogger }));
  const moved = owned.move();
  return { directory, asked, store, uploads, id, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

test('they go on when a scheduler knows of them, and the store is told once', { timeout: 30_000 }, async () => {
  await using all = await lab();
  const { asked, store, uploads, id } = all;
  const stored = Promise.withResolvers<string>();
  let answers = 0;
  uploads.resume(stored.resolve, () => Promise.resolve((answers += 1) > 1));
  assert.equal(await stored.promise, id);
  assert.equal(answers, 2);
  assert.deepEqual(asked, ['HEAD', 'PUT']);
  const { kept } = store.get(id)?.record ?? {};
  assert.deepEqual([kept?.object?.state, kept?.object?.etag, kept?.upload], ['stored', md5, undefined]);
});

test('what was deleted while the node was away does not get there', { timeout: 30_000 }, async () => {
  await using all = await lab();
  const { asked, store, uploads, id } = all;
  const ended = Promise.withResolvers<void>();
  uploads.resume(
    () => assert.fail('it was uploaded'),
    () => {
      // The scheduler has told the node to delete it.
      store.remove(id);
      ended.resolve();
      return Promise.resolve(false);
    },
  );
  await ended.promise;
  await uploads[Symbol.asyncDispose]();
  assert.deepEqual(asked, []);
});

test(
  'credentials are written down sealed; without the key nothing is sent, and it is told why',
  { timeout: 30_000 },
  async () => {
    await using all = await lab();
    const { directory, asked, store, uploads, id } = all;
    const files = await readdir(directory.path, { recursive: true, withFileTypes: true });
    for (const file of files.filter((each) => each.isFile()))
      assert.ok(!(await readFile(join(file.parentPath, file.name))).includes(secret), file.name);
    const { kept } = store.get(id)?.record ?? {};
    assert.ok(kept?.upload);
    const other = await new SealedStorage(directory.join('other.key')).seal({ accessKeySecret: secret });
    store.get(id)?.keep({ ...kept, upload: { ...kept.upload, sealedStorage: other } }, true);
    uploads.resume(
      () => assert.fail('it was uploaded'),
      () => Promise.resolve(true),
    );
    while (uploads.failureOf(id) === '') await delay(5);
    assert.match(uploads.failureOf(id), /cannot be decrypted/);
    assert.deepEqual(asked, []);
  },
);
