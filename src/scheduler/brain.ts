/** What the scheduler's handlers share: the swarm with its clock, and what is known besides. */
import { LRUCache } from 'lru-cache';
import type { StruckOff } from '../../gen/manager/v2/watch.ts';
import { isOwnAddress } from '../core/net/own-address.ts';
import type { Closable } from '../core/process/lifecycle.ts';
import type { Logger } from '../core/process/logger.ts';
import type { Participation } from '../rpc/control-key.ts';
import { isKeptUrl } from '../rpc/fields/kept-content.ts';
import { Swarm } from '../swarm/scheduler/swarm.ts';
import { PieceSet } from '../swarm/shared/piece-set.ts';
import type { SwarmOptions } from '../swarm/scheduler/swarm-options.ts';
import { ApplicationPriorities } from './applications.ts';
import { HostRegistry } from './hosts/host-registry.ts';
import { ObjectWatches } from './hosts/object-watches.ts';
import { HostBook, type HostEnd } from './live/host-book.ts';
import { DownloadLog } from './live/download-log.ts';
import { Ledger } from './live/ledger.ts';
import { hostsShare, maxToldLiars } from './limits.ts';
import { TrafficBook } from './live/traffic-book.ts';
import type { SchedulerMetrics } from './metrics.ts';
import { PeerSessions } from './peers/peer-sessions.ts';
import { ProofBoard } from './proof-board.ts';
import { BlobNames } from './peers/blob-names.ts';
import type { CallEvents } from './peers/daemon-call.ts';
import { seedDownload, type SeedDownloads, type SeedEvents } from './peers/seed-downloads.ts';
import { SilentHosts } from './hosts/silent-hosts.ts';
import { SwarmDriver, type SwarmEvent } from './swarm-driver.ts';
import { TaskFactsTable } from './task-facts.ts';

export interface BrainOptions {
  /** Memory for the state of tasks and peers. */
  readonly stateBytes: number;
  readonly swarm: SwarmOptions;
  readonly metrics: SchedulerMetrics;
  readonly logger: Logger;
  readonly countsHostTraffic: boolean;
  readonly ticketFor: (participation: Participation) => Buffer;
  /** Creates the caller of seeds; undefined when seeds are not used. */
  readonly seeds: ((events: SeedEvents) => SeedDownloads) | undefined;
}

const sweepIntervalMs = 30_000;

export class Brain implements Closable {
  readonly swarm: Swarm;
  readonly hosts: HostRegistry;
  readonly facts: TaskFactsTable;
  readonly ledger = new Ledger();
  readonly book = new HostBook();
  readonly traffic = new TrafficBook();
  readonly downloads = new DownloadLog();
  readonly proofs = new ProofBoard();
  readonly blobNames = new BlobNames();
  readonly objects = new ObjectWatches();
  readonly sessions: PeerSessions;
  readonly silentHosts: SilentHosts;
  readonly metrics: SchedulerMetrics;
  readonly countsHostTraffic: boolean;
  /** Replaced when the dynamic configuration changes. */
  priorities = new ApplicationPriorities([]);
  /** Receives what daemons answer when they are called to download. */
  readonly calls: CallEvents = {
    answered: (peerId, hostId) => this.swarm.calls.answered(peerId, hostId),
    told: (peerId, report) => this.run((swarm, nowMs) => swarm.calls.told(peerId, report, nowMs)),
    ended: (peerId, done) => this.run((swarm, nowMs) => swarm.calls.ended(peerId, done, nowMs)),
  };
  readonly #driver: SwarmDriver;
  readonly #seeds: SeedDownloads | undefined;
  readonly #logger: Logger;
  /** Until when hosts are struck off, as other schedulers reported; each report counts once. */
  readonly #told = new LRUCache<string, number>({ max: maxToldLiars });
  readonly #sweeper: NodeJS.Timeout;
  readonly #goneListeners: ((hostId: string) => void)[] = [];

  constructor(options: BrainOptions) {
    this.swarm = new Swarm(options.swarm);
    this.metrics = options.metrics;
    const { stateBytes } = options;
    this.hosts = new HostRegistry({ totalBytes: stateBytes * hostsShare, hosts: this.swarm.limits.hosts });
    this.facts = new TaskFactsTable({
      totalBytes: stateBytes,
      peers: () => this.swarm.counts.peers,
      peersFrom: (address) => this.#peersFrom(address),
    });
    this.countsHostTraffic = options.countsHostTraffic;
    this.#logger = options.logger;
    this.#seeds = options.seeds?.({
      calls: this.calls,
      onFailure: (taskId, hostId) => this.#seedFailed(taskId, hostId),
      onAnswer: (taskId, header) => this.facts.setResponseHeader(taskId, header),
      onHeld: (taskId, hostId, peerId) => this.#seedHolds(taskId, hostId, peerId),
      onResult: (result) => this.metrics.seedDownloads.inc({ result }),
    });
    this.sessions = new PeerSessions({
      swarm: this.swarm,
      hosts: this.hosts,
      facts: this.facts,
      triggerSeed: (session, taskId, hostId) => {
        const seed = this.hosts.get(hostId)?.host;
        // Without the requester's stream, the remembered request is enough for any origin that needs no credentials.
        const download = session?.download ?? this.facts.get(taskId)?.download;
        // Imported content has no origin, so no seed can be sent there.
        if (this.#seeds && download && seed && !isKeptUrl(download.url))
          this.#seeds.start(taskId, seed, seedDownload(download));
        else queueMicrotask(() => this.#seedFailed(taskId, hostId));
      },
      onStruckOff: ({ hostId, accusers, taskId }) => {
        this.metrics.struckOff.inc();
        this.book.struckOff(hostId, accusers);
        this.#logger.error(
          { hostId, accusers, taskId },
          'a host gives or tells what is not so: nobody gets it as a parent',
        );
      },
      onScheduled: (afterMs) => this.metrics.schedule.observe(afterMs),
      nowMs: () => performance.now(),
      ticketFor: options.ticketFor,
    });
    this.silentHosts = new SilentHosts({
      hosts: this.hosts,
      logger: options.logger,
      drop: (hostId) => this.hostLeft(hostId, 'unanswered'),
    });
    this.#driver = new SwarmDriver({
      swarm: this.swarm,
      deliver: (decision) => this.sessions.deliver(decision),
      onEvent: (seconds) => this.metrics.decision.observe(seconds),
    });
    this.metrics.observe(
      () => this.swarm.counts,
      () => this.sessions.size,
    );
    this.#sweeper = setInterval(() => this.#sweep(), sweepIntervalMs);
    this.#sweeper.unref();
  }

  get usesSeeds(): boolean {
    return this.#seeds !== undefined;
  }

  /** One event of the swarm; see SwarmDriver.run. */
  readonly run = (event: SwarmEvent, accepted?: () => void): void => this.#driver.run(event, accepted);

  hostLeft(hostId: string, end: HostEnd): void {
    this.hosts.delete(hostId);
    this.book.gone(hostId, end, this.swarm.host(hostId), performance.now());
    this.run((swarm, nowMs) => swarm.hostLeft(hostId, nowMs));
    for (const listener of this.#goneListeners) listener(hostId);
  }

  /** Calls back with each host that left, or was silent for too long. */
  onHostGone(listener: (hostId: string) => void): void {
    this.#goneListeners.push(listener);
  }

  /** Another scheduler of the cluster has found that the host lies, and reported it through the manager. */
  struckOffElsewhere({ hostId, untilMs, accusers }: StruckOff): void {
    if (this.#told.get(hostId) === untilMs) return;
    this.#told.set(hostId, untilMs);
    // The manager also sends back what this scheduler reported.
    if ((this.swarm.host(hostId)?.quarantinedUntilMs ?? 0) > performance.now()) return;
    this.#logger.error({ hostId, accusers }, 'another scheduler found that a host gives or tells what is not so');
    this.run((swarm, nowMs) => swarm.strikeOff(hostId, nowMs));
  }

  /** The host no longer holds anything of the task. */
  taskLeft(hostId: string, taskId: string): void {
    const peers = [...(this.swarm.host(hostId)?.peers ?? [])].filter(({ task }) => task.id === taskId);
    for (const { id } of peers) this.run((swarm, nowMs) => swarm.peerLeft(id, nowMs));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sweeper);
    await this.#driver[Symbol.asyncDispose]();
    await this.#seeds?.[Symbol.asyncDispose]();
  }

  #peersFrom(address: string): number {
    let peers = 0;
    for (const hostId of this.hosts.from(isOwnAddress(address) ? '' : address))
      peers += this.swarm.host(hostId)?.peers.size ?? 0;
    return peers;
  }

  #seedFailed(taskId: string, hostId: string): void {
    this.#logger.debug({ taskId, seed: hostId }, 'the next seed is tried');
    this.run((swarm, nowMs) => swarm.seedDownloadFailed(taskId, hostId, nowMs));
  }

  /**
   * A seed of the original registers at the scheduler of its own ring, whoever has called it. When a scheduler comes or goes rings differ for a while:
   * what it has then is told in answer to the call alone.
   */
  #seedHolds(taskId: string, hostId: string, peerId: string): void {
    const host = this.swarm.host(hostId);
    const layout = this.swarm.task(taskId)?.layout;
    const download = this.facts.get(taskId)?.download;
    if (!host || !layout || !download || [...host.peers].some(({ task }) => task.id === taskId)) return;
    const pieces = PieceSet.range(0, Math.ceil(layout.contentLengthBytes / layout.pieceLengthBytes));
    const held = { taskId, peerId, url: download.url, layout, pieces };
    this.run((swarm, nowMs) => swarm.announceHeld(hostId, held, nowMs));
  }

  /** What the swarm has dropped by itself is dropped here too. */
  #sweep(): void {
    for (const hostId of this.hosts.keepOnly((known) => this.swarm.host(known) !== undefined)) {
      this.book.gone(hostId, 'expired', undefined, performance.now());
      for (const listener of this.#goneListeners) listener(hostId);
    }
    this.facts.keepOnly((taskId) => this.swarm.task(taskId) !== undefined);
    this.ledger.keepOnly({
      task: (taskId) => this.swarm.task(taskId) !== undefined,
      peer: (peerId) => this.swarm.peer(peerId) !== undefined,
    });
  }
}
