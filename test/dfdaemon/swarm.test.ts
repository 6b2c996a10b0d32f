/** Several daemons and a scheduler: the origin is asked once, and whatever dies, everybody gets the right bytes. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { taskId } from '../../src/core/ids.ts';
import { setTimeout as delay } from 'node:timers/promises';
import type { DfdaemonConfig } from '../../src/dfdaemon/config.ts';
import { downloadLimits } from '../../src/swarm/peer/download/limits.ts';
import { CorruptingPeer } from '../support/corrupting-peer.ts';
import { HoldingRelay } from '../support/holding-relay.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { waitFor } from '../support/wait-for.ts';

const pieceBytes = 4 * 2 ** 20;
const content = randomBytes(12 * pieceBytes + 4321);
const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;

interface Stage extends AsyncDisposable {
  readonly swarm: LocalSwarm;
  readonly origin: HttpOrigin;
  readonly scheduler: string;
  readonly peers: readonly Daemon[];
}

async function stage({ peers, seeds = 1 }: { peers: number; seeds?: number }): Promise<Stage> {
  const origin = await HttpOrigin.start();
  const swarm = await LocalSwarm.create();
  const scheduler = await swarm.startScheduler();
  for (let number = 0; number < seeds; number += 1) await swarm.startDaemon(`seed-${number}`, { seed: true });
  const daemons: Daemon[] = [];
  for (let number = 0; number < peers; number += 1) daemons.push(await swarm.startDaemon(`peer-${number}`));
  return {
    swarm,
    origin,
    scheduler,
    peers: daemons,
    [Symbol.asyncDispose]: async () => {
      await swarm[Symbol.asyncDispose]();
      await origin[Symbol.asyncDispose]();
    },
  };
}

async function downloadEverywhere({ swarm, peers }: Stage, url: string) {
  return Promise.all(
    peers.map(async (peer) => {
      const outputPath = swarm.directory.join(`${peer.name}.out`);
      const receipt = await swarm.download(peer, { url, outputPath });
      return { receipt, sha256: createHash('sha256').update(readFileSync(outputPath)).digest('hex') };
    }),
  );
}

function assertAllRight(results: readonly { sha256: string }[]): void {
  for (const result of results) assert.equal(`sha256:${result.sha256}`, digest);
}

function originBytes(origin: HttpOrigin, path: string): number {
  return origin.requestsFor(path).reduce((sum, request) => sum + request.bytes, 0);
}

describe('a swarm', { timeout: 400_000 }, () => {
  test('of four peers asks the origin once; every peer gives to others', async () => {
    await using scene = await stage({ peers: 4 });
    const results = await downloadEverywhere(scene, scene.origin.add('/file', { content }));
    assertAllRight(results);
    assert.equal(scene.origin.requests.length, 1, JSON.stringify(scene.origin.requests));
    assert.equal(originBytes(scene.origin, '/file'), content.length);
    for (const { receipt } of results) assert.equal(receipt.bytesFromOrigin, 0);
    const givers = new Set(results.flatMap(({ receipt }) => receipt.parents.map((parent) => parent.peerId)));
    assert.ok(givers.size >= 3, `pieces came from ${[...givers].join(', ')}`);
  });

  test('without a seed peer still asks the origin once', async () => {
    await using scene = await stage({ peers: 4, seeds: 0 });
    assertAllRight(await downloadEverywhere(scene, scene.origin.add('/file', { content })));
    assert.equal(scene.origin.requests.length, 1);
  });

  test('asks a model hub once, for the revision that was asked for', async () => {
    await using scene = await stage({ peers: 2 });
    const { swarm, origin, peers } = scene;
    const path = '/owner/name/resolve/v1/model';
    origin.add(path, { content });
    const huggingFace = { revision: 'v1', baseUrl: origin.url('') };
    const download = { url: 'hf://owner/name/model', huggingFace };
    const receipts = await Promise.all(peers.map((peer) => swarm.download(peer, download)));
    for (const { bytesFromOrigin } of receipts) assert.equal(bytesFromOrigin, 0);
    assert.equal(originBytes(origin, path), content.length);
  });

  test('passes content of unknown length', async () => {
    await using scene = await stage({ peers: 3 });
    assertAllRight(await downloadEverywhere(scene, scene.origin.add('/file', { content, chunked: true })));
    assert.equal(scene.origin.requestsFor('/file').length, 1);
  });

  test('gives a late peer everything with the origin gone', async () => {
    await using scene = await stage({ peers: 2 });
    const url = scene.origin.add('/file', { content });
    const [first, late] = scene.peers as [Daemon, Daemon];
    await scene.swarm.download(first, { url });
    await scene.origin[Symbol.asyncDispose]();
    const outputPath = scene.swarm.directory.join('late.out');
    const receipt = await scene.swarm.download(late, { url, outputPath });
    assert.deepEqual(readFileSync(outputPath), content);
    assert.equal(receipt.bytesFromOrigin, 0);
  });

  test('looks for nothing where it was deleted', async () => {
    await using scene = await stage({ peers: 2, seeds: 0 });
    const { swarm, origin } = scene;
    const url = origin.add('/file', { content });
    const [first, second] = scene.peers as [Daemon, Daemon];
    await swarm.download(first, { url });
    await swarm.client(first).deleteLocalTask({ taskId: taskId({ url }) });
    const { bytesFromOrigin, retries } = await swarm.download(second, { url });
    assert.deepEqual({ bytesFromOrigin, retries }, { bytesFromOrigin: content.length, retries: 0 });
  });

  test('over two data centres with one node of each that crosses', async () => {
    await using origin = await HttpOrigin.start();
    await using swarm = await LocalSwarm.create();
    await swarm.startScheduler(0, '{addr: ""}', '{crossZonePeers: 1}');
    const placed = (idc: string) => ({
      adjust: (config: DfdaemonConfig) => ({ ...config, host: { ...config.host, idc } }),
    });
    await swarm.startDaemon('seed', { seed: true, ...placed('west') });
    const east = await Promise.all(
      ['east-0', 'east-1', 'east-2', 'east-3'].map((name) => swarm.startDaemon(name, placed('east'))),
    );
    const url = origin.add('/file', { content });
    const receipts = await Promise.all(east.map((daemon) => swarm.download(daemon, { url, digest })));
    const crossed = receipts.filter(({ parents }) => parents.some(({ hostName }) => hostName === 'seed'));
    assert.equal(crossed.length, 1, JSON.stringify(receipts.map(({ parents }) => parents)));
    const bytes = crossed[0]?.parents.reduce((sum, parent) => sum + (parent.hostName === 'seed' ? parent.bytes : 0), 0);
    assert.equal(bytes, content.length, 'each byte crossed once');
    assert.equal(originBytes(origin, '/file'), content.length);
  });

  test('outlives its seed, killed half-way', async () => {
    await using scene = await stage({ peers: 3 });
    const url = scene.origin.add('/file', { content, gated: true });
    const downloads = downloadEverywhere(scene, url);
    scene.origin.release('/file', 5 * pieceBytes);
    await waitFor(
      'half of the content to leave the origin',
      () => originBytes(scene.origin, '/file') >= 5 * pieceBytes,
    );
    await scene.swarm.stopDaemon('seed-0');
    scene.origin.release('/file', Infinity);
    assertAllRight(await downloads);
    const copies = originBytes(scene.origin, '/file') / content.length;
    assert.ok(copies < 1.5, `the origin sent ${copies.toFixed(2)} copies`);
  });

  test('outlives its scheduler, killed half-way', async () => {
    await using scene = await stage({ peers: 3 });
    const url = scene.origin.add('/file', { content, gated: true });
    const downloads = downloadEverywhere(scene, url);
    scene.origin.release('/file', 5 * pieceBytes);
    await waitFor(
      'half of the content to leave the origin',
      () => originBytes(scene.origin, '/file') >= 5 * pieceBytes,
    );
    await scene.swarm.stopScheduler(scene.scheduler);
    scene.origin.release('/file', Infinity);
    assertAllRight(await downloads);
  });

  test('waits for a scheduler that is there but busy, and does not go to the origin instead', async () => {
    await using origin = await HttpOrigin.start();
    await using swarm = await LocalSwarm.create();
    await using relay = await HoldingRelay.start(await swarm.startScheduler());
    const names = ['peer-0', 'peer-1', 'peer-2'];
    const peers: Daemon[] = [];
    for (const name of names) peers.push(await swarm.startDaemon(name, { schedulers: [relay.address] }));
    const url = origin.add('/file', { content });
    relay.hold();
    const downloads = peers.map((peer) => swarm.download(peer, { url }));
    await delay(downloadLimits.starvedMs + 100);
    relay.release();
    await Promise.all(downloads);
    assert.equal(origin.requests.length, 1, JSON.stringify(origin.requests));
  });

  test('heals a restarted scheduler: a late peer finds those who hold the content', async () => {
    await using scene = await stage({ peers: 2 });
    const url = scene.origin.add('/file', { content });
    const [first, late] = scene.peers as [Daemon, Daemon];
    await scene.swarm.download(first, { url });
    await scene.swarm.stopScheduler(scene.scheduler);
    const port = Number(scene.scheduler.slice(scene.scheduler.lastIndexOf(':') + 1));
    await scene.swarm.startScheduler(port);
    const outputPath = scene.swarm.directory.join('late.out');
    const receipt = await scene.swarm.download(late, { url, outputPath });
    assert.deepEqual(readFileSync(outputPath), content);
    assert.equal(receipt.bytesFromOrigin, 0, 'it was sent to the origin before the others were back');
  });

  test('DF2-15 takes nothing wrong from a peer that corrupts its pieces, and does without it', async () => {
    await using scene = await stage({ peers: 3, seeds: 0 });
    const url = scene.origin.add('/file', { content });
    const directory = scene.swarm.directory.join('corrupting');
    mkdirSync(directory, { mode: 0o700 });
    await using liar = await CorruptingPeer.start({ scheduler: scene.scheduler, directory, url, content });
    const results = await downloadEverywhere(scene, url);
    assertAllRight(results);
    assert.ok(liar.corruptedBytes > 0, 'nobody asked the corrupting peer');
    for (const { receipt } of results) {
      assert.equal(
        receipt.parents.find(({ peerId }) => peerId === liar.peerId),
        undefined,
        'a corrupt piece counts as received',
      );
    }
  });

  test('DF2-15 notices a peer that forged content whose checksums agree, and asks the origin', async () => {
    await using scene = await stage({ peers: 2, seeds: 0 });
    const forged = randomBytes(content.length);
    const url = scene.origin.add('/file', { content: forged });
    const [forger, victim] = scene.peers as [Daemon, Daemon];
    await scene.swarm.download(forger, { url });
    scene.origin.add('/file', { content });
    const outputPath = scene.swarm.directory.join('victim.out');
    const receipt = await scene.swarm.download(victim, { url, outputPath, digest });
    assert.deepEqual(readFileSync(outputPath), content);
    assert.equal(receipt.digest, digest);
    assert.ok(receipt.parents.length > 0, 'the forger was not asked');
  });

  for (const [lie, forged] of Object.entries({
    bytes: randomBytes(content.length),
    length: content.subarray(0, 5 * pieceBytes),
  })) {
    test(`DF2-15 believes no member that claims content nobody has fetched: a lie about the ${lie}`, async () => {
      await using scene = await stage({ peers: 3, seeds: 0 });
      const url = scene.origin.add('/file', { content });
      const directory = scene.swarm.directory.join('forging');
      mkdirSync(directory, { mode: 0o700 });
      const { scheduler } = scene;
      await using liar = await CorruptingPeer.start({ scheduler, directory, url, content: forged, honestBytes: true });
      const [first, ...others] = scene.peers as [Daemon, ...Daemon[]];
      const results = await downloadEverywhere({ ...scene, peers: [first] }, url);
      results.push(...(await downloadEverywhere({ ...scene, peers: others }, url)));
      assertAllRight(results);
      for (const { receipt } of results.slice(1))
        assert.ok(!receipt.parents.some(({ peerId }) => peerId === liar.peerId), 'the liar is still a parent');
      assert.ok(originBytes(scene.origin, '/file') <= 2 * content.length + 2 ** 20, 'more than a copy for the lie');
    });
  }

  test('DF2-15 has a claim compared with the origin twice, then believes it', async () => {
    await using scene = await stage({ peers: 4, seeds: 0 });
    const url = scene.origin.add('/file', { content });
    const directory = scene.swarm.directory.join('honest');
    mkdirSync(directory, { mode: 0o700 });
    const { scheduler } = scene;
    await using holder = await CorruptingPeer.start({ scheduler, directory, url, content, honestBytes: true });
    for (const peer of scene.peers) assertAllRight(await downloadEverywhere({ ...scene, peers: [peer] }, url));
    assert.equal(holder.corruptedBytes, 0);
    assert.equal(scene.origin.requestsFor('/file').length, 2);
  });

  test('tells every waiting peer what the origin said', async () => {
    await using scene = await stage({ peers: 3 });
    const url = scene.origin.add('/gone', { content: Buffer.alloc(0), status: 403 });
    for (const peer of scene.peers) {
      await assert.rejects(
        scene.swarm.download(peer, { url }),
        (error: { code: string; details?: { statusCode?: number } }) => {
          assert.equal(error.details?.statusCode, 403, error.code);
          return true;
        },
      );
    }
  });
});
