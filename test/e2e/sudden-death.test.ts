// needs: nginx
import assert from 'node:assert/strict';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LocalDaemon } from '../../src/cli/up/cluster.ts';
import { assertSameBytes, downloadWithHalfway, TestCluster } from '../support/test-cluster.ts';

const mebibyte = 2 ** 20;
const fileBytes = 64 * mebibyte;
/** Slow enough that half-way is a moment that can be met. */
const originBytesPerSec = 16 * mebibyte;

test('the seed peer dies half-way: the others finish right', async () => {
  await using system = await TestCluster.start({ peers: 4, originBytesPerSec });
  const file = await system.file('f.bin', fileBytes);
  const { half, downloads } = downloadWithHalfway(system, system.cluster.peers, file);
  await half;
  await system.cluster.kill('seed-1');
  assertSameBytes(await Promise.all(downloads), file);
});

test('the scheduler dies half-way: all finish right', async () => {
  await using system = await TestCluster.start({ peers: 4, originBytesPerSec });
  const file = await system.file('f.bin', fileBytes);
  const { half, downloads } = downloadWithHalfway(system, system.cluster.daemons, file);
  await half;
  await system.cluster.kill('scheduler-1');
  assertSameBytes(await Promise.all(downloads), file);
});

test('manager and scheduler are gone: a download that starts now still ends right', async () => {
  await using system = await TestCluster.start({ peers: 2 });
  const file = await system.file('f.bin', 8 * mebibyte);
  await system.cluster.kill('scheduler-1');
  await system.cluster.kill('manager');
  assertSameBytes(await system.downloadAll(system.cluster.peers, file.url), file);
});

test('a peer whose disk has rotted delivers nothing wrong', async () => {
  await using system = await TestCluster.start({ peers: 3, seeds: 0 });
  const file = await system.file('f.bin', 24 * mebibyte);
  const [rotten, ...others] = system.cluster.peers;
  assert.ok(rotten);
  await system.download(rotten, file.url);
  await flipBits(rotten, file.sizeBytes);
  assertSameBytes(await system.downloadAll(others, file.url), file);
});

test('a member that gives wrong bytes is found out: everybody else finishes right', async () => {
  await using system = await TestCluster.start({ peers: 3 });
  const file = await system.file('f.bin', 24 * mebibyte);
  await using liar = await system.startCorruptingPeer(file);
  const results = await system.downloadAll(system.cluster.peers, file.url);
  assertSameBytes(results, file);
  assert.ok(liar.corruptedBytes > 0, 'nobody asked the corrupting peer');
  for (const { node, bytesFromNode } of results) {
    assert.equal(bytesFromNode.get(liar.peerId), undefined, `${node} counts corrupt pieces as received`);
  }
});

test('killed and started again, a node serves what it had without the origin', async () => {
  await using system = await TestCluster.start({ peers: 2, seeds: 0 });
  const file = await system.file('f.bin', 24 * mebibyte);
  const [holder] = system.cluster.peers;
  assert.ok(holder);
  await system.download(holder, file.url);
  await system.cluster.kill(holder.name);
  await system.cluster.restart(holder.name);
  await system.origin[Symbol.asyncDispose]();
  const [again, other] = system.cluster.peers.toSorted((a) => (a.name === holder.name ? -1 : 1));
  assert.ok(again && other);
  const results = [await system.download(again, file.url), await system.download(other, file.url)];
  assertSameBytes(results, file);
  assert.deepEqual(
    results.map(({ bytesFromOrigin }) => bytesFromOrigin),
    [0, 0],
  );
});

test('killed half-way and started again, a node goes on from its verified pieces', async () => {
  await using system = await TestCluster.start({ peers: 1, seeds: 0, originBytesPerSec });
  const file = await system.file('f.bin', fileBytes);
  const [peer] = system.cluster.peers;
  assert.ok(peer);
  const { half, downloads } = downloadWithHalfway(system, [peer], file);
  const broken = Promise.allSettled(downloads);
  await half;
  await system.cluster.kill(peer.name);
  await broken;
  await system.cluster.restart(peer.name);
  const [again] = system.cluster.peers;
  assert.ok(again);
  const result = await system.download(again, file.url);
  assertSameBytes([result], file);
  assert.ok(result.bytesLocal >= file.sizeBytes / 4, `only ${result.bytesLocal} bytes were kept`);
  assert.equal(result.bytesLocal + result.bytesFromOrigin, file.sizeBytes);
});

test('with every scheduler and the seed back, the cluster works as before', async () => {
  await using system = await TestCluster.start({ peers: 2 });
  for (const name of ['scheduler-1', 'seed-1', 'manager']) await system.cluster.kill(name);
  for (const name of ['manager', 'scheduler-1', 'seed-1']) await system.cluster.restart(name);
  const file = await system.file('f.bin', 16 * mebibyte);
  assertSameBytes(await system.downloadAll(system.cluster.peers, file.url), file);
  assert.ok((await system.settledRequests(file)).length > 0);
});

/** Flips one byte in the middle of every piece of the stored content, behind the back of the daemon. */
async function flipBits(daemon: LocalDaemon, sizeBytes: number): Promise<void> {
  const names = await readdir(join(daemon.directory, 'data'), { recursive: true });
  let flipped = 0;
  for (const name of names) {
    const path = join(daemon.directory, 'data', name);
    const { size } = await stat(path);
    if (size !== sizeBytes) continue;
    await using file = await open(path, 'r+');
    for (let offset = 2 * mebibyte; offset < size; offset += 4 * mebibyte) {
      const { buffer } = await file.read(Buffer.alloc(1), 0, 1, offset);
      await file.write(Buffer.from([(buffer[0] ?? 0) ^ 0xff]), 0, 1, offset);
      flipped += 1;
    }
  }
  assert.ok(flipped > 0, 'no stored content was found to flip');
}
