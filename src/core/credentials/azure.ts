/**
 * Credentials of Azure Blob Storage, as its SDKs and tools find them: a connection string, an account with its key or a shared
 * access signature, a workload's or a program's identity, the managed identity of the machine.
 */
import { readFile } from 'node:fs/promises';
import type { OutboundProxies } from '../net/outbound-proxy.ts';
import { askService, metadataTimeoutMs, remembered, tokenOf, type Token } from './token-endpoint.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface AzureOptions {
  readonly env: Environment;
  readonly proxies?: OutboundProxies | undefined;
}

export interface AzureCredentials {
  readonly account?: string | undefined;
  readonly endpoint?: string | undefined;
  /** Key of the account, in base64. */
  readonly key?: string | undefined;
  /** Shared access signature, as a query. */
  readonly sas?: string | undefined;
  readonly token?: string | undefined;
}

const resource = 'https://storage.azure.com/';

/** Undefined where there are none. Throws UNAUTHENTICATED. */
export function azureCredentials(options: AzureOptions): () => Promise<AzureCredentials | undefined> {
  const { env } = options;
  const token = remembered(() => tokenFor(options));
  return async () => {
    const fromString = connectionString(env['AZURE_STORAGE_CONNECTION_STRING']);
    if (fromString) return fromString;
    const account = env['AZURE_STORAGE_ACCOUNT_NAME'] ?? env['AZURE_STORAGE_ACCOUNT'];
    const place = { account, endpoint: env['AZURE_STORAGE_SERVICE_ENDPOINT'] };
    const key = env['AZURE_STORAGE_ACCOUNT_KEY'] ?? env['AZURE_STORAGE_KEY'];
    if (account !== undefined && key !== undefined) return { ...place, key };
    const sas = env['AZURE_STORAGE_SAS_TOKEN'];
    if (sas !== undefined) return { ...place, sas };
    const value = await token();
    return value === undefined ? undefined : { ...place, token: value };
  };
}

function connectionString(text: string | undefined): AzureCredentials | undefined {
  if (text === undefined) return undefined;
  const parts = new Map(
    text.split(';').map((part) => {
      const at = part.indexOf('=');
      return [part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim()] as const;
    }),
  );
  if (parts.get('usedevelopmentstorage') === 'true') return undefined;
  const account = parts.get('accountname');
  const suffix = parts.get('endpointsuffix') ?? 'core.windows.net';
  const scheme = parts.get('defaultendpointsprotocol') ?? 'https';
  const endpoint = parts.get('blobendpoint') ?? (account && `${scheme}://${account}.blob.${suffix}`);
  return { account, endpoint, key: parts.get('accountkey'), sas: parts.get('sharedaccesssignature') };
}

async function tokenFor(options: AzureOptions): Promise<Token | undefined> {
  const { env } = options;
  const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: client, AZURE_CLIENT_SECRET: secret } = env;
  const file = env['AZURE_FEDERATED_TOKEN_FILE'];
  if (tenant !== undefined && client !== undefined && file !== undefined) {
    const assertion = (await readFile(file, 'utf8')).trim();
    const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
    return fromDirectory(options, tenant, client, { client_assertion_type: type, client_assertion: assertion });
  }
  if (tenant !== undefined && client !== undefined && secret !== undefined) {
    return fromDirectory(options, tenant, client, { client_secret: secret });
  }
  return fromMachine(env);
}

async function fromDirectory(
  { env, proxies }: AzureOptions,
  tenant: string,
  client: string,
  proof: Readonly<Record<string, string>>,
): Promise<Token | undefined> {
  const authority = (env['AZURE_AUTHORITY_HOST'] ?? 'https://login.microsoftonline.com').replace(/\/+$/, '');
  const text = await askService({
    url: `${authority}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`,
    method: 'POST',
    form: { grant_type: 'client_credentials', client_id: client, scope: `${resource}.default`, ...proof },
    proxies,
  });
  return text === undefined ? undefined : tokenOf(text);
}

/** The identity service of apps and functions where available, else that of virtual machines. */
async function fromMachine(env: Environment): Promise<Token | undefined> {
  const { IDENTITY_ENDPOINT: service, IDENTITY_HEADER: secret, AZURE_CLIENT_ID: client } = env;
  const query = new URLSearchParams({ resource, ...(client !== undefined && { client_id: client }) }).toString();
  const request =
    service !== undefined && secret !== undefined
      ? { url: `${service}?api-version=2019-08-01&${query}`, header: { 'x-identity-header': secret } }
      : {
          url: `${env['AZURE_POD_IDENTITY_AUTHORITY_HOST'] ?? 'http://169.254.169.254'}/metadata/identity/oauth2/token?api-version=2018-02-01&${query}`,
          header: { metadata: 'true' },
        };
  const text = await askService({ ...request, timeoutMs: metadataTimeoutMs }).catch(() => undefined);
  return text === undefined ? undefined : tokenOf(text);
}
