/**
 * What decides the bytes of a request although the protocol's formula for task ids leaves it out: filters of the caller's
 * own, the store's endpoint and keys, headers. Such a request gets an identity of its own, in the field the protocol has
 * for that (`contentForCalculatingTaskId`), so that every part of a cluster computes the same id from it, and whoever
 * asks first decides for nobody who asks for something else.
 *
 * Decided where a user's request comes in. What another node asks for on the scheduler's word has been through this.
 */
import { createHash, scryptSync } from 'node:crypto';
import type { DragonflyError } from '../../core/errors.ts';
import { isSecretHeader, redact } from '../../core/redact.ts';
import { blobDigest, canonicalUrl, parseUrl } from '../../core/ids.ts';
import { isReserved, isSameContent, textForUrl } from '../../core/task-name.ts';
import { isKeptUrl } from '../../rpc/fields/kept-content.ts';
import { defaultFilteredQueryParams, signatureParams } from '../../core/net/signed-urls.ts';
import type { DownloadRequest } from './open-task.ts';

export interface IdentityRules {
  /** Query parameters the operator leaves out, beside the default ones. */
  readonly filteredQueryParams: readonly string[];
  /**
   * The headers of the request decide, too. Not at the proxy, where the origin's answer to each caller does, and where
   * clients send much that decides nothing.
   */
  readonly headers: boolean;
}

/** Headers that change how content is sent, never which. */
const harmlessHeaders: ReadonlySet<string> = new Set([
  'accept-encoding',
  'baggage',
  'cache-control',
  'connection',
  'keep-alive',
  'pragma',
  'referer',
  'te',
  'traceparent',
  'tracestate',
  'user-agent',
  'x-request-id',
]);

/** For tags and the like: no characters that could continue the URL before it. */
const plainPart = /^[\w.@ -]*$/;

/** The same request, with a text of its own to compute the id from where it needs one. */
export function withOwnIdentity(request: DownloadRequest, rules: IdentityRules): DownloadRequest {
  const content = request.contentForCalculatingTaskId;
  if (content !== undefined) {
    // A text that reads like what ids of URLs are computed from would be the id of that URL.
    if (!isReserved(content)) return request;
    return { ...request, contentForCalculatingTaskId: textFor(request, { content }, false) };
  }
  const digest = request.blobDigestAsId === false ? undefined : blobDigest(request.url);
  if (digest !== undefined) return request; // whatever is asked, these are the bytes
  const secrets = ownSecrets(request, rules);
  const hubAt = request.hub?.baseUrl ?? '';
  const filters = ownFilters(request, rules);
  const { tag = '', application = '', hub } = request;
  const odd = [tag, application, hub?.revision ?? ''].some((part) => !plainPart.test(part));
  if (secrets.length === 0 && filters.length === 0 && hubAt === '' && !odd) return request;
  const url = canonicalUrl(request.url, request.filteredQueryParams ?? defaultFilteredQueryParams);
  const identity = {
    url,
    filters,
    secrets,
    tag,
    application,
    hub: hub?.revision,
    hubAt,
    piece: request.pieceLengthBytes,
  };
  return {
    ...request,
    contentForCalculatingTaskId: textFor(request, identity, secrets.length > 0),
    secretsInId: secrets.length > 0,
    // What makes the difference stays on this node: a seed would fetch something else.
    needBackToSource: request.needBackToSource === true || secrets.length > 0,
  };
}

/**
 * An identity of its own for a request whose id a task of another URL has: tag and URL follow each other in the formula
 * without a mark between them.
 */
export function apartFrom(request: DownloadRequest, storedUrl: string): DownloadRequest {
  if (request.taskId !== undefined) return request;
  // Somebody has imported content under an id of his choice.
  if (isKeptUrl(storedUrl)) return apartFor(request, 'origin');
  if (redact(request.url) === storedUrl) return request;
  if (request.contentForCalculatingTaskId !== undefined) {
    const filteredQueryParams = request.filteredQueryParams ?? defaultFilteredQueryParams;
    const isSame = isSameContent({ url: storedUrl, filteredQueryParams }, { ...request, filteredQueryParams });
    return isSame ? request : apartFromOthers(request);
  }
  if (request.blobDigestAsId !== false && blobDigest(request.url) !== undefined) return request;
  const canonical = (url: string): string =>
    canonicalUrl(url, request.filteredQueryParams ?? defaultFilteredQueryParams);
  const url = canonical(request.url);
  // Stored without its secrets; two that differ in these have two ids anyway.
  if (redact(url) === redact(canonical(storedUrl))) return request;
  const { tag, application, hub, pieceLengthBytes } = request;
  const identity = { url, tag, application, hub: hub?.revision, piece: pieceLengthBytes };
  return { ...request, contentForCalculatingTaskId: textFor(request, identity, false) };
}

/** An identity of its own for a request whose id other nodes have for other content. */
export function apartFromOthers(request: DownloadRequest): DownloadRequest {
  return apartFor(request, 'url');
}

/** An identity for what an origin gives to anybody, beside the restricted content that has the request's own. */
export function apartFromRestricted(request: DownloadRequest): DownloadRequest {
  return apartFor(request, 'all');
}

function apartFor(request: DownloadRequest, givenTo: string): DownloadRequest {
  const { tag, application, hub, pieceLengthBytes, contentForCalculatingTaskId: content } = request;
  const url = canonicalUrl(request.url, request.filteredQueryParams ?? defaultFilteredQueryParams);
  const identity = { url, tag, application, hub: hub?.revision, piece: pieceLengthBytes, content, givenTo };
  return { ...request, contentForCalculatingTaskId: textFor(request, identity, false) };
}

/** It brings credentials of its own to an origin that has refused others. */
export function mayAskItself(request: DownloadRequest, error: DragonflyError): boolean {
  const { header, objectStorage, hub, hdfs, disableBackToSource } = request;
  const credentials = objectStorage ?? hub?.token ?? hdfs ?? Object.keys(header).find(isSecretHeader);
  return error.code === 'SOURCE_STATUS' && credentials !== undefined && disableBackToSource !== true;
}

/** Parameters in the URL that only this caller leaves out. */
function ownFilters(request: DownloadRequest, rules: IdentityRules): string[] {
  if (request.filteredQueryParams === undefined) return [];
  const url = parseUrl(request.url);
  const common = new Set([...defaultFilteredQueryParams, ...rules.filteredQueryParams, ...signatureParams(url)]);
  const own = new Set(request.filteredQueryParams.filter((name) => !common.has(name)));
  return [...own].filter((name) => url.searchParams.has(name)).sort();
}

/** Pairs that may hold credentials. */
function ownSecrets(request: DownloadRequest, { headers }: IdentityRules): string[][] {
  const { objectStorage = {}, hdfs } = request;
  const pairs = [
    ...Object.entries(objectStorage).map(([name, value]) => [`storage ${name}`, String(value ?? '')]),
    ['hdfs', hdfs?.delegationToken ?? ''],
  ];
  if (headers) {
    for (const [name, value] of Object.entries(request.header)) {
      const lower = name.toLowerCase();
      if (harmlessHeaders.has(lower) || (lower === 'accept' && value.trim() === '*/*')) continue;
      pairs.push([lower, value.trim()]);
    }
  }
  return pairs
    .filter(([, value]) => value !== '' && value !== 'false')
    .toSorted((a, b) => (String(a) < String(b) ? -1 : 1));
}

/**
 * Others see the text: passwords must not be guessed from it at the pace of a plain hash. The price is milliseconds for
 * each new pair of URL and credentials.
 */
const stretched = { N: 2 ** 11, r: 8, p: 1 };
const maxRemembered = 1000;
const remembered = new Map<string, string>();

function textFor({ url, filteredQueryParams }: DownloadRequest, identity: object, secret: boolean): string {
  const bound = (rest: string): string => textForUrl(url, filteredQueryParams ?? defaultFilteredQueryParams, rest);
  const plain = createHash('sha256').update(JSON.stringify(identity)).digest('hex');
  if (!secret) return bound(plain);
  let text = remembered.get(plain);
  if (text === undefined) {
    text = bound(scryptSync(plain, 'dragonfly task identity', 32, stretched).toString('hex'));
    const [oldest] = remembered.keys();
    if (remembered.size >= maxRemembered && oldest !== undefined) remembered.delete(oldest);
    remembered.set(plain, text);
  }
  return text;
}
