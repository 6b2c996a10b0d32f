/** This program's credentials for an object store, found as that store's SDKs find them. */
import type { OutboundProxies } from '../net/outbound-proxy.ts';
import { credentialChain } from './aws.ts';
import { azureCredentials } from './azure.ts';
import { googleToken } from './google.ts';
import { environmentKeys } from './store-environment.ts';

export interface OwnCredentials {
  readonly accessKeyId?: string | undefined;
  readonly accessKeySecret?: string | undefined;
  readonly sessionToken?: string | undefined;
  /** Value of the header of that name, instead of keys. */
  readonly authorization?: string | undefined;
  readonly endpoint?: string | undefined;
}

/** Finds credentials by URL scheme; undefined where there are none. */
export type CredentialFinder = (scheme: string) => Promise<OwnCredentials | undefined>;

export interface FinderOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly proxies?: OutboundProxies | undefined;
}

/** Each chain is searched when the first URL of its scheme comes; its result is remembered until it expires. */
export function credentialFinder(options: FinderOptions): CredentialFinder {
  const aws = credentialChain();
  const google = googleToken(options);
  const azure = azureCredentials(options);
  return async (scheme) => {
    if (scheme === 's3') return aws();
    if (scheme === 'abs') {
      const found = await azure();
      return found && ofAzure(found);
    }
    const keys = await environmentKeys(scheme, options.env);
    if (keys || scheme !== 'gs') return keys;
    const token = await google();
    return token === undefined ? undefined : { authorization: `Bearer ${token}` };
  };
}

function ofAzure(found: NonNullable<Awaited<ReturnType<ReturnType<typeof azureCredentials>>>>): OwnCredentials {
  const { account, endpoint, key, sas, token } = found;
  return {
    endpoint: endpoint ?? (account === undefined ? undefined : `https://${account}.blob.core.windows.net`),
    ...(key !== undefined
      ? { accessKeyId: account, accessKeySecret: key }
      : sas !== undefined
        ? { sessionToken: sas }
        : {}),
    ...(key === undefined && sas === undefined && token !== undefined && { authorization: `Bearer ${token}` }),
  };
}
