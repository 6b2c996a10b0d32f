/**
 * The schedulers as this daemon uses them: it announces itself, reports what it holds, and asks them for each download.
 *
 * A scheduler of this implementation holds a stream to every host. When it breaks, each side knows at once that the
 * other is gone. Every scheduler names its instance when a host announces itself. A new name means that the scheduler
 * has forgotten everything, so this daemon reports its tasks again: a restarted scheduler knows its swarm within
 * seconds.
 */
import { toDragonflyError } from '../../core/errors.ts';
import { withDeadline, type Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import { backOffMs } from '../../rpc/back-off.ts';
import type { Channels } from '../../rpc/channels.ts';
import type { Task } from '../../../gen/common/v2/common.ts';
import type {
  AnnouncePeerRequest,
  AnnouncePeerResponse,
  HoldHostResponse,
} from '../../../gen/scheduler/v2/scheduler.ts';
import type { PeerStream } from '../../rpc/peer-stream.ts';
import {
  SchedulerRing,
  type OpenStreamOptions,
  type SchedulerClient,
  type SchedulerResult,
} from '../../rpc/scheduler-ring.ts';
import { HeldNews, type AnnouncedHost } from './held-news.ts';
import { ObjectNews } from './object-news.ts';
import { ToldProofs } from './told-proofs.ts';
import { beatsTo } from './host-beats.ts';
import { downloadLimits } from '../../swarm/peer/download/limits.ts';
import type { SchedulerKinds } from '../../swarm/peer/download/starvation.ts';
import { daemonLimits } from '../limits.ts';
import type { StoredTask } from '../storage/stored-task.ts';

export interface SchedulersListener {
  /** Called when a scheduler has accepted this host or is lost, or when the list has changed. */
  readonly changed?: () => void;
  /** Called when a scheduler failed, because the list may be out of date. */
  readonly failed?: () => void;
}

export interface SchedulersOptions {
  readonly channels: Channels;
  readonly hostId: string;
  readonly newPeerId: () => string;
  readonly announceIntervalMs: number;
  readonly logger: Logger;
}

export class Schedulers implements Closable {
  /** Proofs of access that other nodes got from origins. */
  readonly proofs: ToldProofs;
  /** Changes that other nodes make to objects of stores. */
  readonly objects: ObjectNews;
  readonly #options: SchedulersOptions;
  readonly #ring: SchedulerRing;
  readonly #news: HeldNews;
  /** Instance name by address, for the schedulers that have accepted this host; empty for one of the original. */
  readonly #instances = new Map<string, string>();
  readonly #held = new Set<string>();
  /** By address: whether a scheduler is of the original, or knows daemons of the original. */
  readonly #originals = new Map<string, boolean>();
  /** Schedulers of the original whose health is watched. */
  readonly #watched = new Set<string>();
  readonly #unreachable = new Set<string>();
  readonly #controller = new AbortController();
  /** Running calls, by task. */
  readonly #forgetting = new Map<string, Promise<void>>();
  readonly #listeners: SchedulersListener[] = [];
  /** Called when a scheduler accepts this host anew. */
  readonly #waiters = new Set<() => void>();
  #host: AnnouncedHost | undefined;
  #announcing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #lostMs = Number.NEGATIVE_INFINITY;

  constructor(options: SchedulersOptions) {
    this.#options = options;
    this.#ring = new SchedulerRing(options.channels, {
      logger: options.logger,
      onFailure: () => this.#tellFailure(),
      answerMs: (address, hosts) => (this.#held.has(address) ? schedulerAnswerMs(hosts) : undefined),
    });
    this.#news = new HeldNews({
      ...options,
      ring: this.#ring,
      host: () => this.#host,
      knows: (address) => this.#instances.has(address),
      signal: this.#controller.signal,
    });
    this.objects = new ObjectNews({
      ring: this.#ring,
      hostId: options.hostId,
      holders: () => [...this.#held],
      logger: options.logger,
      signal: this.#controller.signal,
    });
    this.proofs = new ToldProofs({ ring: this.#ring, hostId: options.hostId, signal: this.#controller.signal });
  }

  listen(listener: SchedulersListener): void {
    this.#listeners.push(listener);
  }

  /** Calls back each time a scheduler accepts this host that did not know it before. Call the result to stop that. */
  onTaken(listener: () => void): () => void {
    this.#waiters.add(listener);
    return () => this.#waiters.delete(listener);
  }

  /** Sets the host that is announced; before this nothing can be announced. */
  represent(host: AnnouncedHost): void {
    this.#host = host;
  }

  get addresses(): readonly string[] {
    return this.#ring.addresses;
  }

  /** Schedulers that have accepted this host. */
  get announcedCount(): number {
    return this.#instances.size;
  }

  /** False when a scheduler has found that other nodes cannot connect to this one. */
  get reachable(): boolean {
    return this.#unreachable.size === 0;
  }

  get kinds(): SchedulerKinds {
    if (this.#ring.addresses.length === 0) return 'none';
    if ([...this.#instances.values()].includes('')) return 'original';
    if (this.#held.size > 0) return 'held';
    const returning = this.#instances.size === 0 && performance.now() - this.#lostMs < downloadLimits.schedulerReturnMs;
    return returning ? 'returning' : 'extended';
  }

  /** Takes the list of active schedulers and announces this host to the new ones. */
  async update(addresses: readonly string[]): Promise<void> {
    const before = new Set(this.#ring.addresses);
    this.#ring.update(addresses);
    for (const address of before) {
      if (addresses.includes(address)) continue;
      this.#instances.delete(address);
      this.#unreachable.delete(address);
      this.#originals.delete(address);
    }
    this.#chooseRing();
    this.#tellChange();
    if (addresses.some((address) => !before.has(address))) await this.announce();
  }

  /** Announces this host to every scheduler; afterwards again at every interval. Never rejects. */
  announce(): Promise<void> {
    this.#announcing = this.#announcing.then(() => this.#announceAll());
    return this.#announcing;
  }

  /** Opens the stream of one download at the task's scheduler, or at the next on the ring if that one is away. */
  async openPeerStream(
    taskId: string,
    requests: AsyncIterable<AnnouncePeerRequest>,
    options: OpenStreamOptions,
  ): Promise<PeerStream> {
    // One that holds this host knows it; where it hangs, an announcement would be waited for in vain.
    const isKnown = this.#instances.size > 0 || this.#held.size > 0;
    if (!isKnown && this.#ring.addresses.length > 0) await this.announce();
    try {
      const stream = await this.#ring.openPeerStream(taskId, requests, options);
      return { ...stream, responses: this.#announceIfUnknown(stream.responses) };
    } catch (error) {
      // A scheduler of the original that has forgotten this host needs it announced again; another registration follows.
      if (toDragonflyError(error).code === 'NOT_FOUND') await this.announce();
      throw error;
    }
  }

  /** Once this host is announced, a peer that registers again is no longer refused for an unknown host. */
  async *#announceIfUnknown(responses: AsyncIterable<AnnouncePeerResponse>): AsyncGenerator<AnnouncePeerResponse> {
    try {
      yield* responses;
    } catch (error) {
      if (toDragonflyError(error).code === 'HOST_UNKNOWN') await this.announce();
      throw error;
    }
  }

  /** Identifies the calling scheduler: by the address it names, otherwise by the address it calls from. Undefined for any other caller. */
  callingScheduler({ named, host }: { named: string | undefined; host: string }): string | undefined {
    const { addresses } = this.#ring;
    if (named !== undefined && addresses.includes(named)) return named;
    const there = addresses.filter((address) => hostOf(address) === host);
    return there.length === 1 ? there[0] : undefined;
  }

  /**
   * Tells a task's scheduler of the original that this node holds the task in full; otherwise it would send the next
   * peer to the origin. Does nothing for a scheduler of this implementation, which is told after a restart. Never
   * throws.
   */
  async tellHeld(task: StoredTask, scheduler: string | undefined): Promise<void> {
    const owner = scheduler ?? this.#ring.owners(task.id)[0]?.address;
    if (owner === undefined || this.#instances.get(owner) !== '') return;
    await this.#news.tell(task, owner);
  }

  /** What the task's scheduler knows of the task. */
  statTask(taskId: string, signal: AbortSignal): Promise<Task> {
    const { hostId } = this.#options;
    return this.#ring.call(taskId, (client) => client.statTask({ hostId, taskId }, { signal }), signal);
  }

  /** A call to the task's scheduler, or to the next on the ring when it is away. */
  ask<T>(taskId: string, work: (client: SchedulerClient) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#ring.call(taskId, work, signal ?? this.#controller.signal);
  }

  /** True when there are schedulers, and so possibly other nodes. */
  get exists(): boolean {
    return this.#ring.addresses.length > 0;
  }

  /** Reports that this node no longer holds the task. A failure is only logged, because the scheduler finds out when a child asks. */
  forgetTask(taskId: string): void {
    const call = this.#deleteTask(taskId).finally(() => {
      if (this.#forgetting.get(taskId) === call) this.#forgetting.delete(taskId);
    });
    this.#forgetting.set(taskId, call);
  }

  /** Resolves when the scheduler has been notified, if `forgetTask` was called. */
  async forgetting(taskId: string): Promise<void> {
    await this.#forgetting.get(taskId);
  }

  async #deleteTask(taskId: string): Promise<void> {
    const { hostId, logger } = this.#options;
    if (this.#ring.addresses.length === 0) return;
    try {
      await this.#ring.call(taskId, (client) => client.deleteTask({ hostId, taskId }), this.#controller.signal);
    } catch (error) {
      logger.debug(
        { taskId, error: toDragonflyError(error).message },
        'could not tell the scheduler that a task is gone',
      );
    }
  }

  /** Tells all schedulers that this host leaves. Never throws. */
  async leave(): Promise<void> {
    await this.#ring.deleteHost({ hostId: this.#options.hostId }, { timeoutMs: 2000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#controller.abort();
    await this.#announcing;
  }

  async #announceAll(): Promise<void> {
    clearTimeout(this.#timer);
    const { announceIntervalMs } = this.#options;
    const { signal } = this.#controller;
    if (signal.aborted || !this.#host) return;
    const interval = { seconds: Math.floor(announceIntervalMs / 1000), nanos: (announceIntervalMs % 1000) * 1e6 };
    const results = await this.#ring.announceHost({ host: await this.#host.readHost(), interval }, { signal });
    await Promise.all(results.map((result) => this.#announced(result)));
    this.#failures = results.some((result) => result.error) ? this.#failures + 1 : 0;
    this.#announceIn(this.#failures > 0 ? Math.min(backOffMs(this.#failures), announceIntervalMs) : announceIntervalMs);
  }

  #announceIn(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#controller.signal.aborted) this.#timer = setTimeout(() => void this.announce(), ms);
  }

  async #announced({ address, instance, error }: SchedulerResult): Promise<void> {
    if (error) return this.#forget(address);
    const known = this.#instances.get(address);
    this.#instances.set(address, instance);
    this.#tellChange();
    if (known !== instance) for (const waiter of Array.from(this.#waiters)) waiter();
    if (instance === '') {
      this.#heardOfOriginals(address, true);
      if (!this.#watched.has(address)) void this.#watch(address);
      if (known === undefined) void this.#news.tellOneByOne(address);
      return;
    }
    if (!this.#held.has(address)) await this.#hold(address);
    if (known === instance) return;
    this.#options.logger.info({ scheduler: address }, 'announced to the scheduler');
    void this.#news.tellAll(address);
  }

  /** A scheduler of the original reports no instance id: after a broken connection it may have lost its state. */
  async #watch(address: string): Promise<void> {
    this.#watched.add(address);
    try {
      await this.#ring.watchHealth(address, this.#controller.signal);
    } catch (error) {
      const { code, message } = toDragonflyError(error);
      this.#options.logger.info({ scheduler: address, reason: message }, 'lost the scheduler');
      if (code === 'UNSUPPORTED') return; // the address stays in the set, because it cannot be watched
    }
    this.#watched.delete(address);
    this.#lost(address);
  }

  #tellChange(): void {
    for (const { changed } of this.#listeners) changed?.();
  }

  #tellFailure(): void {
    for (const { failed } of this.#listeners) failed?.();
  }

  #forget(address: string): void {
    if (!this.#instances.delete(address)) return;
    this.#lostMs = performance.now();
    this.#tellChange();
  }

  #setReachable(address: string, reachable: boolean): void {
    const before = this.#unreachable.size;
    if (reachable) this.#unreachable.delete(address);
    else this.#unreachable.add(address);
    if (before > 0 === this.#unreachable.size > 0) return;
    if (reachable) this.#options.logger.info({}, 'other nodes reach this one again');
    else {
      this.#options.logger.warn(
        { scheduler: address },
        'other nodes cannot reach this one at the address it tells (address translation?): it takes from them and gives nothing; set host.advertiseIP and advertisePort',
      );
    }
  }

  /**
   * Keeps this host held by the scheduler until the connection is lost. Resolves when the scheduler has said which ring is in
   * use, or has not done so in time.
   */
  async #hold(address: string): Promise<void> {
    const told = Promise.withResolvers<void>();
    void this.#keepHeld(address, told.resolve).finally(() => told.resolve());
    await withDeadline(told.promise, daemonLimits.ringWordMs);
  }

  async #keepHeld(address: string, onTold: () => void): Promise<void> {
    this.#held.add(address);
    using _beats = beatsTo(address, this.#options, () => this.#host?.readHost());
    try {
      const { signal } = this.#controller;
      const onHeld = ({ unreachable, originalDaemons, changedObjects }: HoldHostResponse): void => {
        this.objects.heard(changedObjects);
        this.#setReachable(address, !unreachable);
        this.#heardOfOriginals(address, originalDaemons);
        onTold();
      };
      await this.#ring.holdHost(address, { hostId: this.#options.hostId }, { signal, onHeld });
    } catch (error) {
      this.#options.logger.info({ scheduler: address, reason: toDragonflyError(error).message }, 'lost the scheduler');
    }
    this.#held.delete(address);
    this.objects.lost();
    this.#lost(address);
  }

  /** A scheduler's last report is kept until it leaves the list, so that its restart moves no task. */
  #heardOfOriginals(address: string, present: boolean): void {
    this.#originals.set(address, present);
    this.#chooseRing();
  }

  #chooseRing(): void {
    this.#ring.useOriginalRing([...this.#originals.values()].includes(true));
  }

  #lost(address: string): void {
    this.#forget(address);
    if (this.#controller.signal.aborted) return;
    this.#tellFailure();
    this.#announceIn(backOffMs(1) * Math.random());
  }
}

/** A scheduler with many hosts may be busy for this long, twice in a row. */
function schedulerAnswerMs(hosts: number): number {
  const { schedulerAnswerMs: least, schedulerAnswerMsPerHost: each, schedulerAnswerMostMs: most } = daemonLimits;
  return Math.min(most, least + each * hosts);
}

function hostOf(address: string): string {
  return address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
}
