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
import { announcesSwarm, hostsHeader, instanceHeader } from './features.ts';
import {
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthDefinition,
} from '../../gen/grpc/health/v1/health.ts';
import {
  SchedulerDefinition,
  type AnnounceHostRequest,
  type AnnouncePeerRequest,
  type AnnouncePeerResponse,
  type AnnounceTasksRequest,
  type AnnounceTasksResponse,
  type DeleteHostRequest,
  type HoldHostRequest,
  type HoldHostResponse,
  type NoteObjectRequest,
} from '../../gen/scheduler/v2/scheduler.ts';
import { answers } from './server/health.ts';
import { longestAnswerMs, noLife, patienceWith, patientTimer, silence } from './life.ts';
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
   * How long a scheduler with that many hosts may take to answer, for instance to accept a peer's stream, before it
   * counts as dead; undefined for no limit.
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

export interface PeerStream {
  /** `host:port` of the scheduler that accepted the stream. */
  readonly address: string;
  /** Whether it supports this implementation's extensions. */
  readonly extended: boolean;
  readonly responses: AsyncIterable<AnnouncePeerResponse>;
  /** Rejects with UNAVAILABLE when the scheduler gives no sign of life, or with the signal's reason. */
  readonly silence: (signal: AbortSignal) => Promise<never>;
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
      const leastMs = this.#answerMs(owner.address, owner.hosts);
      const { pace } = this.#channels;
      const askedMs = this.#nowMs();
      const answerMs = leastMs === undefined ? undefined : patienceWith(leastMs, pace);
      const stream = await openPeerStream(owner, sent, signal, answerMs);
      if (stream.extended) pace.answered(this.#nowMs() - askedMs);
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
      noneLeft: (cause) => this.#noneLeft(cause),
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

  async #silence({ address, hosts }: Member, signal: AbortSignal): Promise<never> {
    const answerMs = this.#answerMs(address, hosts) ?? longestAnswerMs;
    const times = { quietMs: quietMs + hosts, mostQuietMs, answerMs, pace: this.#channels.pace };
    try {
      return await silence((asking) => answers(this.#channels, address, asking), times, signal);
    } catch (error) {
      if (!signal.aborted) this.markFailed(address, error);
      throw error;
    }
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
          this.#channels.pace.answered(this.#nowMs() - askedMs);
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

  #noneLeft(cause: unknown): DragonflyError {
    if (cause === undefined) {
      return new DragonflyError('UNAVAILABLE', 'no scheduler is known', {
        hint: 'Start a scheduler, or check the manager addresses of this daemon.',
      });
    }
    const { message } = toDragonflyError(cause);
    return new DragonflyError('UNAVAILABLE', `no scheduler answers (${this.addresses.join(', ')}): ${message}`, {
      cause,
      hint: 'Check that the schedulers run and that this host reaches their ports.',
    });
  }
}

/** A waiting download checks after this time, plus a millisecond for each host, whether the scheduler is alive; less often later. */
const quietMs = 200;
const mostQuietMs = 10_000;

/** The same messages with the first one changed. */
async function* withFirst<T>(messages: AsyncIterable<T>, change: (first: T) => Promise<T>): AsyncGenerator<T, void> {
  let isFirst = true;
  for await (const message of messages) {
    yield isFirst ? await change(message) : message;
    isFirst = false;
  }
}

async function openPeerStream(
  { address, client }: Scheduler,
  requests: AsyncIterable<AnnouncePeerRequest>,
  signal: AbortSignal,
  timeoutMs: number | undefined,
): Promise<Omit<PeerStream, 'silence'>> {
  const header = Promise.withResolvers<Metadata | undefined>();
  const silent = new AbortController();
  const answers = client
    .announcePeer(requests, { signal: AbortSignal.any([signal, silent.signal]), onMetadata: header.resolve })
    [Symbol.asyncIterator]();
  const first = answers.next();
  // The header comes before the first answer; a stream that ends without either ends the wait, too.
  first.then(() => header.resolve(undefined), header.reject);
  const stop = timeoutMs === undefined ? undefined : patientTimer(timeoutMs, () => silent.abort(noLife(timeoutMs)));
  const metadata = await header.promise.finally(stop);
  const responses = async function* (): AsyncGenerator<AnnouncePeerResponse, void, undefined> {
    try {
      for (let result = await first; result.done !== true; result = await answers.next()) yield result.value;
    } finally {
      await answers.return?.();
    }
  };
  return { address, extended: metadata !== undefined && announcesSwarm(metadata), responses: responses() };
}
