/**
 * Records all reports of who got how much. Every replica listens; the one that holds the lease writes. Distributions
 * have numbers, so that none is written twice, and none is missed after a time without a listener.
 */
import { toDragonflyError } from '../../core/errors.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { Channels } from '../../rpc/channels.ts';
import { createClient } from '../../rpc/client.ts';
import { SchedulerLiveDefinition, type TrafficShare } from '../../../gen/scheduler/v2/live.ts';
import { activeSchedulers, type Topology } from '../clusters/topology.ts';
import type { Database } from '../db/database.ts';
import { acquireLease } from '../db/leases.ts';
import { maxToldSchedulers, recordIntervalMs, recordingTimeoutMs, recordLeaseMs } from '../limits.ts';
import type { DistributionStore } from './distribution-store.ts';
import type { DownloadStore } from './download-store.ts';
import type { RecordingStore } from './recording-store.ts';
import { shareKinds, type ShareGrowth, type ShareKind, type ShareStore } from './share-store.ts';
import { ToldTraffic, TrafficFeed, type Ended } from './traffic-feed.ts';
import { spanMs } from './traffic-store.ts';

export interface TrafficRecorderOptions {
  readonly database: Database;
  readonly topology: Topology;
  readonly channels: Channels;
  readonly shares: ShareStore;
  readonly distributions: DistributionStore;
  readonly downloads: DownloadStore;
  readonly recordings: RecordingStore;
  readonly logger: Logger;
  /** Name of this replica. */
  readonly owner: string;
}

interface ToldEnds {
  readonly clusterId: number;
  readonly scheduler: string;
  readonly ended: Ended;
}

const leaseName = 'history';

export class TrafficRecorder implements Closable {
  readonly #options: TrafficRecorderOptions;
  readonly #startedAtMs = performance.now();
  readonly #feeds = new Map<string, TrafficFeed>();
  readonly #told = new Map<string, ToldTraffic>();
  /** Growth by cluster, kind, name and hour that is not written yet. */
  #grown = new Map<string, ShareGrowth>();
  #ended: ToldEnds[] = [];
  #timer: NodeJS.Timeout | undefined;
  #ticking: Promise<void> | undefined;
  #closed = false;

  constructor(options: TrafficRecorderOptions) {
    this.#options = options;
  }

  start(): void {
    this.#tick();
    this.#timer = setInterval(() => this.#tick(), recordIntervalMs);
    this.#timer.unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#ticking;
    await closeAll([...this.#feeds.values()]);
    await this.#write().catch(() => undefined);
  }

  #tick(): void {
    this.#ticking ??= this.#tickOnce().finally(() => (this.#ticking = undefined));
  }

  async #tickOnce(): Promise<void> {
    try {
      await this.#reconcile();
      await this.#write();
    } catch (error) {
      this.#options.logger.warn({ error: toDragonflyError(error).message }, 'what nodes got could not be written down');
    }
  }

  async #write(): Promise<void> {
    const { database, owner, shares } = this.#options;
    const isWriter = await acquireLease(database, leaseName, owner, recordLeaseMs);
    const [grown, ended] = [this.#grown, this.#ended];
    this.#grown = new Map();
    this.#ended = [];
    // Another replica, which listens to the same schedulers, writes it.
    if (!isWriter) return;
    try {
      for (let one = ended[0]; one; one = ended[0]) {
        await this.#writeEnds(one);
        ended.shift();
      }
      await shares.add([...grown.values()]);
    } catch (error) {
      for (const growth of grown.values()) this.#grow(growth);
      this.#ended.unshift(...ended);
      throw error;
    }
  }

  async #writeEnds({ clusterId, scheduler, ended }: ToldEnds): Promise<void> {
    const { distributions, downloads } = this.#options;
    const added = await distributions.add(clusterId, scheduler, ended.distributions);
    await downloads.add(clusterId, scheduler, ended.downloads);
    for (const { number, downloads: finished } of ended.distributions) {
      const id = added.get(number);
      if (id !== undefined && finished > 1) await this.#record(id, scheduler, number);
    }
  }

  /** A scheduler that fails to report does not affect the other records. */
  async #record(distributionId: number, scheduler: string, number: number): Promise<void> {
    const { channels, logger, recordings } = this.#options;
    const [address = '', startedAtMs = ''] = scheduler.split(' ');
    try {
      const client = createClient(SchedulerLiveDefinition, channels, address);
      const signal = AbortSignal.timeout(recordingTimeoutMs);
      const recording = await client.getRecording({ startedAtMs: Number(startedAtMs), number }, { signal });
      await recordings.add(distributionId, recording);
    } catch (error) {
      logger.debug({ scheduler, number, error: toDragonflyError(error).message }, 'a distribution has no recording');
    }
  }

  /** Listens to the currently active schedulers, and no others. */
  async #reconcile(): Promise<void> {
    const { topology, channels, logger } = this.#options;
    const wanted = activeSchedulers(await topology.current());
    if (this.#closed) return;
    const gone = [...this.#feeds].filter(([key]) => !wanted.has(key));
    for (const [key] of gone) this.#feeds.delete(key);
    await closeAll(gone.map(([, feed]) => feed));
    const onGrown = (clusterId: number, share: TrafficShare): void => this.#heard(clusterId, share);
    const onEnded = (clusterId: number, scheduler: string, ended: Ended): void => {
      this.#ended.push({ clusterId, scheduler, ended });
    };
    for (const [key, { address, clusterId }] of wanted) {
      if (this.#feeds.has(key)) continue;
      const told = this.#told.get(key) ?? new ToldTraffic(this.#startedAtMs);
      this.#told.delete(key);
      this.#told.set(key, told);
      this.#feeds.set(key, new TrafficFeed({ channels, address, clusterId, logger, told, onGrown, onEnded }));
    }
    for (const [key] of this.#told) {
      if (this.#told.size <= maxToldSchedulers) break;
      if (!this.#feeds.has(key)) this.#told.delete(key);
    }
  }

  #heard(clusterId: number, { kind, ...figures }: TrafficShare): void {
    if (isShareKind(kind)) this.#grow({ ...figures, kind, clusterId, atMs: Date.now() });
  }

  #grow(growth: ShareGrowth): void {
    const { clusterId, kind, name, atMs } = growth;
    const key = `${clusterId} ${kind} ${Math.floor(atMs / spanMs.hour)} ${name}`;
    const before = this.#grown.get(key);
    this.#grown.set(key, {
      ...growth,
      originBytes: growth.originBytes + (before?.originBytes ?? 0),
      peerBytes: growth.peerBytes + (before?.peerBytes ?? 0),
      givenBytes: growth.givenBytes + (before?.givenBytes ?? 0),
      downloads: growth.downloads + (before?.downloads ?? 0),
      failures: growth.failures + (before?.failures ?? 0),
    });
  }
}

function isShareKind(text: string): text is ShareKind {
  return shareKinds.some((kind) => kind === text);
}

async function closeAll(feeds: readonly TrafficFeed[]): Promise<void> {
  await Promise.all(feeds.map((feed) => feed[Symbol.asyncDispose]()));
}
