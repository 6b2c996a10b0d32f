/**
 * Application default credentials, as Google's SDKs find them: the file that GOOGLE_APPLICATION_CREDENTIALS names, that of
 * `gcloud auth application-default login`, the metadata server of the machine.
 * Rule: https://cloud.google.com/docs/authentication/application-default-credentials
 */
import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DragonflyError } from '../errors.ts';
import type { OutboundProxies } from '../net/outbound-proxy.ts';
import { askService, metadataTimeoutMs, remembered, tokenOf, type Token } from './token-endpoint.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface GoogleOptions {
  readonly env: Environment;
  readonly proxies?: OutboundProxies | undefined;
}

const scope = 'https://www.googleapis.com/auth/devstorage.read_only';
const tokenUri = 'https://oauth2.googleapis.com/token';
const grantType = 'urn:ietf:params:oauth:grant-type:';
const assertionSeconds = 3600;

/** The content of a credentials file of any type. */
interface CredentialFile {
  readonly type?: string;
  readonly client_email?: string;
  readonly private_key?: string;
  readonly private_key_id?: string;
  readonly token_uri?: string;
  readonly client_id?: string;
  readonly client_secret?: string;
  readonly refresh_token?: string;
  readonly audience?: string;
  readonly subject_token_type?: string;
  readonly token_url?: string;
  readonly service_account_impersonation_url?: string;
  readonly source_credentials?: CredentialFile;
  readonly credential_source?: {
    readonly file?: string;
    readonly url?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly format?: { readonly type?: string; readonly subject_token_field_name?: string };
  };
}

/** An access token for reading; undefined where there are no credentials. Throws UNAUTHENTICATED, CONFIG_INVALID. */
export function googleToken(options: GoogleOptions): () => Promise<string | undefined> {
  return remembered(async () => {
    const named = options.env['GOOGLE_APPLICATION_CREDENTIALS'];
    if (named) return tokenOfFile(await readFile(named, 'utf8').catch(unreadable(named)), named, options);
    const known = wellKnownFile(options.env);
    const text = await readFile(known, 'utf8').catch(() => undefined);
    return text === undefined ? fromMetadata(options) : tokenOfFile(text, known, options);
  });
}

/** A token from a given credentials file. */
export function googleFileToken(text: string, path: string, options: GoogleOptions): () => Promise<string | undefined> {
  return remembered(() => tokenOfFile(text, path, options));
}

function wellKnownFile({ CLOUDSDK_CONFIG, HOME = '/' }: Environment): string {
  return join(CLOUDSDK_CONFIG ?? join(HOME, '.config', 'gcloud'), 'application_default_credentials.json');
}

async function tokenOfFile(text: string, path: string, options: GoogleOptions): Promise<Token | undefined> {
  let file: CredentialFile;
  try {
    file = JSON.parse(text) as CredentialFile;
  } catch (cause) {
    throw wrongFile(path, 'is not JSON', cause);
  }
  return exchange(file, path, options);
}

async function exchange(file: CredentialFile, path: string, options: GoogleOptions): Promise<Token | undefined> {
  switch (file.type) {
    case 'service_account':
      return answered(options, {
        url: file.token_uri ?? tokenUri,
        form: { grant_type: `${grantType}jwt-bearer`, assertion: await assertionOf(file, path) },
      });
    case 'authorized_user':
      return answered(options, {
        url: file.token_uri ?? tokenUri,
        form: {
          grant_type: 'refresh_token',
          client_id: file.client_id ?? '',
          client_secret: file.client_secret ?? '',
          refresh_token: file.refresh_token ?? '',
        },
      });
    case 'external_account':
      return impersonated(file, await federated(file, path, options), options);
    case 'impersonated_service_account':
      if (!file.source_credentials) throw wrongFile(path, 'has no source_credentials');
      return impersonated(file, await exchange(file.source_credentials, path, options), options);
    default:
      throw wrongFile(path, `has the type ${String(file.type)}, which is not known here`);
  }
}

/** An assertion signed by the service account itself. */
async function assertionOf(file: CredentialFile, path: string): Promise<string> {
  const { client_email: issuer, private_key: pem, private_key_id: kid } = file;
  if (issuer === undefined || pem === undefined) throw wrongFile(path, 'names no client_email and private_key');
  const { SignJWT } = await import('jose');
  let key;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw wrongFile(path, 'has a private_key that is not PEM', cause);
  }
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ scope })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...(kid !== undefined && { kid }) })
    .setIssuer(issuer)
    .setAudience(file.token_uri ?? tokenUri)
    .setIssuedAt(now)
    .setExpirationTime(now + assertionSeconds)
    .sign(key);
}

/** Workload identity federation: exchanges another provider's token for one of Google's. */
async function federated(file: CredentialFile, path: string, options: GoogleOptions): Promise<Token | undefined> {
  const { audience, token_url: url, subject_token_type: kind } = file;
  if (audience === undefined || url === undefined || kind === undefined) {
    throw wrongFile(path, 'names no audience, token_url and subject_token_type');
  }
  return answered(options, {
    url,
    form: {
      grant_type: `${grantType}token-exchange`,
      audience,
      scope: 'https://www.googleapis.com/auth/cloud-platform',
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      subject_token_type: kind,
      subject_token: await subjectToken(file, path),
    },
  });
}

async function subjectToken({ credential_source: source = {} }: CredentialFile, path: string): Promise<string> {
  const { file, url, headers = {}, format } = source;
  const text =
    file === undefined
      ? url === undefined
        ? undefined
        : await askService({ url, header: headers })
      : await readFile(file, 'utf8').catch(unreadable(file));
  if (text === undefined) throw wrongFile(path, 'has a credential_source that gives nothing');
  if (format?.type !== 'json') return text.trim();
  const field = (JSON.parse(text) as Record<string, unknown>)[format.subject_token_field_name ?? ''];
  if (typeof field !== 'string') throw wrongFile(path, 'has a credential_source without the token it names');
  return field;
}

async function impersonated(
  { service_account_impersonation_url: url }: CredentialFile,
  token: Token | undefined,
  options: GoogleOptions,
): Promise<Token | undefined> {
  if (url === undefined || !token) return token;
  const header = { authorization: `Bearer ${token.value}` };
  return answered(options, { url, method: 'POST', header, json: { scope: [scope] } });
}

async function answered(
  { proxies }: GoogleOptions,
  request: Omit<Parameters<typeof askService>[0], 'proxies'>,
): Promise<Token> {
  const text = await askService({ method: 'POST', ...request, proxies });
  if (text !== undefined) return tokenOf(text);
  throw new DragonflyError('SOURCE_UNREACHABLE', `${new URL(request.url).host} cannot be reached for a token`, {
    hint: 'Check name resolution, and HTTPS_PROXY where the way out is by a proxy.',
  });
}

async function fromMetadata({ env }: GoogleOptions): Promise<Token | undefined> {
  if (env['NO_GCE_CHECK'] === 'true') return undefined;
  const host = env['GCE_METADATA_HOST'] ?? '169.254.169.254';
  const header = { 'metadata-flavor': 'Google' };
  const url = `http://${host}/computeMetadata/v1/instance/service-accounts/default/token`;
  const text = await askService({ url, header, timeoutMs: metadataTimeoutMs }).catch(() => undefined);
  return text === undefined ? undefined : tokenOf(text);
}

function unreadable(path: string): (cause: unknown) => never {
  return (cause) => {
    throw wrongFile(path, `cannot be read: ${(cause as Error).message}`, cause);
  };
}

function wrongFile(path: string, what: string, cause?: unknown): DragonflyError {
  return new DragonflyError('CONFIG_INVALID', `the file of credentials ${path} ${what}`, {
    cause,
    hint: 'Name a service account, user or workload identity file, as gcloud writes them.',
  });
}
