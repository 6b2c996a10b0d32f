/** The job calls of scheduler.v2 for files. */
import { DragonflyError } from '../../core/errors.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import { Download, type Host } from '../../../gen/common/v2/common.ts';
import type {
  PreheatFileRequest,
  PreheatOutcome,
  PreheatResponse,
  StatFileRequest,
  StatFileResponse,
} from '../../../gen/scheduler/v2/scheduler.ts';
import { jobTimeoutMs } from '../limits.ts';
import { msFromDuration } from '../messages.ts';
import type { Preheater } from './preheater.ts';

export async function preheatFile(
  preheater: Preheater,
  request: PreheatFileRequest,
  context: CallContext,
): Promise<PreheatResponse> {
  if (request.outputPath !== undefined) {
    throw new DragonflyError('PERMISSION_DENIED', 'a preheat may not write files on other machines', {
      hint: 'Leave output_path away; dfget on the machine itself writes the file out of its store.',
    });
  }
  preheater.admit();
  const download = Download.fromPartial({
    url: request.url,
    remoteIp: context.peerHost,
    ...(request.tag === undefined ? {} : { tag: request.tag }),
    ...(request.application === undefined ? {} : { application: request.application }),
    ...(request.pieceLength === undefined ? {} : { pieceLength: request.pieceLength }),
    priority: request.priority,
    filteredQueryParams: request.filteredQueryParams,
    requestHeader: request.header,
    certificateChain: request.certificateChain,
    ...(request.objectStorage ? { objectStorage: request.objectStorage } : {}),
    ...(request.hdfs ? { hdfs: request.hdfs } : {}),
  });
  const listed = await Promise.all(
    [request.url, ...request.urls].map((url) => preheater.expand(url, download, context.signal)),
  );
  const work = preheater.start({
    ...request,
    urls: [...new Set(listed.flat())],
    download,
    timeoutMs: msFromDuration(request.timeout),
  });
  return answer(work, request.waitForCompletion);
}

export async function statFile(
  preheater: Preheater,
  request: StatFileRequest,
  context: CallContext,
): Promise<StatFileResponse> {
  const holders = await preheater.holders(request.url, request, {
    concurrentPeerCount: request.concurrentPeerCount,
    signal: withTimeout(context.signal, msFromDuration(request.timeout)),
  });
  return {
    peers: holders.map(({ ip, hostname }: Host) => ({
      ip,
      hostname,
      cachedFiles: [{ url: request.url, isFinished: true }],
    })),
  };
}

/** A caller that does not wait gets its answer once the work has begun; outcomes are logged where they occur. */
export async function answer(work: Promise<PreheatOutcome[]>, wait: boolean): Promise<PreheatResponse> {
  if (wait) return { outcomes: await work };
  work.catch(() => undefined);
  return { outcomes: [] };
}

export function withTimeout(signal: AbortSignal, timeoutMs: number | undefined): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(timeoutMs ?? jobTimeoutMs)]);
}
