/** One file: by the daemon of this node, or from the origin when there is none. */
import { lstatSync, type Stats } from 'node:fs';
import { rm } from 'node:fs/promises';
import { formatDigest } from '../../core/digest.ts';
import { DragonflyError } from '../../core/errors.ts';
import { RateLimiter } from '../../core/rate-limiter.ts';
import type { RpcClient } from '../../rpc/client.ts';
import { hubField } from '../../rpc/fields/hub-field.ts';
import type { Download, Piece } from '../../../gen/common/v2/common.ts';
import {
  DownloadTaskRequest,
  type DfdaemonDownloadDefinition,
  type Receipt,
} from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import type { DfgetOptions } from './options.ts';
import type { Origins } from '../origin.ts';
import { verifyFile, type ContentSink } from '../output-file.ts';
import type { ProgressBar } from './progress-bar.ts';

export type DaemonClient = RpcClient<typeof DfdaemonDownloadDefinition>;

export interface FileDownload {
  readonly url: string;
  readonly options: DfgetOptions;
  readonly progress: ProgressBar;
  readonly signal: AbortSignal;
}

export interface FileResult {
  readonly url: string;
  readonly contentLengthBytes: number;
  readonly taskId: string | undefined;
  readonly receipt: Receipt | undefined;
  /** That it is a bundle of; absent for a file. */
  readonly files?: number;
}

/** The daemon writes the file itself: as a hard link, a reflink or a copy. */
export async function downloadInPlace(client: DaemonClient, path: string, download: FileDownload): Promise<FileResult> {
  const before = lstatSync(path, { throwIfNoEntry: false });
  const result = await follow(client, download, { outputPath: path }, async () => {}).catch(async (error: unknown) => {
    await removeNew(path, before);
    throw error;
  });
  const placed = lstatSync(path, { throwIfNoEntry: false });
  if (placed?.isFile() && placed.size === result.contentLengthBytes) {
    await requirePlacedDigest(path, result, download);
    return result;
  }
  throw new DragonflyError('OUTPUT', `the dfdaemon reports success, but ${path} is not there as it should be`, {
    hint: 'The dfdaemon probably sees another file system (a container); add --transfer-from-dfdaemon.',
  });
}

/** A daemon of the original places the file before it verifies the content, and leaves it there when it is corrupt. */
async function removeNew(path: string, before: Stats | undefined): Promise<void> {
  const now = lstatSync(path, { throwIfNoEntry: false });
  if (!now?.isFile() || (now.ino === before?.ino && now.mtimeMs === before.mtimeMs)) return;
  await rm(path, { force: true });
}

/**
 * Content from the daemon's store was verified when it arrived, perhaps long ago, so the file is read again: a second
 * or less per GiB. Content that has just arrived was hashed on its way.
 */
async function requirePlacedDigest(path: string, { receipt }: FileResult, { options }: FileDownload): Promise<void> {
  const { digest } = options;
  if (!digest || (receipt?.digest === formatDigest(digest) && receipt.bytesLocal === 0)) return;
  try {
    await verifyFile(path, digest);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

/** The daemon sends the bytes, and this process writes them. */
export async function downloadToSink(
  client: DaemonClient,
  sink: ContentSink,
  download: FileDownload,
): Promise<FileResult> {
  const { range, originalOffset } = download.options;
  const first = range?.first ?? 0;
  let received = 0;
  const result = await follow(
    client,
    download,
    { needPieceContent: true },
    async ({ offset, content, length }, wanted) => {
      if (!content || content.length !== length) {
        throw new DragonflyError('PROTOCOL', 'the dfdaemon sent a piece without its content');
      }
      const start = Math.max(offset, wanted.start);
      const end = Math.min(offset + length, wanted.start + wanted.length);
      if (end <= start) return;
      const bytes = Buffer.from(content.buffer, content.byteOffset + start - offset, end - start);
      await sink.write(originalOffset ? start : start - first, bytes);
      received += bytes.length;
    },
  );
  if (received !== result.contentLengthBytes) {
    throw new DragonflyError('PROTOCOL', `the dfdaemon sent ${received} of ${result.contentLengthBytes} bytes`, {
      hint: 'Try again; if it stays, look into the log of the dfdaemon.',
    });
  }
  await sink.finish(originalOffset ? first + received : received);
  return result;
}

interface Wanted {
  readonly start: number;
  readonly length: number;
  /** Where the daemon keeps it, if that was asked for and may be told. */
  readonly contentFile: string | undefined;
}

/** Reads the daemon's answers to their end. */
export async function follow(
  client: DaemonClient,
  download: FileDownload,
  { tellContentFile = false, ...more }: Partial<Download> & { readonly tellContentFile?: boolean },
  onPiece: (piece: Piece, wanted: Wanted) => Promise<void>,
): Promise<FileResult> {
  const { url, options, progress, signal } = download;
  const request = DownloadTaskRequest.fromPartial({
    download: { ...downloadMessage(url, options), ...more },
    ...(options.rateLimit !== undefined && { rateLimit: options.rateLimit }),
    gatherPieces: true,
    ...(tellContentFile && { tellContentFile }),
  });
  let wanted: Wanted | undefined;
  let taskId: string | undefined;
  let receipt: Receipt | undefined;
  for await (const message of client.downloadTask(request, { signal })) {
    taskId = message.taskId;
    switch (message.response?.$case) {
      case 'downloadTaskStartedResponse': {
        const { contentLength, contentFile } = message.response.value;
        wanted = { ...wantedPart(options, contentLength), contentFile };
        progress.expect(wanted.length);
        break;
      }
      case 'downloadPieceFinishedResponse': {
        const { piece, more } = message.response.value;
        if (!piece || !wanted) break;
        for (const one of [piece, ...more]) {
          await onPiece(one, wanted);
          progress.advance(overlap(one, wanted));
        }
        break;
      }
      case 'receipt':
        receipt = message.response.value;
        break;
      case undefined:
    }
  }
  if (!wanted) throw new DragonflyError('PROTOCOL', 'the dfdaemon ended the download without telling its length');
  return { url, contentLengthBytes: wanted.length, taskId, receipt };
}

function wantedPart({ range }: DfgetOptions, contentLengthBytes: number): Omit<Wanted, 'contentFile'> {
  if (!range) return { start: 0, length: contentLengthBytes };
  const end = Math.min((range.last ?? Number.MAX_SAFE_INTEGER) + 1, contentLengthBytes);
  return { start: range.first, length: Math.max(0, end - range.first) };
}

function overlap({ offset, length }: Piece, wanted: Pick<Wanted, 'start' | 'length'>): number {
  return Math.max(0, Math.min(offset + length, wanted.start + wanted.length) - Math.max(offset, wanted.start));
}

function downloadMessage(url: string, options: DfgetOptions): Partial<Download> {
  const { range, digest, hub, hdfsDelegationToken, timeoutMs } = options;
  const length = (last: number | undefined, first: number): number => (last ?? Number.MAX_SAFE_INTEGER - 1) - first + 1;
  return {
    url,
    requestHeader: { ...options.header },
    filteredQueryParams: [...options.filteredQueryParams],
    priority: options.priority as Download['priority'], // the flag was checked to be 0 to 6
    overwrite: options.overwrite,
    forceHardLink: options.forceHardLink,
    disableBackToSource: options.disableBackToSource,
    enableTaskIdBasedBlobDigest: true,
    ...(digest && { digest: formatDigest(digest) }),
    ...(range && { range: { start: range.first, length: length(range.last, range.first) } }),
    ...(options.tag !== undefined && { tag: options.tag }),
    ...(options.application !== undefined && { application: options.application }),
    ...(options.pieceLengthBytes !== undefined && { pieceLength: options.pieceLengthBytes }),
    ...(options.contentForCalculatingTaskId !== undefined && {
      contentForCalculatingTaskId: options.contentForCalculatingTaskId,
    }),
    ...(timeoutMs !== undefined && { timeout: { seconds: Math.ceil(timeoutMs / 1000), nanos: 0 } }),
    ...(options.objectStorage && { objectStorage: options.objectStorage }),
    ...(hdfsDelegationToken !== undefined && { hdfs: { delegationToken: hdfsDelegationToken } }),
    ...(hub && { [hubField(url)]: hub }),
  };
}

/** Without a daemon: reads the origin as a single stream. */
export async function downloadFromOrigin(
  origins: Origins,
  sink: ContentSink,
  download: FileDownload,
): Promise<FileResult> {
  const { url, options, progress, signal } = download;
  const { range, originalOffset } = options;
  const body = await origins.open({
    ...originSettings(options),
    url,
    signal,
    ...(range && {
      range: { start: range.first, length: (range.last ?? Number.MAX_SAFE_INTEGER - 1) - range.first + 1 },
    }),
  });
  const first = range?.first ?? 0;
  const end = (range?.last ?? Number.MAX_SAFE_INTEGER) + 1;
  if (body.lengthBytes !== undefined) progress.expect(Math.min(body.startBytes + body.lengthBytes, end) - first);
  let position = body.startBytes;
  let written = 0;
  const pace = new RateLimiter(options.rateLimit ?? Infinity);
  await body.readTo(async (block) => {
    await pace.acquire(block.length, signal);
    // An origin without ranges sends everything; only the requested part is kept.
    const [start, stop] = [Math.max(position, first), Math.min(position + block.length, end)];
    if (stop > start) {
      await sink.write(originalOffset ? start : start - first, block.subarray(start - position, stop - position));
      written += stop - start;
      progress.advance(stop - start);
    }
    position += block.length;
  });
  if (range && written === 0) {
    throw new DragonflyError('RANGE_NOT_SATISFIABLE', `the range lies outside the ${position} bytes of the content`);
  }
  await sink.finish(originalOffset ? first + written : written);
  return { url, contentLengthBytes: written, taskId: undefined, receipt: undefined };
}

export function originSettings(
  options: DfgetOptions,
): Pick<Parameters<Origins['open']>[0], 'header' | 'objectStorage' | 'hdfs' | 'hub'> {
  const { header, objectStorage, hdfsDelegationToken, hub } = options;
  return {
    header,
    objectStorage,
    hdfs: hdfsDelegationToken === undefined ? undefined : { delegationToken: hdfsDelegationToken },
    hub,
  };
}
