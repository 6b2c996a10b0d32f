/** Content nobody has a digest of: what other nodes give is compared piece by piece with what whoever was at the origin says. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CorruptingPeer } from '../support/corrupting-peer.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';

const pieceBytes = 4 * 2 ** 20;
const content = randomBytes(10 * pieceBytes + 4321);

function originBytes(origin: HttpOrigin): number {
  return origin.requests.reduce((sum, request) => sum + request.bytes, 0);
}

test(
  'a member that forged every byte, with checksums that agree, gives nothing and is struck off',
  { timeout: 120_000 },
  async () => {
    await using origin = await HttpOrigin.start();
    await using swarm = await LocalSwarm.create();
    const scheduler = await swarm.startScheduler();
    await swarm.startDaemon('seed', { seed: true });
    const peers: Daemon[] = [];
    for (const name of ['first', 'b', 'c', 'd']) peers.push(await swarm.startDaemon(name));
    const [first, ...others] = peers as [Daemon, ...Daemon[]];
    const url = origin.add('/file', { content });
    await swarm.download(first, { url });
    const directory = swarm.directory.join('forging');
    mkdirSync(directory, { mode: 0o700 });
    const forged = randomBytes(content.length);
    await using liar = await CorruptingPeer.start({ scheduler, directory, url, content: forged, honestBytes: true });
    const receipts = await Promise.all(
      others.map(async (peer) => {
        const outputPath = swarm.directory.join(`${peer.name}.out`);
        const receipt = await swarm.download(peer, { url, outputPath });
        assert.deepEqual(readFileSync(outputPath), content, `${peer.name} got something else`);
        return receipt;
      }),
    );
    for (const { parents } of receipts)
      assert.ok(!parents.some(({ peerId }) => peerId === liar.peerId), 'a forged piece counts as received');
    assert.equal(originBytes(origin), content.length, 'nobody had to ask the origin again');
    assert.match(
      (await swarm.schedulerMetrics[0]?.registry.metrics()) ?? '',
      /^dragonfly_scheduler_hosts_struck_off_total 1$/m,
    );
  },
);

test('a cluster that trusts its members does without', { timeout: 60_000 }, async () => {
  await using origin = await HttpOrigin.start();
  await using swarm = await LocalSwarm.create();
  await swarm.startScheduler();
  const adjust: NonNullable<Parameters<LocalSwarm['startDaemon']>[1]>['adjust'] = (config) => ({
    ...config,
    download: { ...config.download, pieceDigests: false },
  });
  await swarm.startDaemon('seed', { seed: true, adjust });
  const trusting = await swarm.startDaemon('trusting', { adjust });
  const careful = await swarm.startDaemon('careful');
  const url = origin.add('/file', { content });
  for (const peer of [trusting, careful]) {
    const outputPath = swarm.directory.join(`${peer.name}.out`);
    await swarm.download(peer, { url, outputPath });
    assert.deepEqual(readFileSync(outputPath), content);
  }
  assert.equal(origin.requests.length, 1);
});
