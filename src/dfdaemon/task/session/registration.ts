/** A download request in the form sent to the scheduler. Credentials for the origin stay on this node. */
import { hubField } from '../../../rpc/fields/hub-field.ts';
import { isOfProtocol, parseDigest } from '../../../core/digest.ts';
import { parseUrl } from '../../../core/ids.ts';
import { defaultFilteredQueryParams, signatureParams } from '../../../core/net/signed-urls.ts';
import { hasStandingSecret, redact } from '../../../core/redact.ts';
import type { Download } from '../../../../gen/common/v2/common.ts';
import type { StoredTask } from '../../storage/stored-task.ts';
import type { DownloadRequest } from '../open-task.ts';

const lowestPriority = 6;

/** Headers that only concern how to fetch; any other may be a secret and is not sent to other machines. */
const harmlessHeaders = new Set(['accept', 'accept-language', 'user-agent', 'x-dragonfly-registry']);

/** @param needBackToSource this node is at the origin already; a scheduler that lost its memory must not send another node. */
export function toRegistration(
  request: Omit<DownloadRequest, 'caller'>,
  stored: StoredTask,
  { needBackToSource }: { needBackToSource: boolean },
): Parameters<typeof Download.fromPartial>[0] {
  const { layout } = stored;
  const { range, hub } = request;
  // Without the secret nobody else could fetch the URL, and nobody else needs to know it.
  const keepsSecret = hasStandingSecret(request.url);
  return {
    url: keepsSecret ? redact(request.url) : request.url,
    ...(request.digest !== undefined && isOfProtocol(parseDigest(request.digest)) && { digest: request.digest }),
    ...(range &&
      'first' in range &&
      range.last !== undefined && { range: { start: range.first, length: range.last - range.first + 1 } }),
    type: 0,
    ...(request.tag !== undefined && { tag: request.tag }),
    ...(request.application !== undefined && { application: request.application }),
    priority: (request.priority ?? lowestPriority) as 0 | 1 | 2 | 3 | 4 | 5 | 6,
    // Spelled out, so that a seed of the original computes the same id.
    filteredQueryParams: [
      ...new Set([
        ...(request.filteredQueryParams ?? defaultFilteredQueryParams),
        ...signatureParams(parseUrl(request.url)),
      ]),
    ],
    requestHeader: Object.fromEntries(
      Object.entries(request.header).filter(([name]) => harmlessHeaders.has(name.toLowerCase())),
    ),
    // The revision is part of the task's id: without it a seed would fetch another task. The token stays here.
    ...(hub && {
      [hubField(request.url)]: { revision: hub.revision, baseUrl: hub.baseUrl },
    }),
    ...(request.pieceLengthBytes !== undefined && { pieceLength: request.pieceLengthBytes }),
    // Where nobody else could fetch them, nobody else need know what the files are.
    ...(request.bundle && !keepsSecret && request.secretsInId !== true && { bundle: request.bundle.packed }),
    disableBackToSource: request.disableBackToSource ?? false,
    needBackToSource: needBackToSource || request.needBackToSource === true || keepsSecret,
    prefetch: request.prefetch ?? false,
    ...(request.contentForCalculatingTaskId !== undefined && {
      contentForCalculatingTaskId: request.contentForCalculatingTaskId,
    }),
    enableTaskIdBasedBlobDigest: request.blobDigestAsId ?? true,
    ...(layout && {
      actualContentLength: layout.contentLengthBytes,
      actualPieceLength: layout.pieceLengthBytes,
      actualPieceCount: layout.pieceCount,
    }),
  };
}

/** How schedulers of the original write an unknown length: negative as they read the field. */
export const unknownLength = 2 ** 63;

/**
 * What this node holds, for a scheduler of the original. Versions before 2.5.1 do not know `metadata_only`; needing no
 * parents keeps them from sending a seed.
 */
export function toHeldRegistration(stored: StoredTask): Parameters<typeof Download.fromPartial>[0] {
  const { url, tag, application } = stored.identity;
  const request = { url, tag, application, header: {}, digest: stored.identity.digest };
  return { ...toRegistration(request, stored, { needBackToSource: true }), metadataOnly: true };
}
