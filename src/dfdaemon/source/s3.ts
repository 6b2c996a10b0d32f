/**
 * Object stores that speak S3: s3, and by their S3-compatible interfaces oss, obs and cos.
 *
 * Requests without keys are anonymous, for public buckets. A bucket in another region than was said is found there: the
 * store names its region in the refusal.
 */
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
};

/** Services that know buckets only by host name. */
const bucketInHost = /(?:^|\.)(?:amazonaws\.com(?:\.cn)?|aliyuncs\.com|myhuaweicloud\.com|myqcloud\.com)$/;

export class S3Source implements Source {
  readonly schemes = Object.keys(dialects);
  readonly #client: HttpClient;

  constructor(client: HttpClient) {
    this.#client = client;
  }

  async open(request: SourceRequest): Promise<SourceBody> {
    const bucket = bucketOf(request);
    return openObject(this.#send(bucket, request), { ...bucket, ...conditions(request) });
  }

  async stat(request: SourceRequest): Promise<SourceObject> {
    const bucket = bucketOf(request);
    return statObject(this.#send(bucket, request), { ...bucket, ...conditions(request) });
  }

  async *list(request: SourceRequest): AsyncGenerator<SourceEntry> {
    const bucket = bucketOf(request);
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
      token = tagText(page, 'IsTruncated') === 'true' ? tagText(page, 'NextContinuationToken') : undefined;
    } while (token !== undefined);
  }

  async #page(bucket: Bucket, query: Readonly<Record<string, string>>, request: SourceRequest): Promise<string> {
    const url = locate(bucket.settings, bucket, '');
    url.search = Object.entries(query)
      .map(([name, value]) => `${name}=${encodeStrictly(value)}`)
      .join('&');
    const response = await this.#send({ ...bucket, url }, request)(baseHeader({}));
    if (response.statusCode === 200) return response.text();
    response.discard();
    throw statusError(response, { url });
  }

  #send(bucket: Bucket, request: SourceRequest): SendGet {
    const attempt = (settings: Settings, url: URL, header: Readonly<Record<string, string>>): Promise<HttpResponse> =>
      this.#client.send({
        method: 'GET',
        url,
        header: signed(settings, url, header),
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

function signed(settings: Settings, url: URL, header: Readonly<Record<string, string>>): Record<string, string> {
  const { accessKeyId, accessKeySecret, sessionToken, region = '' } = settings;
  if (!accessKeyId || !accessKeySecret) return { ...header };
  return signV4(
    {
      method: 'GET',
      url,
      header: { ...header, 'x-amz-content-sha256': emptyPayloadHash },
      date: new Date(),
      payloadHash: emptyPayloadHash,
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

function* entriesOf(page: string, { scheme, name }: Bucket, prefix: string): Generator<SourceEntry> {
  const urlOf = (key: string): string => `${scheme}://${name}/${encodePath(key)}`;
  for (const [, common = ''] of page.matchAll(/<CommonPrefixes>(.*?)<\/CommonPrefixes>/gs)) {
    yield { url: urlOf(keyText(tagText(common, 'Prefix'))), contentLengthBytes: 0, isDirectory: true };
  }
  for (const [, contents = ''] of page.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
    const key = keyText(tagText(contents, 'Key'));
    if (key === prefix || key.endsWith('/')) continue; // consoles make such objects to show empty directories
    yield { url: urlOf(key), contentLengthBytes: Number(tagText(contents, 'Size')), isDirectory: false };
  }
}

function tagText(xml: string, tag: string): string | undefined {
  const text = new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(xml)?.[1];
  return text?.replace(/&(lt|gt|quot|apos|amp);/g, (_all, name: string) => entities[name] ?? '');
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

/** Keys come escaped as in a form, because XML cannot carry every character. */
function keyText(text: string | undefined): string {
  if (text === undefined) throw new DragonflyError('PROTOCOL', 'the listing of the object storage is malformed');
  return decodeURIComponent(text.replaceAll('+', ' '));
}
