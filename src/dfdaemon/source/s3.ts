/**
 * Object stores that speak S3: s3, and by their S3-compatible interfaces oss, obs, cos, tos, ks3 and gs.
 *
 * Requests without keys are anonymous, for public buckets. A bucket in another region than was said is found there: the
 * store names its region in the refusal.
 */
import { createRequire } from 'node:module';
import type * as Xml from 'fast-xml-parser';
import type { StorageCredentials } from '../../core/aws-credentials.ts';
import { DragonflyError } from '../../core/errors.ts';
import { reachesInnerAddresses, reachesLoopback } from '../../rpc/caller.ts';
import { callerOf } from './http.ts';
import type { HttpClient, HttpResponse } from './http-client.ts';
import { requestHeader } from './http-head.ts';
import { baseHeader, openObject, statObject, statusError, type SendGet } from './http-object.ts';
import { maxListedEntries } from './limits.ts';
import { emptyPayloadHash, encodePath, encodeStrictly, signV4 } from './sigv4.ts';
import type { Source, SourceBody, SourceEntry, SourceObject, SourceRequest } from './source.ts';

interface Dialect {
  /** Where the service is when no endpoint is given; undefined: one must be given. */
  readonly endpoint?: (region: string) => string;
  /** The older generation's request header that stand for settings. */
  readonly legacyHeader: Readonly<Record<string, keyof Settings>>;
}

interface Settings {
  readonly region?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly accessKeyId?: string | undefined;
  readonly accessKeySecret?: string | undefined;
  readonly sessionToken?: string | undefined;
  readonly pathStyle?: string | undefined;
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

/** Services that know buckets only by host name. */
const bucketInHost =
  /(?:^|\.)(?:amazonaws\.com(?:\.cn)?|aliyuncs\.com|myhuaweicloud\.com|myqcloud\.com|volces\.com|ksyuncs\.com)$/;

export class S3Source implements Source {
  readonly schemes = Object.keys(dialects);
  readonly #client: HttpClient;
  readonly #own: (() => Promise<StorageCredentials | undefined>) | undefined;

  /** @param own credentials for s3 requests that bring none; without it those are anonymous. */
  constructor(client: HttpClient, own?: () => Promise<StorageCredentials | undefined>) {
    this.#client = client;
    this.#own = own;
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
    let token: string | undefined;
    let count = 0;
    do {
      const query = {
        'list-type': '2',
        delimiter: '/',
        prefix,
        'encoding-type': 'url',
        ...(token && { 'continuation-token': token }),
      };
      const page = await this.#page(bucket, query, request);
      for (const entry of entriesOf(page, bucket, prefix)) {
        if ((count += 1) > maxListedEntries) {
          throw new DragonflyError(
            'RESOURCE_EXHAUSTED',
            `${bucket.name} holds more than ${maxListedEntries} entries below ${prefix}`,
          );
        }
        yield entry;
      }
      token = page.IsTruncated === 'true' ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async #bucket(request: SourceRequest): Promise<Bucket> {
    const bucket = bucketOf(request);
    if (!this.#own || bucket.scheme !== 's3' || bucket.settings.accessKeyId) return bucket;
    return { ...bucket, settings: { ...bucket.settings, ...(await this.#own()) } };
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
      settings: Settings,
      url: URL,
      header: Readonly<Record<string, string>>,
    ): Promise<HttpResponse> =>
      this.#client.send({
        method: 'GET',
        url,
        header: await signed(settings, url, header),
        trust: {
          caPem: request.caPem,
          insecureSkipVerify:
            request.insecureSkipVerify === true || request.objectStorage?.['insecureSkipVerify'] === true,
        },
        loopbackAllowed: reachesLoopback(callerOf(request)),
        innerAllowed: reachesInnerAddresses(callerOf(request)),
        signal: request.signal,
      });
    return async (header) => {
      const response = await attempt(bucket.settings, bucket.url, header);
      const region = response.header['x-amz-bucket-region'];
      const elsewhere =
        [301, 307, 400].includes(response.statusCode) && region !== undefined && region !== bucket.settings.region;
      if (!elsewhere) return response;
      response.discard();
      const settings = { ...bucket.settings, region };
      const url = locate(settings, bucket, bucket.key);
      url.search = bucket.url.search;
      return attempt(settings, url, header);
    };
  }
}

interface Bucket {
  readonly scheme: string;
  readonly name: string;
  readonly key: string;
  readonly settings: Settings;
  /** Of the object over HTTP. */
  readonly url: URL;
  readonly header: Readonly<Record<string, string>>;
}

function bucketOf(request: SourceRequest): Bucket {
  const given = new URL(request.url);
  const scheme = given.protocol.slice(0, -1);
  const dialect = dialects[scheme] as Dialect;
  const header = requestHeader(request.header);
  const legacy: Record<string, string> = {};
  for (const [name, setting] of Object.entries(dialect.legacyHeader)) {
    if (header[name] !== undefined) legacy[setting] = header[name];
    delete header[name];
  }
  const storage = (request.objectStorage ?? {}) as Readonly<Record<string, string | undefined>>;
  const settings: Settings = {
    region: storage['region'] || legacy['region'] || 'us-east-1',
    endpoint: storage['endpoint'] || legacy['endpoint'],
    accessKeyId: storage['accessKeyId'] ?? legacy['accessKeyId'],
    accessKeySecret: storage['accessKeySecret'] ?? legacy['accessKeySecret'],
    sessionToken: storage['sessionToken'] || storage['securityToken'] || legacy['sessionToken'] || undefined,
    pathStyle: legacy['pathStyle'],
  };
  let key: string;
  try {
    key = decodeURIComponent(given.pathname.slice(1));
  } catch (error) {
    throw new DragonflyError('INVALID_ARGUMENT', `${request.url} is not properly escaped`, {
      cause: error,
      hint: 'Write a percent sign in a key as %25.',
    });
  }
  const place = { scheme, name: given.host, key };
  if (given.host === '') {
    throw new DragonflyError('INVALID_ARGUMENT', `${request.url} names no bucket`, {
      hint: `Write ${scheme}://bucket/key.`,
    });
  }
  return { ...place, settings, header, url: locate(settings, place, key) };
}

/** The bucket is a part of the host name at the big services, of the path everywhere else. */
function locate(settings: Settings, { scheme, name }: Pick<Bucket, 'scheme' | 'name'>, key: string): URL {
  const { endpoint, region = '', pathStyle } = settings;
  const text = endpoint ?? dialects[scheme]?.endpoint?.(region);
  if (text === undefined) {
    throw new DragonflyError('INVALID_ARGUMENT', `${scheme}:// needs the endpoint of the object storage`, {
      hint: 'Give it, for example with --storage-endpoint.',
    });
  }
  if (!/^[a-z0-9-]{1,63}$/i.test(region)) {
    throw new DragonflyError('INVALID_ARGUMENT', `"${region}" is not the name of a region`, {
      hint: 'Write for example eu-central-1.',
    });
  }
  const withScheme = /^https?:\/\//.test(text) ? text : `https://${text}`;
  if (!URL.canParse(withScheme)) {
    throw new DragonflyError('INVALID_ARGUMENT', `"${text}" is not an endpoint`, {
      hint: 'Write for example https://host:port.',
    });
  }
  const url = new URL(withScheme);
  // A certificate for *.s3.… does not cover a bucket name with dots.
  const inHost = bucketInHost.test(url.hostname) && pathStyle !== 'true' && !name.includes('.');
  if (inHost && !url.hostname.startsWith(`${name}.`)) url.hostname = `${name}.${url.hostname}`;
  url.pathname = inHost ? `/${encodePath(key)}` : `/${encodePath(name)}/${encodePath(key)}`;
  return url;
}

async function signed(
  settings: Settings,
  url: URL,
  header: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const { accessKeyId, accessKeySecret, sessionToken, region = '' } = settings;
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

function conditions({
  range,
  suffixBytes,
  validator,
}: SourceRequest): Pick<SourceRequest, 'range' | 'suffixBytes' | 'validator'> {
  return { range, suffixBytes, validator };
}

/** What is read of a ListBucketResult. */
interface Listing {
  readonly IsTruncated?: string;
  readonly NextContinuationToken?: string;
  readonly CommonPrefixes: readonly { readonly Prefix?: string }[];
  readonly Contents: readonly { readonly Key?: string; readonly Size?: string }[];
}

let parser: Xml.XMLParser | undefined;

/** Loaded with the first listing. */
function xmlParser(): Xml.XMLParser {
  const { XMLParser } = createRequire(import.meta.url)('fast-xml-parser') as typeof Xml;
  return new XMLParser({
    parseTagValue: false,
    htmlEntities: true, // numeric references, too
    isArray: (name) => name === 'CommonPrefixes' || name === 'Contents',
  });
}

/** Throws PROTOCOL. */
function listingOf(xml: string): Listing {
  let parsed: { ListBucketResult?: Partial<Listing> | '' };
  try {
    parser ??= xmlParser();
    parsed = parser.parse(xml) as typeof parsed;
  } catch (cause) {
    throw malformed(cause);
  }
  if (parsed.ListBucketResult === undefined) throw malformed();
  return { CommonPrefixes: [], Contents: [], ...(parsed.ListBucketResult as Partial<Listing>) };
}

function* entriesOf(page: Listing, { scheme, name }: Bucket, prefix: string): Generator<SourceEntry> {
  const urlOf = (key: string): string => `${scheme}://${name}/${encodePath(key)}`;
  for (const { Prefix } of page.CommonPrefixes) {
    yield { url: urlOf(keyText(Prefix)), contentLengthBytes: 0, isDirectory: true };
  }
  for (const { Key, Size } of page.Contents) {
    const key = keyText(Key);
    if (key === prefix || key.endsWith('/')) continue; // consoles make such objects to show empty directories
    yield { url: urlOf(key), contentLengthBytes: Number(Size), isDirectory: false };
  }
}

/** Keys come escaped as in a form, because XML cannot carry every character. */
function keyText(text: string | undefined): string {
  if (text === undefined) throw malformed();
  return decodeURIComponent(text.replaceAll('+', ' '));
}

function malformed(cause?: unknown): DragonflyError {
  return new DragonflyError('PROTOCOL', 'the listing of the object storage is malformed', { cause });
}
