/** What a node does with uploads that an earlier process has left. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { getEventListeners, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { DragonflyError } from '../../src/core/errors.ts';
import { persistentTaskId } from '../../src/core/ids.ts';
import { pieceLayout } from '../../src/core/piece-layout.ts';
import { silentLogger } from '../../src/core/process/logger.ts';
import { ImportRun } from '../../src/dfdaemon/imports/import-run.ts';
import { PendingUploads } from '../../src/dfdaemon/imports/pending-uploads.ts';
import { SealedStorage } from '../../src/dfdaemon/imports/sealed-storage.ts';
import { Upstream } from '../../src/dfdaemon/proxy/wire/upstream.ts';
import { TrustStore } from '../../src/dfdaemon/source/trust-store.ts';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';

const secret = 'a-secret-of-the-store';
const content = Buffer.from('on its way');
const md5 = createHash('md5').update(content).digest('hex');

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function lab({ hasDigest = true } = {}): Promise<
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
  const staged = { path, layout: pieceLayout(content.length, 4 * 2 ** 20), crcs: [crc32(content)] };
  const times = { replicas: 1, createdMs: Date.now(), ttlMs: 3_600_000, owner: '' };
  const sealed = new SealedStorage(directory.join('secrets.key'));
  const sealedStorage = await sealed.seal({ region: 'r', endpoint, accessKeyId: 'key', accessKeySecret: secret });
  const upload = { sealedStorage, partLengthBytes: 8 * 2 ** 20 };
  const kept = { ...times, object: { ...place, state: 'pending' as const }, upload };
  const digest = hasDigest ? digestOf(content) : undefined;
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
  assert.deepEqual(asked, ['HEAD', 'HEAD', 'PUT']);
  const { kept } = store.get(id)?.record ?? {};
  assert.deepEqual([kept?.object?.state, kept?.object?.etag, kept?.upload], ['stored', md5, undefined]);
});

test('who joins an upload and stops waiting does not end it', { timeout: 30_000 }, async () => {
  await using all = await lab();
  const { store, uploads, id } = all;
  const known = Promise.withResolvers<boolean>();
  const stored = Promise.withResolvers<string>();
  uploads.resume(stored.resolve, () => known.promise);
  const task = store.get(id);
  assert.ok(task);
  const leaving = new AbortController();
  const joined = uploads.now(task, [Buffer.from(md5, 'hex')], leaving.signal);
  leaving.abort();
  await assert.rejects(joined, { name: 'AbortError' });
  known.resolve(true);
  assert.equal(await stored.promise, id);
});

test('who joins an upload to its end leaves nothing on his signal', { timeout: 30_000 }, async () => {
  await using all = await lab();
  const { store, uploads, id } = all;
  const known = Promise.withResolvers<boolean>();
  uploads.resume(
    () => undefined,
    () => known.promise,
  );
  const task = store.get(id);
  assert.ok(task);
  const { signal } = new AbortController();
  const joined = uploads.now(task, [Buffer.from(md5, 'hex')], signal);
  known.resolve(true);
  assert.equal((await joined).state, 'stored');
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

/** An import under the id of what is here, at a scheduler that has forgotten everything and finds too few hosts. */
function repeated({ store, uploads, id }: Awaited<ReturnType<typeof lab>>, changes: object = {}) {
  const told: string[] = [];
  const scheduler = { announceTasks: async () => void told.push('held') };
  const schedulers = { ask: (_: string, call: (client: unknown) => unknown) => Promise.resolve(call(scheduler)) };
  const calls = {
    started: async () => void told.push('started'),
    finished: () => Promise.reject(new DragonflyError('RESOURCE_EXHAUSTED', 'too few hosts')),
    failed: async () => void told.push('failed'),
  };
  const upload = { sealedStorage: 'of the second import', partLengthBytes: 8 * 2 ** 20 };
  const engine = { stop: () => undefined };
  const options = { calls, store, engine, schedulers, hostId: 'host', peerId: 'peer', logger: silentLogger, upload };
  const facts = {
    taskId: id,
    replicas: 3,
    createdMs: 1,
    ttlMs: 3_600_000,
    owner: 'other',
    object: store.get(id)?.record.kept?.object,
    contentLengthBytes: content.length,
    pieceLengthBytes: 4 * 2 ** 20,
    ...changes,
  };
  const abandon = (taskId: string): Promise<void> => uploads.abandon(taskId);
  const run = new ImportRun({ ...options, abandon } as never, facts, {} as never);
  return { told, end: run.keep(AbortSignal.timeout(30_000)) };
}

for (const hasDigest of [true, false]) {
  const known = hasDigest ? 'with' : 'without';

  test(`an import of the same content that fails leaves what was acknowledged ${known} a digest`, async () => {
    await using all = await lab({ hasDigest });
    const { store, id } = all;
    const before = store.get(id)?.record.kept;
    assert.ok(before?.object);
    const { told, end } = repeated(all, { digest: digestOf(content) });
    await assert.rejects(end, { code: 'RESOURCE_EXHAUSTED' });
    assert.deepEqual(told, ['started', 'held']);
    assert.deepEqual(store.get(id)?.record.kept, before);
  });

  test(`an import of other content does not take the place of what was acknowledged ${known} a digest`, async () => {
    await using all = await lab({ hasDigest });
    const { store, id } = all;
    const before = store.get(id)?.record.kept;
    const { told, end } = repeated(all, { digest: digestOf(Buffer.from('of as many')) });
    await assert.rejects(end, { code: 'ALREADY_EXISTS' });
    assert.deepEqual(told, ['started']);
    assert.deepEqual(store.get(id)?.record.kept, before);
    assert.deepEqual(await readFile(store.get(id)?.content.path ?? ''), content);
  });
}

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
