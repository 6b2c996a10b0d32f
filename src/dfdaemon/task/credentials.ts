/** Whether a request is entitled to content that its origin gives only to some callers. */
import { hasStandingSecret, isCredentialHeader } from '../../core/redact.ts';
import { signatureParams } from '../../core/net/signed-urls.ts';
import type { DownloadRequest } from './open-task.ts';

/** What the original's manager writes for a registry without credentials. */
const nothing = /^\s*(?:bearer|basic)?\s*$/i;

/** The request carries credentials, so what it gets is only for callers that have some, too. */
export function bringsCredentials({ url, header, objectStorage, hub, hdfs }: DownloadRequest): boolean {
  const { accessKeyId, sessionToken, securityToken, credentialPath } = objectStorage ?? {};
  const keys = [accessKeyId, sessionToken, securityToken, credentialPath, hub?.token, hdfs?.delegationToken];
  if (keys.some((key) => key !== undefined && key !== '')) return true;
  if (Object.entries(header).some(([name, value]) => isCredentialHeader(name) && !nothing.test(value))) return true;
  return hasStandingSecret(url) || (URL.canParse(url) && signatureParams(new URL(url)).length > 0);
}

/**
 * The proxy only serves callers that the origin has accepted, and schedulers send nodes on behalf of others. A local
 * user without credentials gets from other nodes only what the origin gives to everybody; the rest comes from the
 * origin itself.
 */
export function isEntitled(request: DownloadRequest): boolean {
  if (request.isGiven === true) return true;
  return request.caller.kind !== 'local' || bringsCredentials(request);
}
