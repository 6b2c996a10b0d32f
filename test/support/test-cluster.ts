/** A cluster of real processes and a real nginx as the origin, with all they need, for tests from end to end. */
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalCluster, type LocalDaemon } from '../../src/cli/up/cluster.ts';
import { downloadOnNode, type NodeProgress, type NodeResult } from '../../src/cli/up/download.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { loadIdentity } from '../../src/rpc/identity/identity-file.ts';
import { CorruptingPeer } from './corrupting-peer.ts';
import { NginxOrigin, type OriginRequest } from './nginx-origin.ts';
import { productCommand } from './product.ts';
import { makeRandomFile, type RandomFile } from './random-file.ts';
import { temporaryDirectory, type TemporaryDirectory } from './temporary-directory.ts';

export interface TestClusterOptions {
  readonly peers: number;
  readonly seeds?: number;
  readonly schedulers?: number;
  /** Of the origin, per connection. */
  readonly originBytesPerSec?: number;
  /** Called with the directory before any service starts in it; what it puts on the stack outlives the services. */
  readonly prepare?: (directory: string, owned: AsyncDisposableStack) => Promise<void>;
}

export interface OriginFile extends RandomFile {
  readonly url: string;
  /** Path at the origin, as its log names it. */
  readonly urlPath: string;
}

/** Of one download; only a hang takes that long, even with many daemons on few cores. */
const downloadDeadlineMs = 400_000;

export class TestCluster {
  readonly cluster: LocalCluster;
  readonly origin: NginxOrigin;
  readonly directory: TemporaryDirectory;
  readonly #channels: Channels;
  readonly #owned: AsyncDisposableStack;

  static async start({ originBytesPerSec, prepare, ...options }: TestClusterOptions): Promise<TestCluster> {
    await using owned = new AsyncDisposableStack();
    const directory = owned.use(await temporaryDirectory('df-e2e-'));
    await prepare?.(directory.path, owned);
    const rate = originBytesPerSec === undefined ? {} : { rateBytesPerSec: originBytesPerSec };
    const origin = owned.use(await NginxOrigin.start({ directory: directory.path, ...rate }));
    const cluster = owned.use(
      await LocalCluster.start({ directory: directory.path, command: productCommand, ...options }),
    );
    const channels = owned.use(new Channels());
    return new TestCluster({ cluster, origin, directory, channels }, owned.move());
  }

  private constructor(
    parts: { cluster: LocalCluster; origin: NginxOrigin; directory: TemporaryDirectory; channels: Channels },
    owned: AsyncDisposableStack,
  ) {
    this.cluster = parts.cluster;
    this.origin = parts.origin;
    this.directory = parts.directory;
    this.#channels = parts.channels;
    this.#owned = owned;
  }

  async file(name: string, sizeBytes: number): Promise<OriginFile> {
    const file = await makeRandomFile(join(this.origin.root, name), sizeBytes);
    return { ...file, url: `${this.origin.url}/${name}`, urlPath: `/${name}` };
  }

  download(
    daemon: LocalDaemon,
    url: string,
    onProgress: (progress: NodeProgress) => void = () => undefined,
  ): Promise<NodeResult> {
    const signal = AbortSignal.timeout(downloadDeadlineMs);
    return downloadOnNode(daemon, { channels: this.#channels, url, signal, onProgress });
  }

  /** A peer that holds the whole file and gives wrong bytes of it, with the certificate of a member that it has stolen. */
  async startCorruptingPeer(file: OriginFile): Promise<CorruptingPeer> {
    const [victim] = this.cluster.peers;
    const identity = await loadIdentity(join(victim?.directory ?? '', 'identity', 'node.pem'));
    assert.ok(identity, 'the nodes of the cluster have no certificates');
    const directory = this.directory.join('corrupting');
    await mkdir(directory, { mode: 0o700 });
    return CorruptingPeer.start({
      scheduler: this.cluster.node('scheduler-1').process.address('grpc'),
      directory,
      url: file.url,
      content: await readFile(file.path),
      tls: {
        ca: Buffer.from(identity.authorities),
        cert: Buffer.from(identity.certificate.toString()),
        key: Buffer.from(identity.key),
      },
    });
  }

  /** All at once; every one has to end well. */
  downloadAll(daemons: readonly LocalDaemon[], url: string): Promise<NodeResult[]> {
    return Promise.all(daemons.map((daemon) => this.download(daemon, url)));
  }

  /** The requests for that file, once no answer is under way any more. */
  async settledRequests(file: OriginFile): Promise<OriginRequest[]> {
    await this.origin.settled();
    return this.origin.requests(file.urlPath);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

/**
 * Starts the download on those daemons. `half` resolves when one of them has half of the file, and rejects when all have
 * everything before: the origin was too fast for what the test wants to happen in the middle.
 */
export function downloadWithHalfway(system: TestCluster, daemons: readonly LocalDaemon[], file: OriginFile) {
  const half = Promise.withResolvers<void>();
  const downloads = daemons.map((daemon) =>
    system.download(daemon, file.url, ({ doneBytes }) => {
      if (doneBytes >= file.sizeBytes / 2 && doneBytes < file.sizeBytes) half.resolve();
    }),
  );
  const over = Promise.all(downloads).then(() =>
    half.reject(new Error('every download ended before half-way was seen')),
  );
  over.catch(half.reject);
  return { half: half.promise, downloads };
}

export function assertSameBytes(results: readonly NodeResult[], file: RandomFile): void {
  for (const { node, sha256, contentLengthBytes } of results) {
    assert.equal(contentLengthBytes, file.sizeBytes, `length at ${node}`);
    assert.equal(sha256, file.sha256, `content at ${node}`);
  }
}

/** One line per request, for messages. */
function listed(requests: readonly OriginRequest[]): string {
  return requests.map(({ status, bytesSent, range }) => `${status} ${bytesSent} ${range}`).join('\n');
}

/** Copies that the origin has sent; with what was on its way to nodes that died, as its log counts. */
export function copiesSent(requests: readonly OriginRequest[], file: RandomFile): number {
  return requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0) / file.sizeBytes;
}

/** At most 1.02 copies, in one request or in ranges that do not overlap. */
export function assertOriginAskedOnce(requests: readonly OriginRequest[], file: RandomFile): void {
  const told = listed(requests);
  assert.ok(requests.length > 0, 'the origin was not asked at all');
  const sent = requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0);
  assert.ok(sent <= 1.02 * file.sizeBytes, `${sent} bytes sent of ${file.sizeBytes}:\n${told}`);
  assertNothingTwice(requests, file);
}

/** No byte was in the answers to two requests. */
export function assertNothingTwice(requests: readonly OriginRequest[], file: RandomFile): void {
  const ranges = requests.filter(({ bytesSent }) => bytesSent > 1).map(({ range }) => rangeOf(range, file.sizeBytes));
  ranges.sort((a, b) => a.first - b.first);
  for (const [index, { first }] of ranges.entries()) {
    const previous = ranges[index - 1];
    assert.ok(!previous || previous.last < first, `ranges overlap:\n${listed(requests)}`);
  }
}

function rangeOf(header: string, sizeBytes: number): { first: number; last: number } {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header);
  if (!match) return { first: 0, last: sizeBytes - 1 };
  return { first: Number(match[1]), last: match[2] ? Number(match[2]) : sizeBytes - 1 };
}
