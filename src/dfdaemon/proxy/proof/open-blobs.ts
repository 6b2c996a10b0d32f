/**
 * What a seed has fetched as a stranger, with no credential or with the token that a registry gives to anybody, is open to
 * everybody: it tells so, and the other nodes ask the registry about it for none of their callers. Only a seed is believed,
 * by its certificate, and only about what it has fetched itself, all of it, with the digest that names it.
 */
import type { z } from 'zod';
import { bringsCredentials } from '../../task/credentials.ts';
import type { DownloadRequest, Receipt } from '../../task/open-task.ts';
import { registryPath } from '../registry/registry-path.ts';
import { registryScope } from '../registry/registry-scope.ts';
import { callerKey } from './caller.ts';
import { sharedYes } from './registry-yes.ts';
import type { SharedProofs } from './shared-proofs.ts';

/** What is asked of schedulers about it. */
export interface OpenBlob {
  readonly parts: readonly string[];
  readonly url: URL;
  readonly schema: z.ZodType<z.output<typeof sharedYes>>;
}

export function openBlob(url: URL, scope: string, reference: string): OpenBlob {
  return { parts: ['open blob', scope, reference], url, schema: sharedYes };
}

/** Tells of a download of this seed that has ended, where it shows that the blob is everybody's. Never fails. */
export async function tellOpenBlob(
  shared: SharedProofs,
  { request, receipt, ttlMs }: { readonly request: DownloadRequest; readonly receipt: Receipt; readonly ttlMs: number },
): Promise<void> {
  const url = isOfStranger(request) && URL.canParse(request.url) ? new URL(request.url) : undefined;
  const path = url && registryPath(url.pathname);
  if (!url || path?.kind !== 'blob' || !isFetchedWhole(receipt) || receipt.verifiedDigest !== path.reference) return;
  const subject = openBlob(url, registryScope(url, path), path.reference);
  await shared.tellOpen(subject, { value: { lengthBytes: receipt.contentLengthBytes, isShown: true }, ttlMs });
}

/** The origin has seen nothing by which it could know anybody. */
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
