/** Our daemons at a scheduler of the original: what they tell it, and what they believe. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { createClient } from '../../src/rpc/client.ts';
import { knownLength } from '../../src/rpc/fields/known-length.ts';
import { Download } from '../../gen/common/v2/common.ts';
import { DfdaemonUploadDefinition } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { OriginalScheduler } from '../support/original-scheduler.ts';
import { waitFor } from '../support/wait-for.ts';

const pieceBytes = 4 * 2 ** 20;

describe('a scheduler of the original', { timeout: 300_000 }, () => {
  let swarm: LocalSwarm;
  let origin: HttpOrigin;
  let scheduler: OriginalScheduler;
  let one: Daemon;
  let two: Daemon;
  let outputs = 0;

  before(async () => {
    [swarm, origin, scheduler] = [await LocalSwarm.create(), await HttpOrigin.start(), await OriginalScheduler.start()];
    const schedulers = [scheduler.address];
    [one, two] = [await swarm.startDaemon('one', { schedulers }), await swarm.startDaemon('two', { schedulers })];
  });
  after(async () => {
    await swarm[Symbol.asyncDispose]();
    await scheduler[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
  });

  const fetch = async (daemon: Daemon, url: string, more: Parameters<typeof Download.fromPartial>[0] = {}) => {
    const outputPath = swarm.directory.join(`out-${(outputs += 1)}`);
    const receipt = await swarm.download(daemon, { url, outputPath, ...more });
    return { receipt, content: readFileSync(outputPath) };
  };
  const registrationsOf = (url: string) => scheduler.registrations.filter(({ download }) => download.url === url);
  /** Requests for the content; those for its length alone ask for one byte. */
  const copies = (path: string): number => origin.requestsFor(path).filter(({ range }) => range !== 'bytes=0-0').length;

  test('is told the length before anything is fetched, and the next node gets all from the first', async () => {
    const content = randomBytes(3 * pieceBytes + 1);
    const url = origin.add('/cold', { content });
    assert.deepEqual((await fetch(one, url)).content, content);
    const second = await fetch(two, url);
    assert.deepEqual(second.content, content);
    assert.equal(Number(second.receipt.bytesFromOrigin), 0);
    assert.equal(copies('/cold'), 1);
    for (const { download } of registrationsOf(url)) {
      assert.equal(download.actualContentLength, content.length);
      assert.equal(download.actualPieceLength, pieceBytes);
      assert.equal(download.actualPieceCount, 4);
    }
  });

  test('hears of content of unknown length as the original writes it, and its own -1 is read', async () => {
    const content = randomBytes(2 * pieceBytes);
    const url = origin.add('/chunked', { content, chunked: true, noRanges: true });
    assert.deepEqual((await fetch(one, url)).content, content);
    assert.deepEqual((await fetch(two, url)).content, content);
    for (const { download } of registrationsOf(url)) {
      assert.ok(download.actualContentLength);
      assert.equal(knownLength(download.actualContentLength), undefined);
    }
  });

  test('is not believed when it calls content empty', async (t) => {
    const content = randomBytes(pieceBytes + 5);
    const url = origin.add('/called-empty', { content, chunked: true, noRanges: true });
    scheduler.callsEmpty = true;
    t.after(() => (scheduler.callsEmpty = false));
    assert.deepEqual((await fetch(one, url)).content, content);
    const empty = origin.add('/empty', { content: Buffer.alloc(0) });
    assert.equal((await fetch(one, empty)).content.length, 0);
    const forbidden = {
      url: origin.add('/forbidden', { content, chunked: true, noRanges: true }),
      disableBackToSource: true,
    };
    await assert.rejects(fetch(one, forbidden.url, forbidden), { code: 'UNAVAILABLE' });
    assert.equal(copies('/forbidden'), 0);
  });

  test('gets a new peer id with each registration after a stream has broken', async () => {
    const content = randomBytes(4 * pieceBytes);
    const url = origin.add('/cut', { content, gated: true });
    const done = fetch(one, url);
    await waitFor('the download to be at the origin', () => copies('/cut') === 1);
    scheduler.cutStreams();
    await waitFor('the second registration', () => registrationsOf(url).length === 2);
    origin.release('/cut', Infinity);
    assert.deepEqual((await done).content, content);
    const [first, second] = registrationsOf(url);
    assert.notEqual(first?.peerId, second?.peerId);
    assert.ok(second?.download.needBackToSource);
    await waitFor('the peer to be a parent', () => scheduler.holdersOf(first?.taskId ?? '') === 1);
    assert.equal(copies('/cut'), 1);
  });

  test('that knows of nobody yet sends no node to the origin whose parents give', async (t) => {
    const content = randomBytes(4 * pieceBytes);
    const url = origin.add('/sent', { content, gated: true });
    const first = fetch(one, url);
    await waitFor('the download to be at the origin', () => copies('/sent') === 1);
    origin.release('/sent', 2.5 * pieceBytes);
    const told = (id: string | undefined): number => scheduler.pieces.filter(({ taskId }) => taskId === id).length;
    const idOf = (): string | undefined => registrationsOf(url)[0]?.taskId;
    await waitFor('the first pieces', () => told(idOf()) === 2);
    const second = fetch(two, url);
    await waitFor('the second node to have them', () => told(idOf()) === 4);
    scheduler.knowsNobody = true;
    t.after(() => (scheduler.knowsNobody = false));
    scheduler.cutStreams();
    await waitFor('both to register again', () => registrationsOf(url).length === 4);
    origin.release('/sent', Infinity);
    assert.deepEqual((await first).content, content);
    const { receipt, content: got } = await second;
    assert.deepEqual(got, content);
    assert.equal(receipt.bytesFromOrigin, 0);
    assert.equal(copies('/sent'), 1);
  });

  test('that has forgotten everything is told what a node holds, and by a seed it asks', async () => {
    const content = randomBytes(2 * pieceBytes);
    const url = origin.add('/held', { content });
    await fetch(one, url);
    const { taskId = '' } = registrationsOf(url)[0] ?? {};
    const { port } = scheduler;
    await scheduler[Symbol.asyncDispose]();
    scheduler = await OriginalScheduler.start(port);
    await waitFor('the node to tell what it holds', () => scheduler.holdersOf(taskId) === 1);
    assert.ok(registrationsOf(url)[0]?.download.metadataOnly);
    assert.equal(Number((await fetch(two, url)).receipt.bytesFromOrigin), 0);
    assert.equal(copies('/held'), 1);

    // A scheduler asks its seeds for what it finds nobody to hold.
    const holders = scheduler.holdersOf(taskId);
    const upload = createClient(DfdaemonUploadDefinition, swarm.channels, one.service.addresses['peer'] ?? '');
    const download = Download.fromPartial({
      url,
      priority: 6,
      needBackToSource: true,
      enableTaskIdBasedBlobDigest: true,
    });
    for await (const _progress of upload.downloadTask({ download })) continue;
    assert.equal(scheduler.holdersOf(taskId), holders + 1);
  });

  test('what was stored as empty is asked again after a restart', async () => {
    const url = origin.add('/was-empty', { content: Buffer.alloc(0) });
    assert.equal((await fetch(two, url)).content.length, 0);
    const content = randomBytes(pieceBytes);
    origin.add('/was-empty', { content });
    await swarm.stopDaemon('two');
    two = await swarm.startDaemon('two', { schedulers: [scheduler.address] });
    assert.deepEqual((await fetch(two, url)).content, content);
  });
});
