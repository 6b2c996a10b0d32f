/**
 * Opens tasks: from the store when everything asked for is there, else by joining or starting the one download.
 * At most one download runs for a task, however many readers it has. Callers: rpc/download-stream.ts for dfget, proxy/content/
 * for clients of the proxy. Next: download.ts carries a download out; swarm/peer/download/peer-machine.ts decides what it does.
 */
import { LRUCache } from 'lru-cache';
import type { RangeSpec } from '../../core/byte-range.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { blobDigest, peerId, taskId as computeTaskId } from '../../core/ids.ts';
import { orAborted, type Closable } from '../../core/process/lifecycle.ts';
import { redact, redactHeaders } from '../../core/redact.ts';
import { reachesLoopback } from '../../rpc/server/caller.ts';
import { Trace } from '../../rpc/tracing.ts';
import type { HostIdentity } from '../cluster/host-info.ts';
import { daemonLimits } from '../limits.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { TaskStore } from '../storage/task-store.ts';
import { Download } from './download.ts';
import type { NodeLocal } from './node-local.ts';
import type { DownloadContext } from './download-context.ts';
import type { Sources } from '../source/sources.ts';
import type { DownloadRequest, OpenTask, Receipt, TaskHead } from './open-task.ts';
import { bringsCredentials, isEntitled } from './credentials.ts';
import { originBeside, withoutOrigin, withoutSwarm } from './closed-ways.ts';
import { apartFrom, apartFromOthers, apartFromRestricted } from './own-identity.ts';
import { readerRangeOf } from './reader-range.ts';
import { concernsOthers, hasAll, sameRequest } from './request-match.ts';
import { ReceiptBuilder } from './receipt-builder.ts';
import { PieceAnnouncer } from './exchange/piece-announcer.ts';
import { Subscription } from './subscription.ts';
import { forgetEmpty } from './failed-content.ts';

export interface EngineOptions {
  readonly store: TaskStore;
  readonly identity: HostIdentity;
  readonly context: Omit<DownloadContext, 'announcer' | 'entitled' | 'newPeerId' | 'sources'> & {
    readonly sources: Sources;
  };
  /** Throws PERMISSION_DENIED for what must not be downloaded. */
  readonly admit: (request: DownloadRequest) => void;
  /** Recognises content that only exists on this machine. */
  readonly nodeLocal: NodeLocal;
  /** Copies the content from another of its ids, if this node holds it there; never rejects. A caller that leaves does not end the copy. */
  readonly bringTwin: (taskId: string, request: DownloadRequest) => Promise<void>;
  readonly disableBackToSource: boolean;
  /** Whether a download continues when its last reader leaves early. */
  readonly finishAbandoned: boolean;
  readonly onReceipt: (receipt: Receipt, request: DownloadRequest) => void;
  /** A reader got everything from the store. */
  readonly onCacheHit: () => void;
  /** Called when a download has failed, unless it was cancelled. */
  readonly onFailure: (error: DragonflyError, request: DownloadRequest) => void;
}

/** Content requested by its digest is read again unless it was verified this recently. */
const recheckMs = 10 * 60_000;

/** How many times a request starts over because another caller's request was refused. */
const joinAttempts = 5;

interface Running {
  /** The request whose headers the origin sees. */
  readonly request: DownloadRequest;
  readonly download: Download;
  /** Nothing was on disk before. */
  readonly fromNothing: boolean;
  readonly readers: Map<Subscription, number | undefined>;
}

/** One caller of `open`. */
interface Reading {
  readonly request: DownloadRequest;
  /** The part to bring first. */
  readonly readerRange: RangeSpec | undefined;
  readonly signal: AbortSignal;
}

export class TaskEngine implements Closable {
  readonly #options: EngineOptions;
  readonly #running = new Map<string, Running>();
  readonly #announcers = new Map<string, PieceAnnouncer>();
  /** Source URLs of completed downloads, by task id. */
  readonly #fetchedFrom = new LRUCache<string, string>({ max: daemonLimits.rememberedSources });
  #closed = false;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  get runningCount(): number {
    return this.#running.size;
  }

  taskIdOf(request: DownloadRequest): string {
    const { hub } = request;
    if (request.taskId !== undefined) return request.taskId;
    return computeTaskId({ ...request, revision: hub?.revision });
  }

  /** The peer id under which this node downloads or holds the task. */
  peerIdOf(taskId: string): string | undefined {
    return this.#running.get(taskId)?.download.peerId;
  }

  /** The URL from which this node itself has fetched all of a task's content; undefined when any of it came another way. */
  fetchedFrom(taskId: string): string | undefined {
    const running = this.#running.get(taskId);
    return running ? this.#sourceOf(running) : this.#fetchedFrom.get(taskId);
  }

  /** Whether the running download of the task sends the origin the same request with the same credentials. */
  asksFor(taskId: string, request: DownloadRequest): boolean {
    const own = this.#running.get(taskId)?.request;
    return own !== undefined && sameRequest(own, request);
  }

  /** What is known here of a task's content; undefined while nothing is known. */
  headOf(taskId: string): TaskHead | undefined {
    const stored = this.#options.store.get(taskId);
    if (!stored?.layout) return undefined;
    const { responseHeader, layout, complete, restricted } = stored;
    return { responseHeader, contentLengthBytes: layout.contentLengthBytes, complete, restricted };
  }

  /**
   * Resolves when the metadata of the content is known. Errors: those of the origin, NOT_FOUND or PERMISSION_DENIED by the
   * scheduler, PERMISSION_DENIED by the block list, RANGE_NOT_SATISFIABLE, RESOURCE_EXHAUSTED when too many downloads run, the signal's reason.
   */
  async open(asked: DownloadRequest, signal: AbortSignal): Promise<OpenTask> {
    if (this.#closed) throw new DragonflyError('UNAVAILABLE', 'the daemon is stopping');
    this.#options.admit(asked);
    if (asked.taskId === undefined) this.#options.context.sources.requireSupported(asked.url);
    const namesake = this.#options.store.get(this.taskIdOf(asked));
    const named = namesake ? apartFrom(asked, namesake.identity.url) : asked;
    const restricted = this.#options.store.get(this.taskIdOf(named))?.restricted === true;
    const request = restricted && !isEntitled(asked) ? apartFromRestricted(named) : named;
    this.#requireReach(request);
    const taskId = this.taskIdOf(request);
    await this.#stopped(taskId, signal);
    if (!this.#running.has(taskId)) await orAborted(this.#options.bringTwin(taskId, request), signal);
    const existing = this.#options.store.get(taskId);
    if (existing && !this.#running.has(taskId)) {
      using _pin = existing.pin(); // the task may be removed while it is verified
      // Who asks by digest wants the bytes checked, and not long ago.
      const forgotten = asked.caller.kind === 'local' && asked.digest !== undefined && existing.unseenMs > recheckMs;
      if (forgotten || existing.touchedFromOutside()) existing.suspect();
      await orAborted(existing.recovered, signal);
      if (hasAll(existing, request)) {
        if (request.prefetch === true) await this.#options.nodeLocal.check(request.url);
        const local = await this.#openLocal(existing, request, signal);
        if (request.prefetch === true && !existing.complete) this.#prefetch(taskId, request);
        return local;
      }
    }
    await this.#options.nodeLocal.check(request.url); // remembers whether the URL leads to this machine
    await this.#stopped(taskId, signal);
    this.#requireReach(request);
    const readerRange = readerRangeOf(request);
    for (let attempt = 1; ; attempt += 1) {
      const joined = this.#running.get(taskId);
      try {
        return await this.#join(joined ?? this.#start(taskId, request, readerRange), { request, readerRange, signal });
      } catch (error) {
        // An identity bound to the URL cannot be taken by other content, so this does not recurse again.
        if (toDragonflyError(error).code === 'TASK_CONFLICT') return this.open(apartFromOthers(request), signal);
        // The origin's answer to another caller's request does not apply to this one.
        if (!joined || attempt >= joinAttempts || !concernsOthers(joined.request, request, error)) throw error;
        await orAborted(settled(joined), signal);
      }
    }
  }

  async #join(running: Running, reading: Reading): Promise<OpenTask> {
    const { request } = reading;
    const { download, readers } = running;
    if (readers.size >= daemonLimits.subscribersPerTask)
      throw new DragonflyError('RESOURCE_EXHAUSTED', `task ${download.taskId} already has ${readers.size} readers`);
    download.rate.raiseLimit(request.rateLimit ?? Infinity);
    const task = await this.#subscribe(running, reading);
    if (request.prefetch === true) download.want(undefined); // the reader's own range goes first
    return task;
  }

  /** Announces pieces to the children of the task; created when the first child asks, or when this node goes to the origin. */
  announcerOf(stored: StoredTask): PieceAnnouncer {
    for (const [taskId, announcer] of this.#announcers) {
      if (!announcer.idle || taskId === stored.id) continue;
      announcer[Symbol.dispose]();
      this.#announcers.delete(taskId);
    }
    const known = this.#announcers.get(stored.id);
    if (known?.isOf(stored) === true) return known;
    known?.[Symbol.dispose]();
    const announcer = new PieceAnnouncer(stored);
    this.#announcers.set(stored.id, announcer);
    return announcer;
  }

  /** Whether this node fetches content from an origin that others wait for. */
  get atOrigin(): boolean {
    return [...this.#announcers.values()].some((announcer) => announcer.atOrigin);
  }

  /** Receives what children do with the pieces of this node; undefined while no child is connected. */
  announcing(taskId: string): PieceAnnouncer | undefined {
    return this.#announcers.get(taskId);
  }

  /** Ends the download of a task, if one runs; what is on disk stays. */
  stop(taskId: string, reason: DragonflyError): void {
    this.#running.get(taskId)?.download.stop(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const announcer of this.#announcers.values()) announcer[Symbol.dispose]();
    const ended = [...this.#running.values()].map(({ download }) => {
      download.stop(new DragonflyError('UNAVAILABLE', 'the daemon is stopping'));
      return download.ended.catch(() => undefined);
    });
    await Promise.all(ended);
  }

  /** The request's URL, if all content so far came from this node's own requests to it. */
  #sourceOf({ request, download, fromNothing }: Running): string | undefined {
    const pieces = download.stored.pieceRecords();
    const own = fromNothing && pieces.every(({ source }) => source === 'origin');
    const comes = pieces.length > 0 || this.#announcers.get(download.taskId)?.atOrigin === true;
    return own && comes ? request.url : undefined;
  }

  /** Content of this machine alone is not served to callers elsewhere, neither from the store nor from its origin. */
  #requireReach({ caller, url }: DownloadRequest): void {
    if (reachesLoopback(caller) || !this.#options.nodeLocal.means(url)) return;
    throw new DragonflyError(
      'PERMISSION_DENIED',
      `${redact(url)} means this machine itself, and the caller is elsewhere`,
      {
        hint: 'Ask on the machine itself, or give the service a name that others reach it by.',
      },
    );
  }

  /** A download that is ending cannot be joined; a new one continues from what it left. */
  async #stopped(taskId: string, signal: AbortSignal): Promise<void> {
    for (
      let ending = this.#running.get(taskId);
      ending?.download.state === 'failed';
      ending = this.#running.get(taskId)
    ) {
      await orAborted(settled(ending), signal);
    }
  }

  /** Fetches the missing rest in the background; the log and the receipts tell how it ended. */
  #prefetch(taskId: string, request: DownloadRequest): void {
    if (this.#running.has(taskId) || this.#running.size >= daemonLimits.concurrentDownloads) return;
    const { download } = this.#start(taskId, { ...request, range: undefined });
    download.rate.background = true;
    download.want(undefined);
  }

  async #openLocal(stored: StoredTask, request: DownloadRequest, signal: AbortSignal): Promise<OpenTask> {
    this.#options.onCacheHit();
    const id = peerId(this.#options.identity.ip, this.#options.identity.hostname, this.#options.identity.isSeed);
    const receipt = new ReceiptBuilder({ taskId: stored.id, peerId: id, url: request.url });
    const subscription = new Subscription({
      stored,
      download: undefined,
      peerId: id,
      range: request.range,
      signal,
      localReceipt: () => {
        receipt.local(subscription.range?.length ?? 0);
        return receipt.finish(stored.layout?.contentLengthBytes ?? 0, stored.identity.digest);
      },
      onLeave: () => undefined,
      onPosition: () => undefined,
    });
    return this.#ready(subscription);
  }

  #start(taskId: string, request: DownloadRequest, readerRange?: RangeSpec): Running {
    const { store, context, identity } = this.#options;
    if (this.#running.size >= daemonLimits.concurrentDownloads) {
      throw new DragonflyError('RESOURCE_EXHAUSTED', `${this.#running.size} downloads are running already`, {
        hint: 'Try again when some have ended.',
      });
    }
    const blob = request.blobDigestAsId === false ? undefined : blobDigest(request.url);
    const digest = request.digest ?? (blob === undefined ? undefined : `sha256:${blob}`);
    const stored = store.open(taskId, {
      url: redact(request.url),
      tag: request.tag,
      application: request.application,
      digest,
      header: redactHeaders(request.header),
    });
    // Content that was stored without restriction stays unrestricted.
    if (stored.pieces.count === 0 && (request.restricted === true || bringsCredentials(request))) stored.restrict();
    stored.resume();
    const effective: DownloadRequest = {
      ...request,
      digest,
      // A seed peer that is asked for a task is the one to go to the origin for the others.
      needBackToSource: request.needBackToSource === true || (identity.isSeed && request.taskId === undefined),
      disableBackToSource: request.disableBackToSource === true || this.#options.disableBackToSource,
    };
    const announcer = (): PieceAnnouncer => this.announcerOf(stored);
    const download = new Download(
      {
        ...context,
        ...(this.#options.nodeLocal.isKnown(request.url) && withoutSwarm),
        ...(request.opened && originBeside(context.sources, request.opened)),
        ...(request.onlyOpened === true && withoutOrigin),
        announcer,
        entitled: isEntitled(request),
        newPeerId: () => peerId(identity.ip, identity.hostname, identity.isSeed),
      },
      stored,
      effective,
      peerId(identity.ip, identity.hostname, identity.isSeed),
    );
    const running: Running = { request, download, fromNothing: stored.pieces.count === 0, readers: new Map() };
    this.#running.set(taskId, running);
    const trace = new Trace('download', { 'dragonfly.task_id': taskId, 'dragonfly.peer_id': download.peerId });
    download.ended.then(
      (receipt) => {
        this.#running.delete(taskId);
        const source = this.#sourceOf(running);
        if (source === undefined) this.#fetchedFrom.delete(taskId);
        else this.#fetchedFrom.set(taskId, source);
        trace.end({ 'dragonfly.bytes_from_origin': receipt.bytesFromOrigin });
        this.#options.onReceipt(receipt, request);
      },
      (error: unknown) => {
        this.#running.delete(taskId);
        trace.end({}, error);
        const failure = toDragonflyError(error);
        if (failure.code !== 'CANCELLED') this.#options.onFailure(failure, request);
        forgetEmpty(store, stored);
      },
    );
    if (readerRange) download.readerComes(readerRange);
    trace.run(() => download.start());
    return running;
  }

  #subscribe(running: Running, { request, readerRange, signal }: Reading): Promise<OpenTask> {
    const { download } = running;
    const subscription = new Subscription({
      stored: download.stored,
      download,
      peerId: download.peerId,
      range: request.range,
      readerRange,
      signal,
      localReceipt: () => {
        throw new DragonflyError('INTERNAL', 'a running download has its own receipt');
      },
      onLeave: (left) => {
        running.readers.delete(left);
        const prefetch = request.prefetch === true;
        download.rate.background = prefetch && running.readers.size === 0;
        const goesOn = this.#options.finishAbandoned || request.finishAbandoned === true || prefetch;
        const abandoned = running.readers.size === 0 && download.state !== 'succeeded' && !goesOn;
        if (abandoned) download.abandon();
        if (!this.#running.has(download.stored.id)) forgetEmpty(this.#options.store, download.stored);
      },
      onPosition: (reader, piece) => {
        if (running.readers.has(reader)) running.readers.set(reader, piece);
        download.setReadPositions([...running.readers.values()].filter((position) => position !== undefined));
      },
    });
    running.readers.set(subscription, undefined);
    download.rate.background = false;
    return this.#ready(subscription);
  }

  async #ready(subscription: Subscription): Promise<OpenTask> {
    try {
      await subscription.ready();
      return subscription;
    } catch (error) {
      await subscription[Symbol.asyncDispose]();
      throw error;
    }
  }
}

/** Resolves when the download has ended, however it did. */
function settled({ download }: Running): Promise<unknown> {
  return download.ended.catch(() => undefined);
}
