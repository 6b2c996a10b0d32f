/** One download on one node of the local cluster, and where its bytes came from. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { DragonflyError } from '../../core/errors.ts';
import type { Channels } from '../../rpc/channels.ts';
import { createClient } from '../../rpc/client.ts';
import { DfdaemonDownloadDefinition, DownloadTaskRequest, type Receipt } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import type { LocalDaemon } from './cluster.ts';

export interface NodeProgress {
  readonly node: string;
  readonly doneBytes: number;
  /** Undefined until the origin has reported it. */
  readonly totalBytes: number | undefined;
}

export interface NodeResult {
  readonly node: string;
  readonly taskId: string;
  /** The id of this download, as the other nodes see it. */
  readonly peerId: string;
  readonly costMs: number;
  readonly contentLengthBytes: number;
  /** Computed from the delivered file: lower-case hex. */
  readonly sha256: string;
  readonly bytesFromOrigin: number;
  readonly originRequests: number;
  readonly bytesLocal: number;
  /** The name of the sending node → bytes. `withNodeNames` sets the names; until then the keys are ids of downloads. */
  readonly bytesFromNode: ReadonlyMap<string, number>;
}

export interface NodeDelivery extends Omit<NodeResult, 'contentLengthBytes' | 'sha256'> {
  readonly outputPath: string;
}

export interface NodeDownloadOptions {
  readonly channels: Channels;
  readonly url: string;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: NodeProgress) => void;
}

/** Throws the daemon's error, with the node's name in front. */
export async function downloadOnNode(daemon: LocalDaemon, options: NodeDownloadOptions): Promise<NodeResult> {
  const delivered = await deliverOnNode(daemon, options);
  const file = await digestOfFile(delivered.outputPath);
  options.onProgress({ node: daemon.name, doneBytes: file.sizeBytes, totalBytes: file.sizeBytes });
  return { ...delivered, contentLengthBytes: file.sizeBytes, sha256: file.sha256 };
}

/** Only the download, without reading the file. */
export async function deliverOnNode(daemon: LocalDaemon, options: NodeDownloadOptions): Promise<NodeDelivery> {
  const { channels, url, signal, onProgress } = options;
  const client = createClient(DfdaemonDownloadDefinition, channels, `unix:${daemon.socket}`);
  const outputPath = join(daemon.directory, 'download');
  const request = DownloadTaskRequest.fromPartial({ download: { url, outputPath, overwrite: true } });
  const startedMs = performance.now();
  let totalBytes: number | undefined;
  let doneBytes = 0;
  let receipt: Receipt | undefined;
  let taskId = '';
  let peerId = '';
  for await (const { response, ...ids } of client.downloadTask(request, { signal })) {
    ({ taskId, peerId } = ids);
    switch (response?.$case) {
      case 'downloadTaskStartedResponse':
        totalBytes = response.value.contentLength;
        break;
      case 'downloadPieceFinishedResponse':
        doneBytes += response.value.piece?.length ?? 0;
        break;
      case 'receipt':
        receipt = response.value;
        break;
      case undefined:
    }
    onProgress({ node: daemon.name, doneBytes, totalBytes });
  }
  const costMs = performance.now() - startedMs;
  if (!receipt) throw new DragonflyError('PROTOCOL', `${daemon.name} ended the download without a receipt`);
  return {
    node: daemon.name,
    taskId,
    outputPath,
    costMs,
    bytesFromOrigin: receipt.bytesFromOrigin,
    originRequests: receipt.originRequests,
    bytesLocal: receipt.bytesLocal,
    peerId,
    bytesFromNode: bytesPerParent(receipt),
  };
}

/** Downloads know each other only by id; with all results at hand the ids are replaced by names. */
export function withNodeNames(results: readonly NodeResult[]): NodeResult[] {
  const names = new Map(results.map(({ peerId, node }) => [peerId, node]));
  return results.map((result) => {
    const named = [...result.bytesFromNode].map(([peerId, bytes]): [string, number] => [
      names.get(peerId) ?? peerId,
      bytes,
    ]);
    return { ...result, bytesFromNode: new Map(named) };
  });
}

function bytesPerParent({ parents }: Receipt): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const parent of parents) bytes.set(parent.peerId, (bytes.get(parent.peerId) ?? 0) + parent.bytes);
  return bytes;
}

export async function digestOfFile(path: string): Promise<{ sha256: string; sizeBytes: number }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
    hash.update(chunk as Buffer);
    sizeBytes += (chunk as Buffer).length;
  }
  return { sha256: hash.digest('hex'), sizeBytes };
}
