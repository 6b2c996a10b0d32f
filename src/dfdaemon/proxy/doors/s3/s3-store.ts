/** One configured bucket at its store: addresses of its objects, and requests in the name of this node. */
import { createHash, createHmac, scryptSync } from 'node:crypto';
import type { IncomingMessage, InformationEvent } from 'node:http';
import type { Readable } from 'node:stream';
import type { CredentialFinder, OwnCredentials } from '../../../../core/credentials/own-credentials.ts';
import { locate } from '../../../source/s3.ts';
import { emptyPayloadHash, encodePath, encodeStrictly, signV4 } from '../../../source/sigv4.ts';
import type { ObjectKeys } from '../../../cluster/object-news.ts';
import type { DownloadRequest } from '../../../task/open-task.ts';
import type { ProxyClient } from '../../../../rpc/server/caller.ts';
import { proxyLimits } from '../../limits.ts';
import { letGo } from '../../proof/question.ts';
import type { Trust } from '../../../source/trust-store.ts';
import type { RequestBody } from '../../wire/request-body.ts';
import type { Upstream } from '../../wire/upstream.ts';
import type { S3BucketConfig } from './s3-config.ts';
import { withoutTrailing } from '../../../../core/text/linear-text.ts';

export interface S3StoreParts {
  readonly upstream: Upstream;
  /** This process's own credentials. */
  readonly own: CredentialFinder;
  /** Certificates trusted beyond those that every origin is judged by. */
  readonly trust?: Trust | undefined;
}

export interface StoreRequest {
  readonly method: string;
  /** Empty for the bucket. */
  readonly key: string;
  readonly query?: ReadonlyMap<string, string>;
  /** Lower-case names, without those that say who asks and how the request is signed. */
  readonly header?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly body?: StoreBody | undefined;
}

export interface StoreBody {
  readonly body: RequestBody;
  /** Value of `x-amz-content-sha256`. */
  readonly payloadHash: string;
  readonly onInformation: (information: InformationEvent) => void;
  /** Source of the body, where it is not the request itself. */
  readonly source?: Readable;
}

/** One version of an object, as the store described it. */
export interface ObjectVersion {
  readonly key: string;
  readonly versionId: string | undefined;
  readonly validator: string;
  readonly lengthBytes: number;
  /** Digest of the bytes, where the store implied one; `false` where the bytes turned out not to have it. */
  readonly digest?: string | false | undefined;
}

/** Prefix of the identity of an object; users cannot choose an identity with it. */
export const objectIdentity = 'dragonfly:s3:';

/** Other nodes see identities: stretching keeps the store's keys from being guessed from them. */
const stretched = { N: 2 ** 14, r: 8, p: 1 };

export class S3Store {
  readonly config: S3BucketConfig;
  readonly #upstream: Upstream;
  readonly #own: CredentialFinder;
  readonly #trust: Trust;
  #identityKey: Buffer | undefined;
  /** The region in which the store said the bucket is. */
  #region: string;

  /** Throws INVALID_ARGUMENT for a bucket whose store cannot be determined. */
  constructor(config: S3BucketConfig, { upstream, own, trust = {} }: S3StoreParts) {
    this.config = config;
    this.#upstream = upstream;
    this.#own = own;
    this.#trust = trust;
    this.#region = config.region;
    this.#urlOf('', config.region);
  }

  /** The bucket's name at the store. */
  get name(): string {
    return this.config.bucket ?? this.config.name;
  }

  /** Whether an object's identity proves to other nodes that they have the same key, or need none. */
  get provesKey(): boolean {
    return !this.config.ownCredentials;
  }

  /** Whether an object can be copied from one bucket to the other with this node's key. */
  sharesStoreWith({ config }: S3Store): boolean {
    const { scheme, endpoint, region, accessKeyID } = this.config;
    const same = scheme === config.scheme && endpoint === config.endpoint && accessKeyID === config.accessKeyID;
    return same && (endpoint !== undefined || region === config.region);
  }

  /** The URL of one object, as a download of it names it. */
  downloadUrl(key: string, versionId: string | undefined): string {
    const query = versionId === undefined ? '' : `?versionId=${encodeStrictly(versionId)}`;
    return `${this.config.scheme}://${this.name}/${encodePath(key)}${query}`;
  }

  /** The request to download the whole object. */
  async downloadOf(version: ObjectVersion, caller: ProxyClient): Promise<DownloadRequest> {
    const { key, versionId, validator, digest } = version;
    return {
      caller,
      url: this.downloadUrl(key, versionId),
      ...(await this.downloadRight()),
      contentForCalculatingTaskId: this.identityOf(version),
      validator,
      digest: digest === false ? undefined : digest,
      // A key that does not enter the identity stays on this node.
      needBackToSource: !this.provesKey,
    };
  }

  /** How a download reaches the store, and the credentials it presents. */
  async downloadRight(): Promise<Pick<DownloadRequest, 'header' | 'objectStorage'>> {
    const { endpoint, pathStyle } = this.config;
    const { accessKeyId, accessKeySecret, sessionToken, authorization } = (await this.#credentials()) ?? {};
    return {
      header: authorization === undefined ? {} : { authorization },
      objectStorage: {
        region: this.#region,
        ...(endpoint !== undefined && { endpoint }),
        ...(pathStyle && { pathStyle: 'true' }),
        ...(accessKeyId !== undefined && { accessKeyId, accessKeySecret }),
        ...(sessionToken !== undefined && { sessionToken }),
      },
    };
  }

  /**
   * The text from which a task's id is computed: equal on all nodes that have the same bucket with the same key, and
   * unknown to anybody without that key. Requests of users cannot name it.
   */
  identityOf({ key, versionId, validator, lengthBytes, digest }: ObjectVersion): string {
    // An object that cannot have the implied digest is another task than one begun with it.
    const more = digest === false ? ['no digest'] : [];
    return `${objectIdentity}${this.#digestOf([...this.#place, key, versionId, validator, lengthBytes, ...more])}`;
  }

  get #place(): string[] {
    const { scheme, endpoint, region } = this.config;
    return [scheme, endpoint === undefined ? region : withoutTrailing(endpoint, '/'), this.name];
  }

  #digestOf(parts: readonly unknown[]): string {
    const { secretKey } = this.config;
    if (secretKey !== undefined) this.#identityKey ??= scryptSync(secretKey, 'dragonfly bucket', 32, stretched);
    const hash = this.#identityKey ? createHmac('sha256', this.#identityKey) : createHash('sha256');
    return hash.update(JSON.stringify(parts)).digest('hex');
  }

  /** Keys by which nodes tell each other that an object has changed; computed like identities. */
  keysOf(key: string): ObjectKeys {
    const [bucket, object] = [[], [key]].map((rest) => this.#digestOf(['changes', ...this.#place, ...rest]));
    return { bucket: bucket ?? '', object: object ?? '' };
  }

  /** Errors: those of Upstream.send. The receiver reads or destroys the answer's body. */
  async send(request: StoreRequest): Promise<IncomingMessage> {
    const message = await this.#send(request, this.#region);
    const region = message.headers['x-amz-bucket-region'];
    const elsewhere = [301, 307, 400].includes(message.statusCode ?? 0) && typeof region === 'string';
    if (!elsewhere || region === this.#region || !/^[a-z0-9-]{1,63}$/.test(region) || request.body) return message;
    letGo(message);
    this.#region = region;
    return this.#send(request, region);
  }

  async #send(
    { method, key, query, header = {}, signal, body }: StoreRequest,
    region: string,
  ): Promise<IncomingMessage> {
    const url = this.#urlOf(key, region);
    url.search = [...(query ?? [])]
      .map(([name, value]) => `${encodeStrictly(name)}=${encodeStrictly(value)}`)
      .join('&');
    const signed = await this.#signed({
      method,
      url,
      header,
      region,
      payloadHash: body?.payloadHash ?? emptyPayloadHash,
    });
    return this.#upstream.send({
      method,
      url,
      header: signed,
      trust: this.#trust,
      loopbackAllowed: true, // the operator has named it
      signal,
      ...(body && {
        own: {
          target: url.pathname + url.search,
          lines: Object.entries({ host: url.host, ...signed }).flat(),
          body: body.body,
          upgrade: false,
          silenceMs: proxyLimits.storeSilenceMs,
          onInformation: body.onInformation,
        },
      }),
    });
  }

  async #signed(request: {
    readonly method: string;
    readonly url: URL;
    readonly header: Readonly<Record<string, string>>;
    readonly region: string;
    readonly payloadHash: string;
  }): Promise<Record<string, string>> {
    const { method, url, header, region, payloadHash } = request;
    const { accessKeyId, accessKeySecret, sessionToken, authorization } = (await this.#credentials()) ?? {};
    if (authorization !== undefined) return { ...header, authorization };
    if (accessKeyId === undefined || accessKeySecret === undefined) return { ...header };
    return signV4(
      { method, url, header: { ...header, 'x-amz-content-sha256': payloadHash }, date: new Date() },
      { accessKeyId, secretAccessKey: accessKeySecret, sessionToken, region, service: 's3' },
    );
  }

  async #credentials(): Promise<OwnCredentials | undefined> {
    const { scheme, accessKeyID: accessKeyId, secretKey: accessKeySecret, sessionToken, ownCredentials } = this.config;
    if (accessKeyId !== undefined) return { accessKeyId, accessKeySecret, sessionToken };
    return ownCredentials ? this.#own(scheme) : undefined;
  }

  #urlOf(key: string, region: string): URL {
    const { scheme, endpoint, pathStyle } = this.config;
    return locate({ region, endpoint, ...(pathStyle && { pathStyle: 'true' }) }, { scheme, name: this.name }, key);
  }
}
