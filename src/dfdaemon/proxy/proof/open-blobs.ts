/**
 * Blobs that a seed has fetched anonymously, without a credential or with the token that a registry gives to anybody,
 * are open to everybody. The seed announces them, and other nodes do not ask the registry about them for any caller.
 * Only a seed is believed, by its certificate, and only about a blob that it has itself fetched completely and verified
 * against its digest.
 */
import type { z } from 'zod';
import { bringsCredentials } from '../../task/credentials.ts';
import type { DownloadRequest, Receipt } from '../../task/open-task.ts';
import { registryPath } from '../registry/registry-path.ts';
import { registryScope } from '../registry/registry-scope.ts';
import { callerKey } from './caller.ts';
import { sharedYes } from './registry-yes.ts';
import type { SharedProofs } from './shared-proofs.ts';
import { sharedParts, type SharedParts } from './shared-request.ts';

/** The question asked of schedulers about such a blob. */
export interface OpenBlob {
  readonly parts: SharedParts;
  readonly url: URL;
  readonly schema: z.ZodType<z.output<typeof sharedYes>>;
}

export function openBlob(url: URL, scope: string, reference: string): OpenBlob {
  return { parts: sharedParts('open blob', scope, reference), url, schema: sharedYes };
}

/** Announces a completed download of this seed if it shows that the blob is open. Never fails. */
export async function tellOpenBlob(
  shared: SharedProofs,
  { request, receipt, ttlMs }: { readonly request: DownloadRequest; readonly receipt: Receipt; readonly ttlMs: number },
): Promise<void> {
  const url = isOfStranger(request) && URL.canParse(request.url) ? new URL(request.url) : undefined;
  const path = url && registryPath(url.pathname);
  // A right may lie in the query.
  if (
    !url ||
    url.search !== '' ||
    path?.kind !== 'blob' ||
    !isFetchedWhole(receipt) ||
    receipt.verifiedDigest !== path.reference
  )
    return;
  const subject = openBlob(url, registryScope(url, path), path.reference);
  await shared.tellOpen(subject, { value: { lengthBytes: receipt.contentLengthBytes, isShown: true }, ttlMs });
}

/** The origin saw nothing by which it could identify a caller. */
function isOfStranger(request: DownloadRequest): boolean {
  const { 'x-dragonfly-registry': _, ...header } = request.header;
  const isPlain = request.opened === undefined && request.restricted !== true;
  return isPlain && callerKey(header) === '' && !bringsCredentials(request);
}

function isFetchedWhole({ contentLengthBytes, bytesFromOrigin, bytesFromLocal, parents }: Receipt): boolean {
  return (
    parents.length === 0 && bytesFromLocal === 0 && contentLengthBytes > 0 && bytesFromOrigin >= contentLengthBytes
  );
}
