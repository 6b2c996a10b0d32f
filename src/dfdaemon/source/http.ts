/**
 * http and https origins.
 *
 * Redirects are followed by our own rules: bounded, only to http and https, judged by the egress policy like a first
 * request, nothing that may be a secret carried to another origin. Where a download was redirected to is remembered for
 * its further ranges only: requests that carry a validator. Every new download asks the origin itself again.
 */
import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { withoutSecrets } from '../../core/net/credential-routes.ts';
import { redirectTarget } from '../../core/net/redirect-target.ts';
import { DragonflyError } from '../../core/errors.ts';
import { reachesInnerAddresses, reachesLoopback, thisProcess, type Caller } from '../../rpc/server/caller.ts';
import { AnonymousTokens } from './anonymous-tokens.ts';
import type { HttpClient, HttpResponse } from './http/http-client.ts';
import { requestHeader } from './http/http-head.ts';
import { entriesOfPage } from './http/directory-page.ts';
import {
  baseHeader,
  nameOf,
  openObject,
  statObject,
  statusError,
  type ObjectRequest,
  type SendGet,
} from './http/http-object.ts';
import { cachedRedirectMs, maxCachedRedirects, maxListedEntries, maxRedirects } from './limits.ts';
import type { Source, SourceBody, SourceEntry, SourceObject, SourceRequest } from './source.ts';

interface Target {
  readonly url: URL;
  /** True when the redirects led through another origin, so that the caller's header was left out. */
  readonly foreign: boolean;
  readonly loopbackAllowed: boolean;
}

export interface TextAnswer {
  readonly statusCode: number;
  readonly header: Readonly<Record<string, string>>;
  readonly text: string;
  readonly fromLoopback: boolean;
  /** True when the answer came from another origin than the one that was asked. */
  readonly foreign: boolean;
}

/** The result of following redirects. */
interface Followed {
  readonly response: HttpResponse;
  readonly foreign: boolean;
}

export class HttpSource implements Source {
  readonly schemes = ['http', 'https'] as const;
  readonly #client: HttpClient;
  readonly #redirects = new LRUCache<string, Target>({ max: maxCachedRedirects, ttl: cachedRedirectMs });

  readonly #anonymous = new AnonymousTokens();

  constructor(client: HttpClient) {
    this.#client = client;
  }

  async open(request: SourceRequest): Promise<SourceBody> {
    const object = objectOf(request);
    return openObject(this.#send(request, object), object);
  }

  async stat(request: SourceRequest): Promise<SourceObject> {
    const object = objectOf(request);
    return statObject(this.#send(request, object), object);
  }

  /** A small answer that is not the content: a listing, a manifest, a token. Follows redirects and returns any status. */
  async text(request: SourceRequest, { loopbackAllowed = true } = {}): Promise<TextAnswer> {
    const { url, header } = objectOf(request);
    const start: Target = {
      url,
      foreign: false,
      loopbackAllowed: loopbackAllowed && reachesLoopback(callerOf(request)),
    };
    const { response, foreign } = await this.#follow(start, baseHeader(header), request, redirectKey(request));
    const { statusCode, fromLoopback } = response;
    return { statusCode, header: response.header, fromLoopback, foreign, text: await response.text() };
  }

  async *list(request: SourceRequest): AsyncGenerator<SourceEntry> {
    const url = new URL(request.url);
    if (/[?#]/.test(request.url)) {
      throw new DragonflyError('INVALID_ARGUMENT', `${nameOf(url)} is listed without a query only`, {
        hint: 'Leave out what begins with "?" or "#": it says nothing of the files below. Give keys with --header.',
      });
    }
    const { statusCode, header, text } = await this.text({ ...request, range: undefined, validator: undefined });
    if (statusCode !== 200) throw statusError({ statusCode, header }, { url });
    const page = { url: request.url, contentType: header['content-type'] ?? '', text };
    let count = 0;
    for (const entry of entriesOfPage(page)) {
      if ((count += 1) > maxListedEntries)
        throw new DragonflyError('RESOURCE_EXHAUSTED', `${nameOf(url)} holds more than ${maxListedEntries} entries`);
      if (count % entriesPerTurn === 0) await turn();
      request.signal.throwIfAborted();
      yield entry;
    }
  }

  #send(request: SourceRequest, object: ObjectRequest): SendGet {
    const key = redirectKey(request);
    const start: Target = { url: object.url, foreign: false, loopbackAllowed: reachesLoopback(callerOf(request)) };
    const ask: SendGet = async (header) => {
      const known = request.validator === undefined ? undefined : this.#redirects.get(key);
      const { response: first } = await this.#follow(known ?? start, header, request, key);
      // The target of a redirect may have expired (signed URLs do), so the origin is asked again.
      const stale = known !== undefined && first.statusCode >= 400 && first.statusCode !== 416;
      if (!stale) return first;
      first.discard();
      this.#redirects.delete(key);
      return (await this.#follow(start, header, request, key)).response;
    };
    return (header) => this.#asAnybody(request, object.url, { header, ask });
  }

  /** Without credentials, an anonymous token is requested from registries that need one. */
  async #asAnybody(
    request: SourceRequest,
    url: URL,
    { header, ask }: { readonly header: Readonly<Record<string, string>>; readonly ask: SendGet },
  ): Promise<HttpResponse> {
    if (header['authorization'] !== undefined) return ask(header);
    const sent = this.#anonymous.known(url);
    const first = await ask(sent === undefined ? header : { ...header, authorization: sent });
    if (first.statusCode !== 401) return first;
    const authorization = await this.#anonymous.answer(url, first.header['www-authenticate'] ?? '', {
      sent,
      ask: async (realm) => {
        const token = { ...request, url: realm.href, header: {}, range: undefined, validator: undefined };
        const answer = await this.text(token, { loopbackAllowed: first.fromLoopback });
        return answer.statusCode === 200 ? answer.text : undefined;
      },
    });
    if (authorization === undefined) return first;
    first.discard();
    const second = await ask({ ...header, authorization });
    if (second.statusCode === 401) this.#anonymous.refused(url);
    return second;
  }

  async #follow(
    start: Target,
    header: Readonly<Record<string, string>>,
    request: SourceRequest,
    key: string,
  ): Promise<Followed> {
    let target = start;
    for (let hops = 0; hops <= maxRedirects; hops += 1) {
      const response = await this.#client.send({
        method: 'GET',
        url: target.url,
        header: target.foreign ? withoutSecrets(header) : header,
        trust: request,
        loopbackAllowed: target.loopbackAllowed,
        innerAllowed: reachesInnerAddresses(callerOf(request)),
        signal: request.signal,
      });
      const location = response.header['location'];
      if (!redirectCodes.has(response.statusCode) || location === undefined) {
        if (target !== start && response.statusCode < 300) this.#redirects.set(key, target);
        return { response, foreign: target.foreign };
      }
      response.discard();
      const url = redirectUrl(location, target.url);
      target = {
        url,
        foreign: target.foreign || url.origin !== target.url.origin,
        loopbackAllowed: target.loopbackAllowed && response.fromLoopback,
      };
    }
    throw new DragonflyError(
      'SOURCE_STATUS',
      `${nameOf(new URL(request.url))} leads through more than ${maxRedirects} redirects`,
      {
        hint: 'The origin redirects in a circle; check the URL.',
      },
    );
  }
}

/** Entries that are read between two turns of the loop. */
const entriesPerTurn = 1000;

const redirectCodes: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

function redirectUrl(location: string, base: URL): URL {
  const url = redirectTarget(location, base);
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new DragonflyError(
      'SOURCE_STATUS',
      `the origin redirects ${nameOf(base)} to something that is not an http URL`,
      {
        hint: 'Check the URL and the configuration of the origin.',
      },
    );
  }
  url.username = url.password = '';
  return url;
}

/** A source that is used on its own works for the user of this process. */
export function callerOf({ caller }: SourceRequest): Caller {
  return caller ?? thisProcess;
}

/** Includes the URL, a digest of the header, and the reach, because a target that one caller's credentials led to is not for another. */
function redirectKey(request: SourceRequest): string {
  const { url, header } = request;
  return createHash('sha256')
    .update(JSON.stringify([url, header, reachesLoopback(callerOf(request))]))
    .digest('base64');
}

function objectOf({ url: text, header, range, suffixBytes, validator }: SourceRequest): ObjectRequest {
  const url = new URL(text);
  const credentials = url.username || url.password ? basicCredentials(url) : undefined;
  url.username = url.password = '';
  return {
    url,
    header: { ...(credentials && { authorization: credentials }), ...requestHeader(header) },
    range,
    suffixBytes,
    validator,
  };
}

function basicCredentials({ username, password }: URL): string {
  return `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`;
}
