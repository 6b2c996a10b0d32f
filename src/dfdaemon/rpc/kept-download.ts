/** Downloads imported content of either kind, for a reader or as a replica. */
import { DragonflyError } from '../../core/errors.ts';
import { deadlineSignal } from '../../core/process/lifecycle.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import { schedulerHeader } from '../../rpc/features.ts';
import type { Piece } from '../../../gen/common/v2/common.ts';
import type { KeptFacts } from '../../swarm/replicas/kept-task.ts';
import { importLimits } from '../imports/limits.ts';
import { placeOutput } from '../storage/place-output.ts';
import { readPiece } from './download-stream.ts';
import { toPiece } from './messages.ts';
import type { ServiceOptions } from './services.ts';

/** The deadline of a whole download when the request names none. */
const downloadTimeoutMs = 2 * 3_600_000;

export interface KeptDownload {
  readonly taskId: string;
  readonly facts?: KeptFacts | undefined;
  readonly persistent: boolean;
  /** See FetchOrder. */
  readonly isGiven?: boolean;
  readonly digest?: string | undefined;
  readonly outputPath?: string | undefined;
  readonly overwrite: boolean;
  readonly forceHardLink: boolean;
  readonly needPieceContent: boolean;
  readonly timeout: { readonly seconds: number; readonly nanos: number } | undefined;
}

/** First the length of the content, then each piece as it arrives. */
export type KeptNews = { readonly hostId: string; readonly taskId: string; readonly peerId: string } & (
  { readonly contentLength: number } | { readonly piece: Piece }
);

export async function* keptDownload(
  request: KeptDownload,
  context: CallContext,
  { kept, store, schedulers, hostId, outputRoots: roots }: ServiceOptions,
): AsyncGenerator<KeptNews> {
  const { taskId, persistent, digest, outputPath, overwrite, forceHardLink, needPieceContent } = request;
  const { caller } = context;
  if (persistent && !store.keepsStorage)
    throw new DragonflyError('FAILED_PRECONDITION', 'this node keeps nothing when it stops');
  using deadline = deadlineSignal(context.signal, msOf(request.timeout) ?? downloadTimeoutMs);
  const { signal } = deadline;
  const named = context.metadata.get(schedulerHeader)[0]?.toString();
  const { task: opened, facts } = await kept.open(
    {
      taskId,
      caller,
      persistent,
      isGiven: request.isGiven === true,
      facts: request.facts,
      ...(persistent && { scheduler: schedulers.callingScheduler({ named, host: context.peerHost }) }),
    },
    signal,
  );
  await using task = opened;
  const ids = { hostId, taskId, peerId: task.peerId };
  yield { ...ids, contentLength: facts.contentLengthBytes };
  for await (const piece of task.pieces()) {
    const content = needPieceContent ? readPiece(store, taskId, piece) : undefined;
    yield { ...ids, piece: toPiece(piece, content) };
  }
  await task.finished;
  await kept.held(taskId, facts, { persistent });
  if (digest !== undefined) await kept.requireDigest(taskId, digest, signal);
  if (outputPath === undefined) return;
  // An output shares no blocks with content that must stay unchanged, unless that is requested.
  const place = { caller, overwrite, forceHardLink, mayLink: forceHardLink, signal, roots };
  await placeOutput(kept.require(taskId), outputPath, place);
}

export function msOf(duration: { readonly seconds: number; readonly nanos: number } | undefined): number | undefined {
  return duration && Math.min(duration.seconds * 1000 + duration.nanos / 1e6, importLimits.longestTimeoutMs);
}

/** Only programs on this node may name paths. */
export function refuseOutput(outputPath: string | undefined): void {
  if (outputPath === undefined) return;
  throw new DragonflyError('PERMISSION_DENIED', 'an output path is only accepted on the unix socket of this node');
}
