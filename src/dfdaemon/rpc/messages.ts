/** Converts between the messages of the protocol and the values of this daemon. */
import { isBundleDirectory, readBundle, type Bundle } from '../../core/bundle/bundle.ts';
import { DragonflyError } from '../../core/errors.ts';
import { defaultFilteredQueryParams } from '../../core/net/signed-urls.ts';
import { pieceSpan, piecesOfRange } from '../../core/piece-layout.ts';
import type { Caller } from '../../rpc/server/caller.ts';
import { Piece, TrafficType, type Download } from '../../../gen/common/v2/common.ts';
import type {
  DownloadTaskStartedResponse,
  Receipt as ReceiptMessage,
  StatLocalTaskResponse,
} from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { DownloadRequest, FinishedPiece, OpenTask, Receipt } from '../task/open-task.ts';

/** @param operatorParams query parameters removed from every URL, in addition to those that the request or the default names. */
export function toDownloadRequest(
  download: Download | undefined,
  caller: Caller,
  operatorParams: readonly string[] = [],
): DownloadRequest {
  if (!download) throw new DragonflyError('INVALID_ARGUMENT', 'the request names no download');
  const { range, timeout, hdfs, huggingFace, modelScope, openCsg } = download;
  const hub = huggingFace ?? modelScope ?? openCsg;
  return {
    caller,
    url: download.url,
    header: download.requestHeader,
    caPem: download.certificateChain.map((der) => pem(der)),
    objectStorage: download.objectStorage && { ...download.objectStorage },
    ...(hdfs && { hdfs: { delegationToken: hdfs.delegationToken } }),
    ...(hub && { hub: { token: hub.token, revision: hub.revision, baseUrl: hub.baseUrl } }),
    ...(range && range.length > 0 && { range: { first: range.start, last: range.start + range.length - 1 } }),
    ...(download.digest !== undefined && { digest: download.digest }),
    ...(download.tag !== undefined && download.tag !== '' && { tag: download.tag }),
    ...(download.application !== undefined && download.application !== '' && { application: download.application }),
    priority: download.priority,
    filteredQueryParams: [
      ...(download.filteredQueryParams.length > 0 ? download.filteredQueryParams : defaultFilteredQueryParams),
      ...operatorParams,
    ],
    ...(download.bundle && { bundle: bundleOf(download.url, download.bundle) }),
    ...(download.pieceLength !== undefined && { pieceLengthBytes: download.pieceLength }),
    ...(download.contentForCalculatingTaskId !== undefined && {
      contentForCalculatingTaskId: download.contentForCalculatingTaskId,
    }),
    blobDigestAsId: download.enableTaskIdBasedBlobDigest,
    disableBackToSource: download.disableBackToSource,
    needBackToSource: download.needBackToSource,
    prefetch: download.prefetch,
    ...(timeout && { timeoutMs: timeout.seconds * 1000 + timeout.nanos / 1e6 }),
  };
}

/** Throws INVALID_ARGUMENT. */
function bundleOf(text: string, packed: Uint8Array): Bundle {
  if (!isBundleDirectory(text))
    throw new DragonflyError('INVALID_ARGUMENT', 'the files of a bundle lie below the URL of a directory');
  return readBundle(packed);
}

export function startedResponse(task: OpenTask): DownloadTaskStartedResponse {
  const contentLength = task.contentLengthBytes ?? 0;
  const { range } = task;
  const layout = {
    contentLengthBytes: contentLength,
    pieceLengthBytes: task.pieceLengthBytes,
    pieceCount: Math.ceil(contentLength / task.pieceLengthBytes),
  };
  const wanted = range && range.length > 0 ? piecesOfRange(layout, range.start, range.length) : undefined;
  const pieces: Piece[] = [];
  for (let number = wanted?.first ?? 0; wanted && number <= wanted.last; number += 1) {
    pieces.push(Piece.fromPartial(pieceSpan(layout, number)));
  }
  return {
    contentLength,
    range: range && range.length < contentLength ? range : undefined,
    responseHeader: { ...task.responseHeader },
    pieces,
    isFinished: task.local,
    contentFile: undefined,
  };
}

const trafficTypes = {
  origin: TrafficType.BACK_TO_SOURCE,
  remote: TrafficType.REMOTE_PEER,
  local: TrafficType.LOCAL_PEER,
} as const;

export function toPiece(piece: FinishedPiece, content: Buffer | undefined): Piece {
  return Piece.fromPartial({
    number: piece.number,
    ...(piece.parentId !== undefined && { parentId: piece.parentId }),
    offset: piece.offset,
    length: piece.length,
    digest: piece.digest,
    ...(content && { content }),
    trafficType: trafficTypes[piece.traffic],
    cost: toDuration(piece.costMs),
    createdAt: new Date(),
  });
}

export function toReceiptMessage(receipt: Receipt): ReceiptMessage {
  return {
    bytesFromOrigin: receipt.bytesFromOrigin,
    originRequests: receipt.originRequests,
    bytesLocal: receipt.bytesFromLocal,
    parents: receipt.parents.map(({ peerId, ip, hostname, bytes, pieces }) => ({
      peerId,
      hostIp: ip,
      hostName: hostname,
      bytes,
      pieces,
    })),
    waits: receipt.waits,
    waited: toDuration(receipt.waitedMs),
    retries: receipt.retries,
    cost: toDuration(receipt.costMs),
    digest: receipt.verifiedDigest ?? '',
  };
}

export function toStatLocalTask(task: StoredTask): StatLocalTaskResponse {
  const { times } = task;
  const date = (ms: number | undefined): Date | undefined => (ms === undefined ? undefined : new Date(ms));
  return {
    taskId: task.id,
    ...(task.pieceLengthBytes !== undefined && { pieceLength: task.pieceLengthBytes }),
    ...(task.contentLengthBytes !== undefined && { contentLength: task.contentLengthBytes }),
    responseHeader: { ...task.responseHeader },
    uploadingCount: task.uploadingCount,
    uploadedCount: task.uploadedCount,
    createdAt: date(times.createdMs),
    updatedAt: date(times.updatedMs),
    prefetchedAt: date(times.prefetchedMs),
    failedAt: date(times.failedMs),
    finishedAt: date(times.finishedMs),
  };
}

function toDuration(ms: number): { seconds: number; nanos: number } {
  return { seconds: Math.floor(ms / 1000), nanos: Math.floor((ms % 1000) * 1e6) };
}

function pem(der: Uint8Array): string {
  const lines = Buffer.from(der).toString('base64').replace(/.{64}/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
