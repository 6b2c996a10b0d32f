/**
 * Azure Blob Storage: `abs://container/key` at an endpoint, as the original names it. The account and its key are the id and
 * secret of the request; a shared access signature is its session token; a bearer token its Authorization header.
 */
import { DragonflyError } from '../../core/errors.ts';
import type { HttpClient } from './http/http-client.ts';
import { requestHeader } from './http/http-head.ts';
import { baseHeader, openObject, statObject, statusError, type SendGet } from './http/http-object.ts';
import {
  conditions,
  connectionOf,
  endpointUrl,
  entryLimit,
  pageLimit,
  keyOf,
  malformedListing,
  noEndpoint,
  xmlRoot,
  type StorageOptions,
  type StoreCredentials,
} from './object-store.ts';
import { sharedKeyAuthorization } from './shared-key.ts';
import { encodePath, encodeStrictly } from './sigv4.ts';
import type { Source, SourceBody, SourceEntry, SourceObject, SourceRequest } from './source.ts';
import { withoutTrailing } from '../../core/text/linear-text.ts';

const apiVersion = '2021-12-02';

interface Container {
  readonly name: string;
  readonly key: string;
  readonly endpoint: URL;
  readonly url: URL;
  readonly header: Readonly<Record<string, string>>;
  readonly account: string | undefined;
  readonly secret: string | undefined;
  readonly sas: string | undefined;
}

export class AbsSource implements Source {
  readonly schemes = ['abs'] as const;
  readonly #client: HttpClient;
  readonly #credentials: StoreCredentials;

  constructor(client: HttpClient, credentials: StoreCredentials) {
    this.#client = client;
    this.#credentials = credentials;
  }

  async open(request: SourceRequest): Promise<SourceBody> {
    const container = await this.#container(request);
    return openObject(this.#send(container, request), { ...container, ...conditions(request) });
  }

  async stat(request: SourceRequest): Promise<SourceObject> {
    const container = await this.#container(request);
    return statObject(this.#send(container, request), { ...container, ...conditions(request) });
  }

  async *list(request: SourceRequest): AsyncGenerator<SourceEntry> {
    const container = await this.#container(request);
    const prefix = container.key === '' || container.key.endsWith('/') ? container.key : `${container.key}/`;
    const counted = entryLimit(container.name, prefix);
    const counts = pageLimit(container.name);
    let marker = '';
    do {
      const page = await this.#page(container, prefix, marker, request);
      for (const entry of entriesOf(page, container, prefix)) {
        counted();
        yield entry;
      }
      marker = page.NextMarker ?? '';
      if (marker !== '') counts(marker);
    } while (marker !== '');
  }

  async #container(request: SourceRequest): Promise<Container> {
    const { name, key } = keyOf(request);
    const storage = (request.objectStorage ?? {}) as StorageOptions;
    const header = requestHeader(request.header);
    const given = {
      account: storage['accessKeyId'] || undefined,
      secret: storage['accessKeySecret'] || undefined,
      sas: storage['sessionToken'] || storage['securityToken'] || undefined,
    };
    const brings = given.account !== undefined || given.sas !== undefined || header['authorization'] !== undefined;
    const own = brings ? undefined : await this.#credentials.for('abs', request);
    const account = given.account ?? own?.accessKeyId;
    const text = storage['endpoint'] || own?.endpoint || (account && `https://${account}.blob.core.windows.net`);
    if (!text) throw noEndpoint('abs');
    const endpoint = endpointUrl(text);
    return {
      name,
      key,
      endpoint,
      url: locate(endpoint, `${name}/${encodePath(key)}`),
      header: own?.authorization === undefined ? header : { ...header, authorization: own.authorization },
      account,
      secret: given.secret ?? own?.accessKeySecret,
      sas: given.sas ?? own?.sessionToken,
    };
  }

  async #page(container: Container, prefix: string, marker: string, request: SourceRequest): Promise<Listing> {
    const url = locate(container.endpoint, container.name);
    const query = { restype: 'container', comp: 'list', prefix, delimiter: '/', ...(marker !== '' && { marker }) };
    url.search = Object.entries(query)
      .map(([name, value]) => `${name}=${encodeStrictly(value)}`)
      .join('&');
    const header = baseHeader(container.header);
    const response = await this.#send({ ...container, url }, request)(header);
    if (response.statusCode === 200) return listingOf(await response.text());
    response.discard();
    throw statusError(response, { url });
  }

  #send(container: Container, request: SourceRequest): SendGet {
    return async (header) => {
      const url = new URL(container.url);
      if (container.sas !== undefined) {
        const signature = container.sas.replace(/^\?/, '');
        url.search = url.search === '' ? signature : `${url.search.slice(1)}&${signature}`;
      }
      const sent = { ...header, 'x-ms-version': apiVersion, 'x-ms-date': new Date().toUTCString() };
      return this.#client.send({
        method: 'GET',
        url,
        header: { ...sent, ...authorization(container, url, sent) },
        ...connectionOf(request),
      });
    };
  }
}

function authorization(
  { account, secret, sas, header }: Container,
  url: URL,
  sent: Readonly<Record<string, string>>,
): Record<string, string> {
  if (account === undefined || secret === undefined || sas !== undefined || header['authorization'] !== undefined)
    return {};
  if (!/^[a-z\d+/]+={0,2}$/i.test(secret)) {
    throw new DragonflyError('INVALID_ARGUMENT', 'the key of the storage account is not base64', {
      hint: 'Give one of the two access keys of the account as it is.',
    });
  }
  return { authorization: sharedKeyAuthorization(url, sent, { account, key: secret }) };
}

/** The path of the endpoint names the account at emulators and gateways. */
function locate(endpoint: URL, path: string): URL {
  const url = new URL(endpoint);
  url.pathname = `${withoutTrailing(endpoint.pathname, '/')}/${path}`;
  return url;
}

/** The fields of an EnumerationResults that are read. */
interface Listing {
  readonly NextMarker?: string;
  readonly Blobs?: '' | { readonly Blob?: readonly Blob[]; readonly BlobPrefix?: readonly Pick<Blob, 'Name'>[] };
}

interface Blob {
  readonly Name?: string | { readonly '#text'?: string; readonly '@_Encoded'?: string };
  readonly Properties?: { readonly 'Content-Length'?: string };
}

/** Throws PROTOCOL. */
function listingOf(xml: string): Listing {
  return xmlRoot(xml.replace(/^\uFEFF/, ''), 'EnumerationResults') as Listing;
}

function* entriesOf({ Blobs }: Listing, { name }: Container, prefix: string): Generator<SourceEntry> {
  const { Blob: blobs = [], BlobPrefix: prefixes = [] } = Blobs || {};
  const urlOf = (key: string): string => `abs://${name}/${encodePath(key)}`;
  for (const { Name } of prefixes) yield { url: urlOf(nameText(Name)), contentLengthBytes: 0, isDirectory: true };
  for (const { Name, Properties } of blobs) {
    const key = nameText(Name);
    if (key === prefix || key.endsWith('/')) continue;
    yield { url: urlOf(key), contentLengthBytes: Number(Properties?.['Content-Length']), isDirectory: false };
  }
}

/** Names that XML cannot carry arrive escaped and marked as such. */
function nameText(name: Blob['Name']): string {
  if (typeof name === 'string') return name;
  if (name?.['#text'] === undefined) throw malformedListing();
  return name['@_Encoded'] === 'true' ? decodeURIComponent(name['#text']) : name['#text'];
}
