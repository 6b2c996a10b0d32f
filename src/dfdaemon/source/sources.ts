/** All origin protocols that this node supports, chosen by the scheme of the URL. */
import { credentialFinder } from '../../core/credentials/own-credentials.ts';
import { DragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import { thisProcess, type Caller } from '../../rpc/server/caller.ts';
import { AbsSource } from './abs.ts';
import { openBundle, statBundle } from './bundle.ts';
import { EgressPolicy, type EgressRules } from './egress-policy.ts';
import { HttpClient } from './http/http-client.ts';
import { HttpSource } from './http.ts';
import { HdfsSource } from './hdfs.ts';
import { HubSource } from './hub.ts';
import { StoreCredentials } from './object-store.ts';
import { OrasSource } from './oras.ts';
import { S3Source } from './s3.ts';
import type { Source, SourceBody, SourceEntry, SourceObject, SourceRequest } from './source.ts';
import { TrustStore, type TrustOptions } from './trust-store.ts';

export interface SourcesOptions {
  readonly logger: Logger;
  readonly egress?: EgressRules | undefined;
  readonly trust?: TrustOptions | undefined;
  /** The caller of requests that name none; by default the user of this process. */
  readonly caller?: Caller | undefined;
  /** True to use this process's credentials for requests to object stores that bring none. */
  readonly ownCredentials?: boolean | undefined;
  /** Memory for bodies being read. */
  readonly poolBytes?: number | undefined;
  /** Called when an origin has answered or failed, with the time it took. */
  readonly onAsked?: ((call: OriginCall) => void) | undefined;
  /** Further protocols. One whose scheme already exists replaces it. */
  readonly plugins?: readonly Source[] | undefined;
}

export interface OriginCall {
  readonly scheme: string;
  readonly method: 'GET' | 'HEAD';
  readonly costMs: number;
  readonly failed: boolean;
}

export class Sources {
  readonly #onAsked: (call: OriginCall) => void;
  readonly #byScheme: ReadonlyMap<string, Source>;
  readonly #client: HttpClient;
  readonly #caller: Caller;

  constructor({
    logger,
    egress,
    trust,
    poolBytes,
    caller = thisProcess,
    ownCredentials = false,
    plugins = [],
    onAsked,
  }: SourcesOptions) {
    this.#onAsked = onAsked ?? (() => undefined);
    this.#caller = caller;
    this.#client = new HttpClient(new EgressPolicy(egress), new TrustStore(trust ?? {}, logger), poolBytes);
    const http = new HttpSource(this.#client);
    const proxies = egress?.outbound;
    const find = ownCredentials ? credentialFinder({ env: process.env, proxies }) : undefined;
    const credentials = new StoreCredentials(find, proxies);
    const sources: readonly Source[] = [
      http,
      new S3Source(this.#client, credentials),
      new AbsSource(this.#client, credentials),
      new OrasSource(http),
      new HdfsSource(http),
      new HubSource(http),
      ...plugins,
    ];
    this.#byScheme = new Map(sources.flatMap((source) => source.schemes.map((scheme) => [scheme, source] as const)));
  }

  get bufferedBytes(): number {
    return this.#client.bufferedBytes;
  }

  get schemes(): readonly string[] {
    return [...this.#byScheme.keys()];
  }

  /** Throws INVALID_ARGUMENT for a malformed URL, UNSUPPORTED for an unknown scheme. */
  requireSupported(url: string): void {
    this.#sourceOf(url);
  }

  /** Like Source.open; INVALID_ARGUMENT for a malformed URL, UNSUPPORTED for an unknown scheme. */
  async open(request: SourceRequest): Promise<SourceBody> {
    const { bundle } = request;
    if (bundle) return openBundle(this.#named(request), bundle, (file) => this.open(file));
    const source = this.#sourceOf(request.url);
    return this.#counted('GET', request.url, () => source.open(this.#named(request)));
  }

  async stat(request: SourceRequest): Promise<SourceObject> {
    if (request.bundle) return statBundle(request, request.bundle);
    const source = this.#sourceOf(request.url);
    return this.#counted('HEAD', request.url, () => source.stat(this.#named(request)));
  }

  async *list(request: SourceRequest): AsyncIterable<SourceEntry> {
    yield* this.#sourceOf(request.url).list(this.#named(request));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]();
  }

  async #counted<T>(method: OriginCall['method'], url: string, ask: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    let failed = true;
    try {
      const answer = await ask();
      failed = false;
      return answer;
    } finally {
      const scheme = new URL(url).protocol.slice(0, -1);
      this.#onAsked({ scheme, method, costMs: performance.now() - startedMs, failed });
    }
  }

  #named(request: SourceRequest): SourceRequest {
    return request.caller ? request : { ...request, caller: this.#caller };
  }

  #sourceOf(url: string): Source {
    if (!URL.canParse(url)) {
      throw new DragonflyError('INVALID_ARGUMENT', `"${url}" is not a URL`, {
        hint: 'Write it with its scheme, for example https://host/path.',
      });
    }
    const scheme = new URL(url).protocol.slice(0, -1);
    const source = this.#byScheme.get(scheme);
    if (source) return source;
    throw new DragonflyError('UNSUPPORTED', `URLs of the scheme "${scheme}" cannot be downloaded`, {
      hint: `Supported schemes: ${this.schemes.join(', ')}.`,
    });
  }
}
