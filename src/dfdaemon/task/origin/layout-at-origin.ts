/**
 * Learns the content's length from the origin before anything is fetched, for schedulers that take an unknown length
 * for an empty file.
 */
import type { Logger } from '../../../core/process/logger.ts';
import { toDragonflyError } from '../../../core/errors.ts';
import { defaultPieceLength } from '../../../core/piece-layout.ts';
import type { Sources } from '../../source/sources.ts';
import type { DownloadRequest } from '../open-task.ts';
import type { LayoutFacts } from '../learned-layout.ts';

/**
 * Undefined where the origin tells no length or fails; the content request will show why. A length of 0 is undefined,
 * too: servers send it for generated content that they do not count, so only the content itself can tell.
 */
export async function layoutAtOrigin(
  request: DownloadRequest,
  {
    sources,
    logger,
    signal,
  }: { readonly sources: Pick<Sources, 'stat'>; readonly logger: Logger; readonly signal: AbortSignal },
): Promise<LayoutFacts | undefined> {
  const { caller, url, header, caPem, objectStorage, hdfs, hub, bundle } = request;
  try {
    const object = await sources.stat({ caller, url, header, caPem, objectStorage, hdfs, hub, bundle, signal });
    const { contentLengthBytes, header: responseHeader } = object;
    if (!contentLengthBytes) return undefined;
    const pieceLengthBytes = request.pieceLengthBytes ?? defaultPieceLength(contentLengthBytes);
    return { contentLengthBytes, pieceLengthBytes, responseHeader };
  } catch (error) {
    logger.debug({ error: toDragonflyError(error).message }, 'the origin tells no length');
    return undefined;
  }
}
