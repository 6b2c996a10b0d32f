/**
 * Object stores that speak S3: s3, and by their S3-compatible interfaces oss, obs, cos, tos, ks3 and gs.
 *
 * Requests without keys are anonymous, for public buckets. A bucket in another region than was said is found there: the
 * store names its region in the refusal.
 */
import { DragonflyError } from '../../core/errors.ts';
import { redirectTarget } from '../../core/net/redirect-target.ts';
import type { HttpClient, HttpResponse } from './http/http-client.ts';
import { requestHeader } from './http/http-head.ts';
import {
  baseHeader,
  errorMessageField,
  openObject,
  statObject,
  statusError,
  type SendGet,
} from './http/http-object.ts';
import { maxErrorBodyBytes } from './limits.ts';
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
import { emptyPayloadHash, encodePath, encodeStrictly, signV4 } from './sigv4.ts';
import type { Source, SourceBody, SourceEntry, SourceObject, SourceRequest } from './source.ts';

interface Dialect {
  /** The default endpoint; undefined when one must be given. */
  readonly endpoint?: (region: string) => string;
  /** Header fields of the older generation that stand for settings. */
  readonly legacyHeader: Readonly<Record<string, keyof S3Settings>>;
}

export interface S3Settings {
  readonly region?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly accessKeyId?: string | undefined;
  readonly accessKeySecret?: string | undefined;
  readonly sessionToken?: string | undefined;
  readonly pathStyle?: string | undefined;
  /** A given Authorization header, used in place of a signature. */
  readonly authorization?: string | undefined;
}

const dialects: Readonly<Record<string, Dialect>> = {
  s3: {
    endpoint: (region) => `https://s3.${region}.amazonaws.com`,
    legacyHeader: {
      awsendpoint: 'endpoint',
      awsregion: 'region',
      awsaccesskeyid: 'accessKeyId',
      awssecretaccesskey: 'accessKeySecret',
      awssessiontoken: 'sessionToken',
      awss3forcepathstyle: 'pathStyle',
    },
  },
  oss: {
    legacyHeader: {
      endpoint: 'endpoint',
      accesskeyid: 'accessKeyId',
      accesskeysecret: 'accessKeySecret',
      securitytoken: 'sessionToken',
    },
  },
  obs: { legacyHeader: {} },
  cos: { legacyHeader: {} },
  tos: { endpoint: (region) => `https://tos-s3-${region}.volces.com`, legacyHeader: {} },
  ks3: { legacyHeader: {} },
  gs: { endpoint: () => 'https://storage.googleapis.com', legacyHeader: {} },
};

/** Services that address buckets only by host name. */
const bucketInHost =
  /(?:^|\.)(?:amazonaws\.com(?:\.cn)?|aliyuncs\.com|myhuaweicloud\.com|myqcloud\.com|volces\.com|ksyuncs\.com)$/;

export class S3Source implements Source {
  readonly schemes = Object.keys(dialects);
  readonly #client: HttpClient;
  readonly #credentials: StoreCredentials;

  constructor(client: HttpClient, credentials: StoreCredentials) {
    this.#client = client;
    this.#credentials = credentials;
  }

  async open(request: SourceRequest): Promise<SourceBody> {
    const bucket = await this.#bucket(request);
    return openObject(this.#send(bucket, request), { ...bucket, ...conditions(request) });
  }

  async stat(request: SourceRequest): Promise<SourceObject> {
    const bucket = await this.#bucket(request);
    return statObject(this.#send(bucket, request), { ...bucket, ...conditions(request) });
  }

  async *list(request: SourceRequest): AsyncGenerator<SourceEntry> {
    const bucket = await this.#bucket(request);
    const prefix = bucket.key === '' || bucket.key.endsWith('/') ? bucket.key : `${bucket.key}/`;
    const counted = entryLimit(bucket.name, prefix);
    const counts = pageLimit(bucket.name);
    let next: Readonly<Record<string, string>> | undefined = {};
    while (next) {
      const query = { 'list-type': '2', delimiter: '/', prefix, 'encoding-type': 'url', ...next };
      const page = await this.#page(bucket, query, request);
      for (const entry of entriesOf(page, bucket, prefix)) {
        counted();
        yield entry;
      }
      next = page.IsTruncated === 'true' ? nextPage(page) : undefined;
      if (next) counts(JSON.stringify(next));
    }
  }

  async #bucket(request: SourceRequest): Promise<Bucket> {
    const bucket = bucketOf(request);
    if (bucket.settings.accessKeyId || bucket.header['authorization'] !== undefined) return bucket;
    const own = await this.#credentials.for(bucket.scheme, request);
    return own ? { ...bucket, settings: { ...bucket.settings, ...own } } : bucket;
  }

  async #page(bucket: Bucket, query: Readonly<Record<string, string>>, request: SourceRequest): Promise<Listing> {
    const url = locate(bucket.settings, bucket, '');
    url.search = Object.entries(query)
      .map(([name, value]) => `${name}=${encodeStrictly(value)}`)
      .join('&');
    const response = await this.#send({ ...bucket, url }, request)(baseHeader({}));
    if (response.statusCode === 200) return listingOf(await response.text());
    response.discard();
    throw statusError(response, { url });
  }

  #send(bucket: Bucket, request: SourceRequest): SendGet {
    const attempt = async (
      settings: S3Settings,
      url: URL,
      header: Readonly<Record<string, string>>,
    ): Promise<HttpResponse> =>
      this.#client.send({
        method: 'GET',
        url,
        header: await signed(settings, url, header),
        ...connectionOf(request),
      });
    return async (header) => {
      const response = await inOwnWords(await atPlace(bucket, (url) => attempt(bucket.settings, url, header)));
      const region = response.header['x-amz-bucket-region'];
      const elsewhere =
        [301, 307, 400].includes(response.statusCode) && region !== undefined && region !== bucket.settings.region;
      if (!elsewhere) return response;
      response.discard();
      const settings = { ...bucket.settings, region };
      const url = locate(settings, bucket, bucket.key);
      url.search = bucket.url.search;
      return inOwnWords(await attempt(settings, url, header));
    };
  }
}

/** Follows a redirect within the service: new buckets are answered so until their name is known everywhere. */
async function atPlace({ url }: Bucket, attempt: (url: URL) => Promise<HttpResponse>): Promise<HttpResponse> {
  const response = await attempt(url);
  const { location, 'x-amz-bucket-region': region } = response.header;
  if (response.statusCode !== 307 || location === undefined || region !== undefined) return response;
  const next = redirectTarget(location, url);
  if (next?.protocol !== url.protocol || serviceOf(next) !== serviceOf(url)) return response;
  response.discard();
  return attempt(next);
}

function serviceOf({ hostname }: URL): string {
  return bucketInHost.exec(hostname)?.[0].replace(/^\./, '') ?? hostname;
}

/** The store says why it refuses in the body. */
async function inOwnWords(response: HttpResponse): Promise<HttpResponse> {
  const { statusCode, header, framing } = response;
  const isShort = typeof framing === 'number' ? framing <= maxErrorBodyBytes : framing === 'chunked';
  if (statusCode < 400 || !isShort || !/\bxml\b/i.test(header['content-type'] ?? '')) return response;
  const text = await response.text().catch(() => '');
  const [code, message] = ['Code', 'Message'].map((name) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1]);
  if (code === undefined) return response;
  return { ...response, header: { ...header, [errorMessageField]: message ? `${code}: ${message}` : code } };
}

interface Bucket {
  readonly scheme: string;
  readonly name: string;
  readonly key: string;
  readonly settings: S3Settings;
  /** Of the object over HTTP. */
  readonly url: URL;
  readonly header: Readonly<Record<string, string>>;
}

function bucketOf(request: SourceRequest): Bucket {
  const place = keyOf(request);
  const { scheme, key } = place;
  const dialect = dialects[scheme] as Dialect;
  const header = requestHeader(request.header);
  const legacy: Record<string, string> = {};
  for (const [name, setting] of Object.entries(dialect.legacyHeader)) {
    if (header[name] !== undefined) legacy[setting] = header[name];
    delete header[name];
  }
  const storage = (request.objectStorage ?? {}) as StorageOptions;
  const settings: S3Settings = {
    region: storage['region'] || legacy['region'] || 'us-east-1',
    endpoint: storage['endpoint'] || legacy['endpoint'],
    accessKeyId: storage['accessKeyId'] ?? legacy['accessKeyId'],
    accessKeySecret: storage['accessKeySecret'] ?? legacy['accessKeySecret'],
    sessionToken: storage['sessionToken'] || storage['securityToken'] || legacy['sessionToken'] || undefined,
    pathStyle: storage['pathStyle'] ?? legacy['pathStyle'],
  };
  const url = locate(settings, place, key);
  const version = new URL(request.url).searchParams.get('versionId');
  if (version !== null) url.search = `versionId=${encodeStrictly(version)}`;
  return { ...place, settings, header, url };
}

/** The bucket is part of the host name at the big services, and part of the path everywhere else. */
export function locate(settings: S3Settings, { scheme, name }: Pick<Bucket, 'scheme' | 'name'>, key: string): URL {
  const { endpoint, region = '', pathStyle } = settings;
  const text = endpoint ?? dialects[scheme]?.endpoint?.(region);
  if (text === undefined) throw noEndpoint(scheme);
  if (!/^[a-z0-9-]{1,63}$/i.test(region)) {
    throw new DragonflyError('INVALID_ARGUMENT', `"${region}" is not the name of a region`, {
      hint: 'Write for example eu-central-1.',
    });
  }
  const url = endpointUrl(text);
  // A certificate for *.s3.… does not cover a bucket name with dots.
  const inHost = bucketInHost.test(url.hostname) && pathStyle !== 'true' && !name.includes('.');
  if (inHost && !url.hostname.startsWith(`${name}.`)) url.hostname = `${name}.${url.hostname}`;
  url.pathname = inHost ? `/${encodePath(key)}` : `/${encodePath(name)}/${encodePath(key)}`;
  return url;
}

async function signed(
  settings: S3Settings,
  url: URL,
  header: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const { accessKeyId, accessKeySecret, sessionToken, authorization, region = '' } = settings;
  if (authorization !== undefined) return { ...header, authorization };
  if (!accessKeyId || !accessKeySecret) return { ...header };
  return signV4(
    {
      method: 'GET',
      url,
      header: { ...header, 'x-amz-content-sha256': emptyPayloadHash },
      date: new Date(),
    },
    { accessKeyId, secretAccessKey: accessKeySecret, sessionToken, region, service: 's3' },
  );
}

/** Stores that know the first version of listings only ignore that the second was asked for. Throws PROTOCOL. */
function nextPage(page: Listing): Readonly<Record<string, string>> {
  if (page.NextContinuationToken !== undefined) return { 'continuation-token': page.NextContinuationToken };
  return { marker: keyText(page, page.NextMarker ?? page.Contents.at(-1)?.Key) };
}

/** The fields of a ListBucketResult that are read. */
interface Listing {
  readonly IsTruncated?: string;
  readonly EncodingType?: string;
  readonly NextMarker?: string;
  readonly NextContinuationToken?: string;
  readonly CommonPrefixes: readonly { readonly Prefix?: string }[];
  readonly Contents: readonly { readonly Key?: string; readonly Size?: string; readonly ETag?: string }[];
}

/** Throws PROTOCOL. */
function listingOf(xml: string): Listing {
  return { CommonPrefixes: [], Contents: [], ...(xmlRoot(xml, 'ListBucketResult') as Partial<Listing> | '') };
}

function* entriesOf(page: Listing, { scheme, name }: Bucket, prefix: string): Generator<SourceEntry> {
  const urlOf = (key: string): string => `${scheme}://${name}/${encodePath(key)}`;
  for (const { Prefix } of page.CommonPrefixes) {
    yield { url: urlOf(keyText(page, Prefix)), contentLengthBytes: 0, isDirectory: true };
  }
  for (const { Key, Size, ETag } of page.Contents) {
    const key = keyText(page, Key);
    if (key === prefix || key.endsWith('/')) continue; // consoles create such objects to show empty directories
    const validator = ETag === undefined || ETag === '' ? {} : { validator: ETag };
    yield { url: urlOf(key), contentLengthBytes: Number(Size), isDirectory: false, ...validator };
  }
}

/** Keys are form-encoded where the store says so, because XML cannot carry every character. */
function keyText({ EncodingType }: Listing, text: string | undefined): string {
  if (text === undefined) throw malformedListing();
  return EncodingType === 'url' ? decodeURIComponent(text.replaceAll('+', ' ')) : text;
}
