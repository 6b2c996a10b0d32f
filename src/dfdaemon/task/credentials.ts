/** Whether a request has a right to what its origin gives to some only. */
import { hasStandingSecret, isCredentialHeader } from '../../core/redact.ts';
import { signatureParams } from '../../core/net/signed-urls.ts';
import type { DownloadRequest } from './open-task.ts';

/** As the manager of the original writes it for a registry that asks for none. */
const nothing = /^\s*(?:bearer|basic)?\s*$/i;

/** What it gets is for those alone who have credentials, too. */
export function bringsCredentials({ url, header, objectStorage, hub, hdfs }: DownloadRequest): boolean {
  const { accessKeyId, sessionToken, securityToken, credentialPath } = objectStorage ?? {};
  const keys = [accessKeyId, sessionToken, securityToken, credentialPath, hub?.token, hdfs?.delegationToken];
  if (keys.some((key) => key !== undefined && key !== '')) return true;
  if (Object.entries(header).some(([name, value]) => isCredentialHeader(name) && !nothing.test(value))) return true;
  return hasStandingSecret(url) || (URL.canParse(url) && signatureParams(new URL(url)).length > 0);
}

/**
 * The proxy lets nobody have content whom the origin has not accepted, and schedulers send nodes for others. A user of this machine without credentials
 * is given by others what the origin gives to everybody; the rest it tells him itself.
 */
export function isEntitled(request: DownloadRequest): boolean {
  if (request.isGiven === true) return true;
  return request.caller.kind !== 'local' || bringsCredentials(request);
}
