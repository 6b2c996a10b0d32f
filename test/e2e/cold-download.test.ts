// needs: nginx
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertOriginAskedOnce, assertSameBytes, TestCluster } from '../support/test-cluster.ts';

const mebibyte = 2 ** 20;

test('ten daemons at once, cold: the origin sends one copy, all have the same bytes', async () => {
  await using system = await TestCluster.start({ peers: 9 });
  const file = await system.file('model.bin', 64 * mebibyte);
  const results = await system.downloadAll(system.cluster.daemons, file.url);
  assert.equal(results.length, 10);
  assertSameBytes(results, file);
  assertOriginAskedOnce(await system.settledRequests(file), file);
  const [first] = results;
  assert.ok(first);
  for (const result of results) {
    const given = [...result.bytesFromNode.values()].reduce((sum, bytes) => sum + bytes, 0);
    assert.equal(
      given + result.bytesFromOrigin + result.bytesLocal,
      file.sizeBytes,
      `receipt of ${result.node} adds up`,
    );
  }
});

test('a node that comes later is served by the others, the origin is not asked again', async () => {
  await using system = await TestCluster.start({ peers: 3 });
  const file = await system.file('layer.bin', 24 * mebibyte);
  const [early, ...late] = system.cluster.peers;
  assert.ok(early);
  assertSameBytes([await system.download(early, file.url)], file);
  const before = await system.settledRequests(file);
  await system.origin[Symbol.asyncDispose]();
  const results = await system.downloadAll(late, file.url);
  assertSameBytes(results, file);
  assert.ok(results.every(({ bytesFromOrigin }) => bytesFromOrigin === 0));
  assertOriginAskedOnce(before, file);
});
