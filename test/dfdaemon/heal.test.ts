/** What a disk does to stored content and metadata while nobody looks: nobody is given a wrong byte, and the node heals. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { get } from 'node:http';
import { after, before, describe, test, type TestContext } from 'node:test';
import { taskId as taskIdOf } from '../../src/core/ids.ts';
import { silentLogger } from '../../src/core/process/logger.ts';
import { createClient } from '../../src/rpc/client.ts';
import { Scrubber } from '../../src/dfdaemon/storage/scrubber.ts';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { contentBytes, scratchDirectory, storeContent } from '../storage/fixtures.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { DfdaemonLocalDefinition } from '../../gen/dfdaemon/v2/local.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { waitFor } from '../support/wait-for.ts';

/** Longer than that of any kernel. */
const tickMs = 50;
const pieceBytes = 4 * 2 ** 20;
const content = randomBytes(3 * pieceBytes + 77);
const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;

function flipByte(path: string, offset: number): void {
  const fd = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, offset);
  byte[0] = (byte[0] ?? 0) ^ 1;
  writeSync(fd, byte, 0, 1, offset);
  closeSync(fd);
}

describe('a store that is not what it was', { timeout: 120_000 }, () => {
  let swarm: LocalSwarm;
  let origin: HttpOrigin;
  let daemon: Daemon;
  let count = 0;
  const path = `/v2/x/blobs/${digest}`;
  const options = { yaml: '' };

  before(async () => {
    [swarm, origin] = [await LocalSwarm.create(), await HttpOrigin.start()];
    await swarm.startScheduler();
    const adjust: NonNullable<Parameters<LocalSwarm['startDaemon']>[1]>['adjust'] = (config) => ({
      ...config,
      proxy: { ...config.proxy, enable: true, proxies: [{ regx: '.*' }] as typeof config.proxy.proxies },
    });
    Object.assign(options, { adjust });
    daemon = await swarm.startDaemon('node', options);
    origin.add(path, { content });
  });
  after(async () => {
    await swarm[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
  });

  const dataPath = (...rest: string[]): string => swarm.directory.join('node', 'data', ...rest);
  const stored = (url: string): string => {
    const id = taskIdOf({ url });
    return dataPath('content', 'tasks', id.slice(0, 3), id);
  };
  const bring = async (from: Daemon, more: Parameters<LocalSwarm['download']>[1] = {}): Promise<Buffer> => {
    const outputPath = swarm.directory.join(`out-${(count += 1)}`);
    await swarm.download(from, { url: origin.url(path), ...more, outputPath });
    return readFileSync(outputPath);
  };
  const viaProxy = (url: string): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const { port } = new URL(`http://${daemon.service.addresses.proxy}`);
      get({ host: '127.0.0.1', port, path: url, headers: { host: new URL(url).host } }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
        response.on('end', () => resolve(Buffer.concat(chunks)));
      }).on('error', reject);
    });

  const damages: Readonly<Record<string, (file: string) => void>> = {
    'a flipped bit': (file) => flipByte(file, pieceBytes + 5),
    'a truncated file': (file) => truncateSync(file, 2 * pieceBytes + 1),
    'an empty file': (file) => truncateSync(file, 0),
  };
  const readers: Readonly<Record<string, () => Promise<Buffer>>> = {
    'dfget with the digest': () => bring(daemon, { digest }),
    dfget: () => bring(daemon),
    'the proxy': () => viaProxy(origin.url(path)),
    'another node': async () => {
      const other = await swarm.startDaemon(`other-${(count += 1)}`);
      return bring(other, { digest });
    },
  };

  for (const [damage, make] of Object.entries(damages)) {
    for (const [reader, read] of Object.entries(readers)) {
      test(`${damage} is noticed by ${reader}`, async () => {
        await bring(daemon);
        make(stored(origin.url(path)));
        assert.ok((await read()).equals(content));
        assert.ok((await bring(daemon, { digest })).equals(content), 'the node has not healed');
        assert.ok(readFileSync(stored(origin.url(path))).equals(content), 'the file has not healed');
      });
    }

    test(`${damage} while the daemon was down is noticed`, async () => {
      await bring(daemon);
      await swarm.stopDaemon('node');
      make(stored(origin.url(path)));
      daemon = await swarm.startDaemon('node', options);
      assert.ok((await viaProxy(origin.url(path))).equals(content));
      assert.ok((await bring(daemon, { digest })).equals(content));
    });
  }

  const plainPath = '/without-a-digest';
  /** Begins while the origin has sent more than two pieces; what has landed is damaged, then the rest comes. */
  const damagedMeanwhile = async <T>(name: string, begin: (url: string) => Promise<T>): Promise<T> => {
    const file = `${plainPath}?${name.replaceAll(' ', '-')}`;
    const url = origin.add(file, { content, gated: true, etag: '"1"' });
    origin.release(file, 2 * pieceBytes + 10_000);
    const result = begin(url);
    result.catch(() => undefined);
    const local = createClient(DfdaemonLocalDefinition, swarm.channels, `unix:${daemon.socket}`);
    await waitFor('two pieces', async () => {
      const { tasks } = await local.listStoredTasks({});
      return tasks.some((task) => task.url === url && task.storedLength === 2 * pieceBytes);
    });
    // What somebody writes within one tick of the kernel's clock after the node's own write has the same time as that.
    await waitFor('the next tick', () => Date.now() - statSync(stored(url)).mtimeMs > tickMs);
    flipByte(stored(url), 7);
    origin.release(file, Infinity);
    return result;
  };

  for (const withDigest of [false, true]) {
    test(`what the disk changes while it is downloaded ${withDigest ? 'with' : 'without'} a digest is not handed out`, async () => {
      const of = (url: string): Promise<Buffer> => bring(daemon, { url, ...(withDigest && { digest }) });
      assert.ok((await damagedMeanwhile(`file ${withDigest}`, of)).equals(content));
      assert.ok((await bring(daemon, { url: origin.url(`${plainPath}?file-${withDigest}`) })).equals(content));
    });
  }

  test('a client that was given what the disk has changed is not told that it has everything', async () => {
    await assert.rejects(
      damagedMeanwhile('proxy', (url) => viaProxy(url)),
      /aborted/,
    );
    assert.ok((await viaProxy(origin.url(`${plainPath}?proxy`))).equals(content), 'asked again it is right');
  });

  for (const [name, damage] of Object.entries({
    'is no database': (file: string) => writeFileSync(file, randomBytes(8192)),
    'has broken pages': (file: string) => {
      const bytes = readFileSync(file);
      bytes.fill(0x5a, 4096, bytes.length - 1);
      writeFileSync(file, bytes);
    },
    'is cut short': (file: string) => truncateSync(file, readFileSync(file).length >> 1),
    'is empty': (file: string) => truncateSync(file, 0),
  })) {
    test(`metadata that ${name} leaves an empty store that works`, async () => {
      await bring(daemon);
      await swarm.stopDaemon('node');
      damage(dataPath('metadata.sqlite'));
      daemon = await swarm.startDaemon('node', options);
      assert.deepEqual((await swarm.client(daemon).listLocalTasks({})).tasks, []);
      assert.ok(!existsSync(stored(origin.url(path))), 'content that nobody knows stays on the disk');
      assert.ok((await bring(daemon, { digest })).equals(content));
    });
  }
});

test('an idle node finds what the disk has changed without a trace', { timeout: 60_000 }, async (t: TestContext) => {
  await using store = await TaskStore.open({ directory: scratchDirectory(t) });
  const task = store.open('a'.repeat(64), { url: 'http://origin/a' });
  await storeContent(task, contentBytes(3 * pieceBytes, 1), { pieceLengthBytes: pieceBytes });
  flipByte(task.content.path, pieceBytes + 9);
  task.record.change({ stamp: task.content.stamp()?.text ?? null }); // as if the file's times had not changed
  assert.equal(task.touchedFromOutside(), false);
  task.seen(Number.NEGATIVE_INFINITY);
  await using scrubber = new Scrubber({ store, rateBytesPerSec: 2 ** 30, busy: () => false, logger: silentLogger });
  scrubber.start();
  await waitFor('the damage to be found', () => !task.complete && !task.index.underRecovery);
  assert.deepEqual([...task.pieces], [0, 2]);
  assert.equal(task.state, 'running');
});
