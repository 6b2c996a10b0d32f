// needs: nginx
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  assertNothingTwice,
  assertOriginAskedOnce,
  assertSameBytes,
  copiesSent,
  downloadWithHalfway,
  TestCluster,
} from '../support/test-cluster.ts';

const gibibyte = 2 ** 30;

test('ten daemons at once, cold, 1 GiB', async () => {
  await using system = await TestCluster.start({ peers: 9 });
  const file = await system.file('f.bin', gibibyte);
  assertSameBytes(await system.downloadAll(system.cluster.daemons, file.url), file);
  assertOriginAskedOnce(await system.settledRequests(file), file);
});

for (const victim of ['seed-1', 'scheduler-1']) {
  test(`ten daemons, 1 GiB, ${victim} killed half-way`, async (t) => {
    await using system = await TestCluster.start({ peers: 10, originBytesPerSec: gibibyte / 16 });
    const file = await system.file('f.bin', gibibyte);
    const { half, downloads } = downloadWithHalfway(system, system.cluster.peers, file);
    await half;
    await system.cluster.kill(victim);
    assertSameBytes(await Promise.all(downloads), file);
    const requests = await system.settledRequests(file);
    t.diagnostic(`origin sent ${copiesSent(requests, file).toFixed(3)} copies`);
    // The seed is ahead of the others: what it alone had has to come again, once.
    assertNothingTwice(
      requests.filter(({ complete }) => complete),
      file,
    );
  });
}

test('ten daemons, 1 GiB, one more peer that corrupts what it gives', async () => {
  await using system = await TestCluster.start({ peers: 10 });
  const file = await system.file('f.bin', gibibyte);
  await using liar = await system.startCorruptingPeer(file);
  assertSameBytes(await system.downloadAll(system.cluster.peers, file.url), file);
  assert.ok(liar.corruptedBytes > 0, 'nobody asked the corrupting peer');
});

test('three daemons, 3 GiB: past what 32 bits can count', async () => {
  await using system = await TestCluster.start({ peers: 2 });
  const file = await system.file('f.bin', 3 * gibibyte);
  assertSameBytes(await system.downloadAll(system.cluster.daemons, file.url), file);
  assertOriginAskedOnce(await system.settledRequests(file), file);
});
