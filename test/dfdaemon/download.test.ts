/** One daemon and an origin: every kind of answer an origin can give, and what the reader gets. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { get } from 'node:http';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { utimes } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Download } from '../../gen/common/v2/common.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { waitFor } from '../support/wait-for.ts';

const mebibyte = 2 ** 20;
const pieceBytes = 4 * mebibyte;

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

describe('a daemon without a scheduler', { timeout: 400_000 }, () => {
  let swarm: LocalSwarm;
  let origin: HttpOrigin;
  let daemon: Daemon;
  let count = 0;

  before(async () => {
    [swarm, origin] = [await LocalSwarm.create(), await HttpOrigin.start()];
    daemon = await swarm.startDaemon('alone');
  });
  after(async () => {
    await swarm[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
  });

  const output = (): string => swarm.directory.join(`out-${(count += 1)}`);

  for (const size of [0, 1, pieceBytes - 1, pieceBytes, pieceBytes + 1, 3 * pieceBytes + 12_345]) {
    for (const chunked of [false, true]) {
      test(`brings ${size} bytes, ${chunked ? 'length unknown' : 'length known'}, with one request`, async () => {
        const content = randomBytes(size);
        const path = `/size-${size}-${chunked}`;
        const outputPath = output();
        const receipt = await swarm.download(daemon, { url: origin.add(path, { content, chunked }), outputPath });
        assert.deepEqual(readFileSync(outputPath), content);
        assert.equal(origin.requestsFor(path).length, 1);
        assert.equal(receipt.bytesFromOrigin, size);
      });
    }
  }

  test('twenty readers at once share one download', async () => {
    const content = randomBytes(5 * pieceBytes);
    const url = origin.add('/shared', { content });
    const outputs = Array.from({ length: 20 }, output);
    await Promise.all(outputs.map((outputPath) => swarm.download(daemon, { url, outputPath })));
    for (const path of outputs) assert.equal(sha256(readFileSync(path)), sha256(content));
    assert.equal(origin.requestsFor('/shared').length, 1);
  });

  test('a task may be removed at any moment: whoever asks for it meanwhile gets it', async () => {
    const content = randomBytes(3 * pieceBytes);
    const url = origin.add('/removed', { content });
    const client = swarm.client(daemon);
    const outputPath = output();
    await swarm.download(daemon, { url, outputPath });
    const { tasks } = await client.listLocalTasks({});
    const { taskId = '' } = tasks.find(({ contentLength }) => contentLength === content.length) ?? {};
    const stored = swarm.directory.join('alone', 'data', 'content', 'tasks', taskId.slice(0, 3), taskId);
    for (let round = 0; round < 30; round += 1) {
      await swarm.download(daemon, { url, outputPath, overwrite: true });
      // Touched from outside, it is verified before it is given to anybody; a removal of the round before may have waited until now.
      await utimes(stored, round, round).catch(() => undefined);
      const again = swarm.download(daemon, { url, outputPath, overwrite: true });
      await delay(round / 3);
      await client.deleteLocalTask({ taskId }).catch((error: unknown) => {
        if ((error as { code?: unknown }).code !== 'NOT_FOUND') throw error;
      });
      await again;
      assert.deepEqual(readFileSync(outputPath), content);
    }
  });

  test('five hundred subscribers of one task at the same time share one download, and each gets every byte', async () => {
    const content = randomBytes(3 * pieceBytes + 77);
    const url = origin.add('/crowd', { content, gated: true });
    const download = Download.fromPartial({ url, priority: 6 });
    const subscribers = 500;
    let started = 0;
    const allStarted = Promise.withResolvers<void>();
    const subscriber = async (): Promise<number> => {
      let bytes = 0;
      for await (const { response } of swarm.client(daemon).downloadTask({ download })) {
        if (response?.$case === 'downloadTaskStartedResponse' && (started += 1) === subscribers) allStarted.resolve();
        if (response?.$case === 'downloadPieceFinishedResponse') bytes += response.value.piece?.length ?? 0;
      }
      return bytes;
    };
    const all = Promise.all(Array.from({ length: subscribers }, subscriber));
    // Until every one of them is there the origin sends its header alone: nobody can have ended before the last has begun.
    await Promise.race([allStarted.promise, all]);
    assert.deepEqual(
      origin.requestsFor('/crowd').map(({ bytes }) => bytes),
      [0],
    );
    origin.release('/crowd', Number.POSITIVE_INFINITY);
    assert.deepEqual(new Set(await all), new Set([content.length]));
    assert.equal(origin.requestsFor('/crowd').length, 1);
  });

  test('a range brings its pieces and no others', async () => {
    const content = randomBytes(6 * pieceBytes);
    const url = origin.add('/range', { content });
    const start = 2 * pieceBytes + 10;
    const pieces: number[] = [];
    const request = { url, range: { start, length: pieceBytes } };
    for await (const { response } of swarm.client(daemon).downloadTask({
      download: Download.fromPartial(request),
    })) {
      if (response?.$case === 'downloadTaskStartedResponse') assert.equal(response.value.contentLength, content.length);
      if (response?.$case === 'downloadPieceFinishedResponse') pieces.push(response.value.piece?.number ?? -1);
    }
    assert.deepEqual(
      pieces.toSorted((a, b) => a - b),
      [2, 3],
    );
  });

  test('pieces that a node holds already are told together to who takes several in one message, and one by one to others', async () => {
    const content = randomBytes(6 * pieceBytes + 5);
    const url = origin.add('/together', { content });
    const download = Download.fromPartial({ url });
    await swarm.download(daemon, { url });
    const messagesOf = async (gatherPieces: boolean): Promise<number[][]> => {
      const messages: number[][] = [];
      for await (const { response } of swarm.client(daemon).downloadTask({ download, gatherPieces })) {
        if (response?.$case !== 'downloadPieceFinishedResponse') continue;
        const { piece, more } = response.value;
        messages.push([piece, ...more].map((one) => one?.number ?? -1));
      }
      return messages;
    };
    assert.deepEqual(await messagesOf(false), [[0], [1], [2], [3], [4], [5], [6]]);
    const together = await messagesOf(true);
    assert.deepEqual(together.flat(), [0, 1, 2, 3, 4, 5, 6]);
    assert(together.length < 7, `${together.length} messages`);
  });

  test('a range with prefetch comes first, and the rest is brought in the background, nothing twice', async () => {
    const content = randomBytes(6 * pieceBytes);
    const url = origin.add('/prefetch', { content });
    const range = { start: 3 * pieceBytes, length: 100 };
    await swarm.download(daemon, { url, range, prefetch: true });
    const outputPath = output();
    await swarm.download(daemon, { url, outputPath });
    assert.deepEqual(readFileSync(outputPath), content);
    const asked = origin.requestsFor('/prefetch').map((request) => request.range);
    assert.deepEqual(asked, [`bytes=${3 * pieceBytes}-`, `bytes=0-${3 * pieceBytes - 1}`]);
  });

  test('a wrong digest is refused, nothing is left, and the right one works afterwards', async () => {
    const content = randomBytes(2 * pieceBytes);
    const url = origin.add('/digest', { content });
    const outputPath = output();
    await assert.rejects(swarm.download(daemon, { url, outputPath, digest: `sha256:${'0'.repeat(64)}` }), {
      code: 'DIGEST_MISMATCH',
    });
    assert.equal(existsSync(outputPath), false);
    const receipt = await swarm.download(daemon, { url, outputPath, digest: `sha256:${sha256(content)}` });
    assert.equal(receipt.digest, `sha256:${sha256(content)}`);
    assert.deepEqual(readFileSync(outputPath), content);
  });

  test('a digest is checked on content that is all here, and content of others stays', async () => {
    const content = randomBytes(2 * pieceBytes);
    const url = origin.add('/late-digest', { content });
    await swarm.download(daemon, { url });
    await assert.rejects(swarm.download(daemon, { url, digest: `sha256:${'1'.repeat(64)}` }), {
      code: 'DIGEST_MISMATCH',
    });
    const receipt = await swarm.download(daemon, { url, digest: `sha256:${sha256(content)}` });
    assert.equal(receipt.digest, `sha256:${sha256(content)}`);
    assert.equal(origin.requestsFor('/late-digest').length, 1);
  });

  test("the origin's refusal reaches the caller with its status", async () => {
    for (const status of [401, 403, 404, 410]) {
      const url = origin.add(`/status-${status}`, { content: Buffer.alloc(0), status });
      const outputPath = output();
      await assert.rejects(
        swarm.download(daemon, { url, outputPath }),
        (error: { code: string; details?: { statusCode?: number } }) => {
          assert.equal(error.code, 'SOURCE_STATUS');
          assert.equal(error.details?.statusCode, status);
          return true;
        },
      );
      assert.equal(existsSync(outputPath), false);
      assert.equal(origin.requestsFor(`/status-${status}`).length, 1);
    }
  });

  test('what may not go to the origin ends when nobody else is there', async () => {
    const url = origin.add('/nobody', { content: randomBytes(100) });
    const lonely = await swarm.startDaemon('lonely', {
      adjust: (config) => ({ ...config, scheduler: { ...config.scheduler, scheduleTimeout: 200 } }),
    });
    await assert.rejects(swarm.download(lonely, { url, disableBackToSource: true }), { code: 'DEADLINE_EXCEEDED' });
    assert.equal(origin.requestsFor('/nobody').length, 0);
    await swarm.stopDaemon('lonely');
  });

  test('a broken answer is resumed with the byte where it ended', async () => {
    const content = randomBytes(6 * pieceBytes);
    const url = origin.add('/broken', { content, breakAfterBytes: 2.5 * pieceBytes, breaksLeft: 1 });
    const outputPath = output();
    await swarm.download(daemon, { url, outputPath });
    assert.deepEqual(readFileSync(outputPath), content);
    const [first, second] = origin.requestsFor('/broken');
    assert.equal(first?.range, undefined);
    assert.match(second?.range ?? '', /^bytes=[1-9]\d+-/);
    assert.equal((first?.bytes ?? 0) + (second?.bytes ?? 0), content.length);
  });

  test('content that changes between two requests is an error, not a mixture', async () => {
    const file = {
      content: randomBytes(6 * pieceBytes),
      etag: '"a"',
      breakAfterBytes: 2.5 * pieceBytes,
      breaksLeft: 1,
    };
    const url = origin.add('/changed', file);
    const outputPath = output();
    const download = swarm.download(daemon, { url, outputPath });
    await waitFor('the first answer to break', () => file.breaksLeft === 0);
    file.etag = '"b"';
    file.content = randomBytes(6 * pieceBytes);
    await assert.rejects(download, { code: 'SOURCE_CHANGED' });
    assert.equal(existsSync(outputPath), false);
    await swarm.download(daemon, { url, outputPath });
    assert.deepEqual(readFileSync(outputPath), file.content);
  });

  test('a reader gets the first bytes long before the first piece is complete', async () => {
    const content = randomBytes(2 * pieceBytes);
    const url = origin.add('/early', { content, gated: true });
    origin.release('/early', 300_000);
    const received: Buffer[] = [];
    const ended = Promise.withResolvers<void>();
    const [host, port] = (daemon.service.addresses['proxy'] ?? '').split(':');
    const headers = { 'x-dragonfly-use-p2p': 'true' };
    get({ host, port, path: url, headers, timeout: 30_000 }, (response) => {
      response
        .on('data', (chunk: Buffer) => received.push(chunk))
        .on('end', ended.resolve)
        .on('error', ended.reject);
    }).on('error', ended.reject);
    await waitFor('the first bytes', () => Buffer.concat(received).length >= 200_000);
    origin.release('/early', Infinity);
    await ended.promise;
    assert.equal(sha256(Buffer.concat(received)), sha256(content));
    // The proxy asks for one byte before: content without a digest in its name has to be fresh.
    assert.equal(origin.requestsFor('/early').filter(({ range }) => range === undefined).length, 1);
  });

  test('when the last reader leaves, the download stops; a later one resumes it', async () => {
    const content = randomBytes(6 * pieceBytes);
    const url = origin.add('/left', { content, gated: true });
    origin.release('/left', 2.5 * pieceBytes);
    const controller = new AbortController();
    const request = { download: Download.fromPartial({ url, priority: 6, enableTaskIdBasedBlobDigest: true }) };
    const leaving = async (): Promise<void> => {
      for await (const { response } of swarm.client(daemon).downloadTask(request, { signal: controller.signal })) {
        if (response?.$case === 'downloadPieceFinishedResponse') controller.abort();
      }
    };
    await assert.rejects(leaving(), { code: 'CANCELLED' });
    const [first] = origin.requestsFor('/left');
    await waitFor('the connection to the origin to close', () => first?.closed);
    origin.release('/left', Infinity);
    const outputPath = output();
    const receipt = await swarm.download(daemon, { url, outputPath });
    assert.deepEqual(readFileSync(outputPath), content);
    assert.ok(receipt.bytesLocal >= pieceBytes, `resumed with ${receipt.bytesLocal} bytes on disk`);
  });

  test('after a restart everything is served without the origin', async () => {
    const content = randomBytes(3 * pieceBytes + 7);
    const url = origin.add('/restart', { content });
    await swarm.download(daemon, { url, outputPath: output() });
    await swarm.stopDaemon('alone');
    daemon = await swarm.startDaemon('alone');
    const outputPath = output();
    const receipt = await swarm.download(daemon, { url, outputPath });
    assert.deepEqual(readFileSync(outputPath), content);
    assert.equal(receipt.bytesLocal, content.length);
    assert.equal(origin.requestsFor('/restart').length, 1);
  });

  test('an output that cannot be written is a clear error and leaves the task usable', async () => {
    const content = randomBytes(pieceBytes);
    const url = origin.add('/unwritable', { content });
    await assert.rejects(swarm.download(daemon, { url, outputPath: swarm.directory.join('no', 'such', 'directory') }), {
      code: 'OUTPUT',
    });
    const outputPath = output();
    await swarm.download(daemon, { url, outputPath });
    await assert.rejects(
      swarm.download(daemon, { url, outputPath }),
      { code: 'OUTPUT' },
      'an existing file is not overwritten',
    );
    assert.equal(statSync(outputPath).size, content.length);
  });
});
