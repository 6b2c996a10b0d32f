/** A steady load: one new file after another, each fetched by every peer that is not just being replaced. */
import { setTimeout as delay } from 'node:timers/promises';
import { dfget } from './download.ts';
import type { Daemon, MixedCluster, OriginFile } from './mixed-cluster.ts';

const fileBytes = 20 * 2 ** 20;
const pauseMs = 500;

export class Load implements AsyncDisposable {
  readonly failures: string[] = [];
  readonly files: OriginFile[] = [];
  downloads = 0;
  readonly #cluster: MixedCluster;
  /** Of each peer, its download under way. */
  readonly #busy = new Map<Daemon, Promise<void>>();
  readonly #away = new Set<Daemon>();
  #stopped = false;
  #work: Promise<void> | undefined;

  constructor(cluster: MixedCluster) {
    this.#cluster = cluster;
  }

  start(): void {
    this.#work = this.#run();
  }

  /** Nothing more is asked of the peer until the work is done; what it is asked already comes to its end before. */
  async without(peer: Daemon, work: () => Promise<void>): Promise<void> {
    this.#away.add(peer);
    await this.#busy.get(peer);
    await work();
    this.#away.delete(peer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#work;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const file = await this.#cluster.file(`load-${this.files.length}.bin`, fileBytes);
      this.files.push(file);
      await Promise.all(this.#cluster.peers.map((peer) => this.#download(peer, file)));
      await delay(pauseMs);
    }
  }

  async #download(peer: Daemon, file: OriginFile): Promise<void> {
    if (this.#away.has(peer)) return;
    const work = dfget(peer, file).then(
      () => void (this.downloads += 1),
      (error: unknown) => void this.failures.push(`${peer.part.name}, ${file.urlPath}: ${(error as Error).message}`),
    );
    this.#busy.set(peer, work);
    await work;
  }
}
