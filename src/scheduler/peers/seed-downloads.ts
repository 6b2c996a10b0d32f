/** Makes seeds download: the swarm names the seed, this class calls it and follows the download to its end. */
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import { hostPort } from '../../core/net/host-port.ts';
import type { Channels } from '../../rpc/channels.ts';
import { createClient } from '../../rpc/client.ts';
import { schedulerHeader } from '../../rpc/features.ts';
import type { Download, Host } from '../../../gen/common/v2/common.ts';
import { DfdaemonUploadDefinition } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { answers } from '../../rpc/server/health.ts';
import { silence } from '../../rpc/life.ts';
import { maxSeedDownloads, seedLife } from '../limits.ts';
import { type CallEvents, hearCall } from './daemon-call.ts';

export interface SeedEvents {
  readonly calls: CallEvents;
  /** Never called from within `start`. */
  readonly onFailure: (taskId: string, hostId: string) => void;
  /**
   * Called with the header of the origin's response to the seed; empty when the seed does not report it. A seed of the original
   * reports it nowhere else.
   */
  readonly onAnswer?: (taskId: string, responseHeader: Readonly<Record<string, string>>) => void;
  /** The seed has everything, as that peer. */
  readonly onHeld?: (taskId: string, hostId: string, peerId: string) => void;
  readonly onResult?: (result: 'success' | 'failure') => void;
}

export interface SeedDownloadsOptions extends SeedEvents {
  readonly channels: Channels;
  /** The address of this scheduler as daemons know it. */
  readonly ownAddress: () => string;
  readonly timeoutMs: number;
  readonly logger: Logger;
}

export class SeedDownloads implements Closable {
  readonly #options: SeedDownloadsOptions;
  readonly #controller = new AbortController();
  readonly #running = new Map<string, Promise<void>>();

  constructor(options: SeedDownloadsOptions) {
    this.#options = options;
  }

  /** Returns at once. Asking the same seed for the same task again while it downloads changes nothing. */
  start(taskId: string, seed: Host, download: Download): void {
    const key = `${taskId} ${seed.id}`;
    if (this.#running.has(key)) return;
    const work = this.#run(taskId, seed, download).finally(() => this.#running.delete(key));
    this.#running.set(key, work);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await Promise.all(this.#running.values());
  }

  async #run(taskId: string, seed: Host, download: Download): Promise<void> {
    const { channels, ownAddress, timeoutMs, logger, calls, onAnswer, onFailure, onHeld, onResult } = this.#options;
    const answered = new AbortController();
    const dead = new AbortController();
    const signal = AbortSignal.any([this.#controller.signal, dead.signal]);
    try {
      await Promise.resolve(); // the swarm is still handing out decisions
      if (this.#running.size > maxSeedDownloads) {
        throw new DragonflyError('RESOURCE_EXHAUSTED', `${maxSeedDownloads} seed downloads are running already`);
      }
      if (download.bundle && !seed.bundles)
        throw new DragonflyError('UNSUPPORTED', `${seed.hostname} is of a version that fetches no bundles of files`);
      const address = hostPort(seed.ip, seed.port);
      silence(
        (asking) => answers(channels, address, asking),
        { ...seedLife, pace: channels.pace },
        AbortSignal.any([signal, answered.signal]),
      ).catch((error: unknown) => answered.signal.aborted || dead.abort(error));
      await channels.ready(address, { signal });
      const client = createClient(DfdaemonUploadDefinition, channels, address);
      // The seed reports what it holds as a peer, too.
      const metadata = { [schedulerHeader]: ownAddress() };
      const told = client.downloadTask({ download }, { signal, timeoutMs, metadata });
      const peerId = await hearCall(told, seed.id, calls, ({ response }) => {
        answered.abort(); // from here on it is heard of otherwise
        if (response?.$case === 'downloadTaskStartedResponse') onAnswer?.(taskId, response.value.responseHeader);
      });
      onResult?.('success');
      if (peerId !== '') onHeld?.(taskId, seed.id, peerId);
    } catch (error) {
      if (this.#controller.signal.aborted) return;
      const { code, message } = toDragonflyError(error);
      logger.warn({ taskId, seed: seed.id, code, reason: message }, 'a seed failed to download');
      onResult?.('failure');
      onFailure(taskId, seed.id);
    } finally {
      answered.abort();
    }
  }
}

/** The request to the seed: the whole content, from the origin, into its own store. */
export function seedDownload(download: Download): Download {
  return {
    ...download,
    range: undefined,
    outputPath: undefined,
    needBackToSource: true,
    disableBackToSource: false,
    prefetch: false,
    isPrefetch: false,
    needPieceContent: false,
    forceHardLink: false,
    overwrite: false,
    metadataOnly: false,
    actualContentLength: undefined,
    actualPieceLength: undefined,
    actualPieceCount: undefined,
  };
}
