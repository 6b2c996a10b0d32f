/** Preheats: makes seeds or peers download files before anyone asks for them, and finds out who holds a file. */
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { taskId as taskIdOf } from '../../core/ids.ts';
import { defaultFilteredQueryParams } from '../../core/net/signed-urls.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import { RateLimiter } from '../../core/rate-limiter.ts';
import { hostPort } from '../../core/net/host-port.ts';
import type { Channels } from '../../rpc/channels.ts';
import { createClient, type RpcClient } from '../../rpc/client.ts';
import type { Download, Host } from '../../../gen/common/v2/common.ts';
import { DfdaemonUploadDefinition, type StatLocalTaskResponse } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import type { PreheatOutcome } from '../../../gen/scheduler/v2/scheduler.ts';
import { defaultConcurrentPeers, defaultConcurrentTasks, jobTimeoutMs, maxPreheatTargets } from '../limits.ts';
import { type CallEvents, hearCall } from '../peers/daemon-call.ts';
import { eachLimited } from './each-limited.ts';
import { preheatTargets, type TargetRequest } from './targets.ts';

export interface PreheaterOptions {
  readonly channels: Channels;
  readonly hosts: () => readonly Host[];
  readonly random: () => number;
  readonly logger: Logger;
  readonly calls: CallEvents;
}

/** What identifies a file's task besides its URL. */
export interface FileIdentity {
  readonly tag?: string | undefined;
  readonly application?: string | undefined;
  readonly pieceLength?: number | undefined;
  readonly filteredQueryParams: readonly string[];
  readonly blobDigestAsId?: boolean | undefined;
}

export interface PreheatRequest extends TargetRequest {
  readonly urls: readonly string[];
  readonly download: Download;
  /** Used instead of the download's header, and requested anew for each target, because tokens expire. */
  readonly freshHeader?: (signal: AbortSignal) => Promise<Record<string, string>>;
  readonly concurrentTaskCount?: number | undefined;
  readonly concurrentPeerCount?: number | undefined;
  readonly timeoutMs: number | undefined;
  /** Ends it before its time. */
  readonly signal?: AbortSignal;
}

export interface CopiesOptions {
  readonly concurrentPeerCount?: number | undefined;
  readonly signal: AbortSignal;
}

export interface HostCopy {
  readonly host: Host;
  readonly copy: StatLocalTaskResponse;
}

type Daemon = RpcClient<typeof DfdaemonUploadDefinition>;

export class Preheater implements Closable {
  readonly #options: PreheaterOptions;
  readonly #rate = new RateLimiter(Infinity);
  readonly #controller = new AbortController();
  readonly #running = new Set<Promise<unknown>>();

  constructor(options: PreheaterOptions) {
    this.#options = options;
  }

  /** The number of jobs that may begin per second; more are refused. */
  setRate(perSec: number): void {
    this.#rate.setRate(perSec, perSec);
  }

  /** Throws RESOURCE_EXHAUSTED when too many jobs were begun within the last second. */
  admit(): void {
    if (this.#rate.tryAcquire(1)) return;
    throw new DragonflyError('RESOURCE_EXHAUSTED', 'too many jobs were begun', {
      hint: 'Try again in a second, or raise job_rate_limit of the scheduler cluster.',
    });
  }

  /** Resolves with the outcome at every target. Throws at once when the targets do not exist. */
  start(request: PreheatRequest): Promise<PreheatOutcome[]> {
    const { hosts, random } = this.#options;
    const known = hosts();
    const plans = request.urls.flatMap((url) => {
      const { enableTaskIdBasedBlobDigest: blobDigestAsId } = request.download;
      const taskId = fileTaskId(url, { ...request.download, blobDigestAsId });
      return preheatTargets(taskId, known, request, random).map((targets) => ({ url, taskId, targets }));
    });
    if (plans.length > maxPreheatTargets) {
      throw new DragonflyError(
        'INVALID_ARGUMENT',
        `${plans.length} downloads at once are more than ${maxPreheatTargets}`,
        {
          hint: 'Preheat fewer files, or fewer hosts, at a time.',
        },
      );
    }
    const deadline = AbortSignal.timeout(request.timeoutMs ?? jobTimeoutMs);
    const signal = AbortSignal.any([this.#controller.signal, deadline, ...(request.signal ? [request.signal] : [])]);
    const peers = request.concurrentPeerCount ?? defaultConcurrentPeers;
    const tasks = request.concurrentTaskCount ?? defaultConcurrentTasks;
    const byUrl = Map.groupBy(plans, ({ url }) => url);
    const work = eachLimited([...byUrl.values()], tasks, (perTask) =>
      eachLimited(perTask, peers, ({ url, targets }) => this.#preheatOne(url, targets, request, signal)),
    ).then((outcomes) => outcomes.flat());
    this.#running.add(work);
    return work.finally(() => this.#running.delete(work));
  }

  /** The hosts that hold the whole file. Hosts that do not answer are left out. */
  async holders(url: string, identity: FileIdentity, options: CopiesOptions): Promise<Host[]> {
    const copies = await this.copies(fileTaskId(url, identity), options);
    return copies.filter(({ copy }) => copy.finishedAt !== undefined).map(({ host }) => host);
  }

  /** The hosts that hold any part of the task. Hosts that do not answer are left out. */
  async copies(taskId: string, { concurrentPeerCount, signal }: CopiesOptions): Promise<HostCopy[]> {
    const limit = concurrentPeerCount ?? defaultConcurrentPeers;
    const found = await eachLimited(this.#options.hosts(), limit, async (host) => {
      try {
        return { host, copy: await this.#daemon(host).statLocalTask({ taskId }, { signal }) };
      } catch {
        return undefined; // the task does not exist there, or the host is away
      }
    });
    return found.flatMap((copy) => copy ?? []);
  }

  /** Makes sure that the host does not hold the task; resolves too if it never did. */
  async delete(host: Host, taskId: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#daemon(host).deleteTask({ taskId }, { signal });
    } catch (error) {
      if (!(error instanceof DragonflyError && error.code === 'NOT_FOUND')) throw error;
    }
  }

  /** The files under a URL that ends with a slash; any other URL is a single file. Asks a seed to list them, or any host if there is no seed. */
  async expand(url: string, download: Download, signal: AbortSignal): Promise<string[]> {
    if (!new URL(url).pathname.endsWith('/')) return [url];
    const known = this.#options.hosts();
    const host = known.find((candidate) => candidate.type !== 0) ?? known[0];
    if (!host) throw new DragonflyError('FAILED_PRECONDITION', 'no host is announced that could list the directory');
    const { requestHeader, objectStorage, hdfs, certificateChain, remoteIp } = download;
    const { entries } = await this.#daemon(host).listTaskEntries(
      {
        taskId: fileTaskId(url, download),
        url,
        requestHeader,
        certificateChain,
        timeout: undefined,
        objectStorage,
        hdfs,
        remoteIp,
        huggingFace: undefined,
        modelScope: undefined,
        openCsg: undefined,
      },
      { signal, timeoutMs: 60_000 },
    );
    return entries.filter((entry) => !entry.isDir).map((entry) => entry.url);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await Promise.allSettled(this.#running);
  }

  /** Tries the targets in order until one succeeds. */
  async #preheatOne(
    url: string,
    targets: readonly Host[],
    { download, freshHeader }: PreheatRequest,
    signal: AbortSignal,
  ): Promise<PreheatOutcome> {
    let outcome: PreheatOutcome = { url, hostId: '', hostname: '', ip: '', error: 'no target' };
    for (const host of targets) {
      const { id: hostId, hostname, ip } = host;
      outcome = { url, hostId, hostname, ip, error: '' };
      try {
        signal.throwIfAborted();
        // A seed that is asked by itself goes to the origin, so it needs the fresh header; among many hosts the swarm decides who
        // goes.
        const requestHeader = (await freshHeader?.(signal)) ?? download.requestHeader;
        const needBackToSource = targets.length > 1 || host.type !== 0;
        const wanted = { ...download, url, requestHeader, needBackToSource };
        await hearCall(this.#daemon(host).downloadTask({ download: wanted }, { signal }), hostId, this.#options.calls);
        return outcome;
      } catch (error) {
        const { message } = toDragonflyError(error);
        this.#options.logger.warn({ url, host: hostId, reason: message }, 'a preheat failed');
        outcome = { ...outcome, error: message };
        if (signal.aborted) return outcome;
      }
    }
    return outcome;
  }

  #daemon({ ip, port }: Host): Daemon {
    const address = hostPort(ip, port);
    return createClient(DfdaemonUploadDefinition, this.#options.channels, address);
  }
}

function fileTaskId(
  url: string,
  { tag, application, pieceLength, filteredQueryParams, blobDigestAsId }: FileIdentity,
): string {
  return taskIdOf({
    url,
    tag,
    application,
    pieceLengthBytes: pieceLength,
    blobDigestAsId,
    filteredQueryParams: filteredQueryParams.length > 0 ? filteredQueryParams : defaultFilteredQueryParams,
  });
}
