/** The calls that jobs make to daemons. */
import type { Channels } from '../../rpc/channels.ts';
import { createClient, type RpcClient } from '../../rpc/client.ts';
import { Download } from '../../../gen/common/v2/common.ts';
import { DfdaemonUploadDefinition, type StatLocalTaskResponse } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { DragonflyError } from '../../core/errors.ts';
import { hostPort } from '../../core/net/host-port.ts';
import type { ClusterHost } from './host-selection.ts';

export interface TaskProgress {
  readonly taskId: string;
  readonly contentLengthBytes: number;
  readonly completedBytes: number;
}

const statTimeoutMs = 10_000;
const deleteTimeoutMs = 60_000;

export class DaemonClient {
  readonly #channels: Channels;

  constructor(channels: Channels) {
    this.#channels = channels;
  }

  /** Resolves when the host has the whole content. `onProgress` is called for every piece. */
  async download(
    host: ClusterHost,
    download: Partial<Download>,
    { signal, onProgress }: { signal: AbortSignal; onProgress: (progress: TaskProgress) => void },
  ): Promise<TaskProgress> {
    await this.#channels.ready(hostPort(host.ip, host.port), { signal });
    let progress: TaskProgress = { taskId: '', contentLengthBytes: 0, completedBytes: 0 };
    for await (const { taskId, response } of this.#client(host).downloadTask(
      { download: Download.create(download) },
      { signal },
    )) {
      if (response?.$case === 'downloadTaskStartedResponse') {
        // Lists all pieces; those that the host has, and those it gets, follow one by one.
        const { contentLength } = response.value;
        progress = { taskId, contentLengthBytes: contentLength, completedBytes: 0 };
      } else if (response?.$case === 'downloadPieceFinishedResponse') {
        const length = response.value.piece?.length ?? 0;
        // Forged pieces are fetched, and reported, a second time.
        const completedBytes = Math.min(progress.contentLengthBytes, progress.completedBytes + length);
        progress = { ...progress, taskId, completedBytes };
      }
      onProgress(progress);
    }
    return progress;
  }

  /** Undefined when the host does not have the task. */
  async stat(host: ClusterHost, taskId: string, signal: AbortSignal): Promise<StatLocalTaskResponse | undefined> {
    try {
      await this.#channels.ready(hostPort(host.ip, host.port), { signal });
      return await this.#client(host).statLocalTask({ taskId }, { signal, timeoutMs: statTimeoutMs });
    } catch (error) {
      if (error instanceof DragonflyError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  /** Afterwards the host does not have the task, whether or not it had it before. */
  async delete(host: ClusterHost, taskId: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#client(host).deleteTask({ taskId }, { signal, timeoutMs: deleteTimeoutMs });
    } catch (error) {
      if (error instanceof DragonflyError && error.code === 'NOT_FOUND') return;
      // The original reports a missing task as an internal error.
      if ((await this.stat(host, taskId, signal).catch(() => 'unknown')) !== undefined) throw error;
    }
  }

  #client(host: ClusterHost): RpcClient<typeof DfdaemonUploadDefinition> {
    return createClient(DfdaemonUploadDefinition, this.#channels, hostPort(host.ip, host.port));
  }
}
