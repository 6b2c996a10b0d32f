/**
 * The schedulers of the cluster as one service. A task belongs to one of them by consistent hashing of its id; when
 * that one is unavailable, to the next on the ring. All daemons with the same list choose alike and so meet at the same
 * scheduler: by the ring of the original's clients where there may be some, otherwise by a more even one.
 */
import type { Metadata } from '@grpc/grpc-js';
import { DragonflyError, toDragonflyError } from '../core/errors.ts';
import { HashRing } from '../core/hash-ring.ts';
import { OriginalRing } from '../core/original-ring.ts';
import { silentLogger, type Logger } from '../core/process/logger.ts';
import { backOffMs } from './back-off.ts';
import { firstAvailable } from './first-available.ts';
import type { Channels } from './channels.ts';
import { createClient, type CallOptions, type RpcClient } from './client.ts';
import { hostsHeader, instanceHeader } from './features.ts';
import {
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthDefinition,
} from '../../gen/grpc/health/v1/health.ts';
import {
  SchedulerDefinition,
  type AnnounceHostRequest,
  type AnnouncePeerRequest,
  type AnnounceTasksRequest,
  type AnnounceTasksResponse,
  type DeleteHostRequest,
  type HoldHostRequest,
  type HoldHostResponse,
  type NoteObjectRequest,
} from '../../gen/scheduler/v2/scheduler.ts';
import { answers } from './server/health.ts';
import { asSilence, longestAnswerMs, patienceWith, patientTimer, silence, silenceOf } from './life.ts';
import { openPeerStream, withFirst, type PeerStream } from './peer-stream.ts';
import { Replay } from './replay.ts';

export type SchedulerClient = RpcClient<typeof SchedulerDefinition>;

export interface Scheduler {
  /** `host:port`. */
  readonly address: string;
  readonly client: SchedulerClient;
}

export interface SchedulerRingOptions {
  readonly logger?: Logger | undefined;
  /** Called when a scheduler failed: the list may be out of date. */
  readonly onFailure?: (address: string) => void;
  /**
   * How long a scheduler with that many hosts may take for each of two questions whether it is alive before it counts as dead;
   * undefined where it is not asked when it accepts a peer's stream.
   */
  readonly answerMs?: (address: string, hosts: number) => number | undefined;
  readonly nowMs?: () => number;
}

/** The result of a message to one scheduler. */
export interface SchedulerResult {
  readonly address: string;
  /** Changes when the scheduler restarts; empty for the original. */
  readonly instance: string;
  readonly error: DragonflyError | undefined;
}

export interface OpenStreamOptions {
  readonly signal: AbortSignal;
  /**
   * Replaces the first request for a scheduler not known to be of this implementation: one of the original has to be
   * told the content's length.
   */
  readonly toOriginal?: (first: AnnouncePeerRequest) => Promise<AnnouncePeerRequest>;
  /** Asked before the task's owners, if it is one of the schedulers. */
  readonly prefer?: string | undefined;
}

interface Member extends Scheduler {
  /** Its instance when the host was announced: empty for the original, undefined before. */
  instance: string | undefined;
  /** Of which it knew then. */
  hosts: number;
  failures: number;
  /** Asked last until then. */
  avoidUntilMs: number;
}

export class SchedulerRing {
  readonly #channels: Channels;
  readonly #logger: Logger;
  readonly #onFailure: (address: string) => void;
  readonly #answerMs: (address: string, hosts: number) => number | undefined;
  readonly #nowMs: () => number;
  #ring: HashRing | OriginalRing = new HashRing([]);
  #original = false;
  #members = new Map<string, Member>();

  constructor(channels: Channels, options: SchedulerRingOptions = {}) {
    this.#channels = channels;
    this.#logger = options.logger ?? silentLogger;
    this.#onFailure = options.onFailure ?? (() => undefined);
    this.#answerMs = options.answerMs ?? (() => undefined);
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  get addresses(): readonly string[] {
    return this.#ring.nodes;
  }

  /** Takes the new list of active schedulers. State of those that stay is kept; running calls continue. */
  update(addresses: Iterable<string>): void {
    const members = new Map<string, Member>();
    for (const address of addresses) {
      const client = createClient(SchedulerDefinition, this.#channels, address);
      members.set(
        address,
        this.#members.get(address) ?? { address, client, instance: undefined, hosts: 0, failures: 0, avoidUntilMs: 0 },
      );
    }
    this.#members = members;
    this.#makeRing();
  }

  /** Chooses by the ring of the original's clients, or by the even one. */
  useOriginalRing(original: boolean): void {
    if (this.#original === original) return;
    this.#original = original;
    this.#makeRing();
  }

  #makeRing(): void {
    const addresses = this.#members.keys();
    this.#ring = this.#original ? new OriginalRing(addresses) : new HashRing(addresses);
  }

  /** The scheduler that owns the task, available or not. */
  homeOf(taskId: string): string | undefined {
    return this.#ring.owners(taskId)[0];
  }

  /** In the order in which to ask for this task: ring order, recently failed ones last. */
  owners(taskId: string): Member[] {
    const nowMs = this.#nowMs();
    const owners = this.#ring.owners(taskId).flatMap((address) => this.#members.get(address) ?? []);
    return [
      ...owners.filter((owner) => owner.avoidUntilMs <= nowMs),
      ...owners.filter((owner) => owner.avoidUntilMs > nowMs),
    ];
  }

  /** A unary call to the task's scheduler, repeated at the next owner while schedulers are unavailable. */
  async call<T>(taskId: string, work: (client: SchedulerClient) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#firstAvailable(this.owners(taskId), signal, async ({ address, client }) => {
      await this.#channels.ready(address, { signal });
      const result = await work(client);
      this.markHealthy(address);
      return result;
    });
  }

  /**
   * Opens a peer's stream at the task's scheduler, or at the next owner while schedulers are unavailable; once a server
   * has accepted the stream, its failures are the caller's. Resolves when the server's features are known.
   */
  async openPeerStream(
    taskId: string,
    requests: AsyncIterable<AnnouncePeerRequest>,
    { signal, toOriginal, prefer }: OpenStreamOptions,
  ): Promise<PeerStream> {
    const replay = new Replay(requests);
    const preferred = this.owners(taskId).toSorted(
      (a, b) => Number(b.address === prefer) - Number(a.address === prefer),
    );
    return this.#firstAvailable(preferred, signal, async (owner) => {
      await this.#channels.ready(owner.address, { signal });
      const attempt = replay.attempt();
      const sent = toOriginal && !owner.instance ? withFirst(attempt, toOriginal) : attempt;
      const isAsked = this.#answerMs(owner.address, owner.hosts) !== undefined;
      const askedMs = this.#nowMs();
      const life = isAsked ? this.#accepting(owner) : undefined;
      const stream = await openPeerStream(owner, sent, signal, life);
      if (stream.extended) this.#channels.pace.answered(owner.address, this.#nowMs() - askedMs);
      replay.commit();
      this.markHealthy(owner.address);
      return { ...stream, silence: (waiting) => this.#silence(owner, waiting) };
    });
  }

  #firstAvailable<T>(
    owners: readonly Member[],
    signal: AbortSignal | undefined,
    attempt: (owner: Member) => Promise<T>,
  ): Promise<T> {
    return firstAvailable(owners, attempt, {
      signal,
      onFailure: ({ address }, error) => this.markFailed(address, error),
      noneLeft: (cause, failures) => this.#noneLeft(cause, failures),
    });
  }

  /** Announces to every scheduler; one result each, with the instance of those that accepted. Never throws. */
  announceHost(request: AnnounceHostRequest, options: CallOptions = {}): Promise<SchedulerResult[]> {
    return this.#tellAll((client, callOptions) => client.announceHost(request, callOptions), options);
  }

  /** Tells every scheduler; one result each. Never throws. */
  deleteHost(request: DeleteHostRequest, options: CallOptions = {}): Promise<SchedulerResult[]> {
    return this.#tellAll((client, callOptions) => client.deleteHost(request, callOptions), options);
  }

  /** Tells some schedulers of an object; resolves with the failures. Never rejects. */
  async noteAll(addresses: readonly string[], request: NoteObjectRequest, signal: AbortSignal): Promise<unknown[]> {
    const members = addresses.flatMap((address) => this.#members.get(address) ?? []);
    const told = await Promise.allSettled(members.map(({ client }) => client.noteObject(request, { signal })));
    return told.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  }

  /** Tells one scheduler what this host holds. UNSUPPORTED from the original. */
  async announceTasks(
    address: string,
    request: AnnounceTasksRequest,
    options: CallOptions = {},
  ): Promise<AnnounceTasksResponse> {
    const member = this.#members.get(address);
    if (!member) throw new DragonflyError('NOT_FOUND', `${address} is not an active scheduler`);
    return member.client.announceTasks(request, options);
  }

  /**
   * Keeps this host registered at one scheduler until the signal aborts (resolves) or the scheduler is gone (throws),
   * after which it has to be announced again. UNSUPPORTED from the original.
   */
  async holdHost(
    address: string,
    request: HoldHostRequest,
    { signal, onHeld }: { readonly signal: AbortSignal; readonly onHeld: (answer: HoldHostResponse) => void },
  ): Promise<void> {
    const member = this.#members.get(address);
    if (!member) throw new DragonflyError('NOT_FOUND', `${address} is not an active scheduler`);
    try {
      for await (const answer of member.client.holdHost(request, { signal })) {
        this.markHealthy(address);
        onHeld(answer);
      }
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    if (!signal.aborted) throw new DragonflyError('UNAVAILABLE', `the scheduler ${address} is shutting down`);
  }

  /**
   * Watches a scheduler of the original, which has no stream for hosts, through its health service: resolves when the
   * signal aborts, throws when the scheduler is gone.
   */
  async watchHealth(address: string, signal: AbortSignal): Promise<void> {
    const health = createClient(HealthDefinition, this.#channels, address);
    try {
      for await (const { status } of health.watch({ service: '' }, { signal })) {
        if (status === ServingStatus.NOT_SERVING) break;
      }
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    if (!signal.aborted) throw new DragonflyError('UNAVAILABLE', `the scheduler ${address} is shutting down`);
  }

  markFailed(address: string, cause: unknown): void {
    const member = this.#members.get(address);
    if (!member) return;
    member.failures += 1;
    member.avoidUntilMs = this.#nowMs() + backOffMs(member.failures);
    this.#logger.warn({ scheduler: address, reason: toDragonflyError(cause).message }, 'scheduler failed');
    this.#onFailure(address);
  }

  markHealthy(address: string): void {
    const member = this.#members.get(address);
    if (member) Object.assign(member, { failures: 0, avoidUntilMs: 0 });
  }

  async #silence(member: Member, signal: AbortSignal): Promise<never> {
    try {
      return await this.#alive(member, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      this.markFailed(member.address, error);
      const isOnly = this.#members.size === 1;
      if (isOnly && error instanceof Error && silenceOf(error)) asSilence(error, 'all');
      throw error;
    }
  }

  /** Rejects when the scheduler is silent, or lives and accepts nothing all the same. */
  #accepting(member: Member): (signal: AbortSignal) => Promise<never> {
    return async (signal) => {
      const busy = Promise.withResolvers<never>();
      const ms = patienceWith(acceptMs, this.#channels.pace);
      const stop = patientTimer(ms, () =>
        busy.reject(new DragonflyError('UNAVAILABLE', `${member.address} accepts no stream within ${ms} ms`)),
      );
      try {
        return await Promise.race([this.#alive(member, signal), busy.promise]);
      } finally {
        stop();
      }
    };
  }

  /** Rejects when the scheduler gives no sign of life, or with the signal's reason. */
  #alive({ address, hosts }: Member, signal: AbortSignal): Promise<never> {
    const answerMs = this.#answerMs(address, hosts) ?? longestAnswerMs;
    const { pace } = this.#channels;
    const times = { quietMs: quietMs + hosts, mostQuietMs, answerMs, questions, server: address, pace };
    return silence((asking) => answers(this.#channels, address, asking), times, signal);
  }

  async #tellAll(
    work: (client: SchedulerClient, options: CallOptions) => Promise<unknown>,
    options: CallOptions,
  ): Promise<SchedulerResult[]> {
    return Promise.all(
      [...this.#members.values()].map(async ({ address, client }): Promise<SchedulerResult> => {
        let instance = '';
        let hosts = 0;
        const onMetadata = (metadata: Metadata): void => {
          instance = String(metadata.get(instanceHeader)[0] ?? '');
          hosts = Number(metadata.get(hostsHeader)[0] ?? 0) || 0;
        };
        try {
          const askedMs = this.#nowMs();
          await work(client, { ...options, onMetadata });
          this.#channels.pace.answered(address, this.#nowMs() - askedMs);
          this.markHealthy(address);
          const member = this.#members.get(address);
          if (member) Object.assign(member, { instance, hosts });
          return { address, instance, error: undefined };
        } catch (error) {
          if (options.signal?.aborted !== true) this.markFailed(address, error);
          return { address, instance, error: toDragonflyError(error) };
        }
      }),
    );
  }

  /** Where all were silent, so is the whole ring; one that refuses or breaks off may be about to come back. */
  #noneLeft(last: unknown, failures: readonly unknown[]): DragonflyError {
    const answering = failures.find((failure) => silenceOf(failure) === undefined);
    const cause = answering ?? last;
    if (cause === undefined) {
      return new DragonflyError('UNAVAILABLE', 'no scheduler is known', {
        hint: 'Start a scheduler, or check the manager addresses of this daemon.',
      });
    }
    const { message } = toDragonflyError(cause);
    const error = new DragonflyError('UNAVAILABLE', `no scheduler answers (${this.addresses.join(', ')}): ${message}`, {
      cause,
      hint: 'Check that the schedulers run and that this host reaches their ports.',
    });
    return answering === undefined ? asSilence(error, 'all') : error;
  }
}

/** A waiting download checks after this time, plus a millisecond for each host, whether the scheduler is alive; less often later. */
const quietMs = 150;
const mostQuietMs = 10_000;
/** Both must stay without an answer: one may be lost, or come while a collection of garbage holds the scheduler up. */
const questions = 2;
/** How long a scheduler that is alive may take to accept a stream before the next one is asked. */
const acceptMs = 3_000;
