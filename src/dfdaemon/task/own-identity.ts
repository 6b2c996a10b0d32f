/**
 * What determines the bytes of a request although the protocol's formula for task ids ignores it: the caller's own
 * filters, the store's endpoint and keys, headers. Such a request gets an identity of its own, in the field that the
 * protocol has for that (`contentForCalculatingTaskId`), so that the whole cluster computes the same id from it, and
 * the first caller does not decide for callers that ask for something else.
 *
 * Decided where a user's request enters. Requests that another node makes on the scheduler's behalf have been through
 * this.
 */
import { createHash, scryptSync } from 'node:crypto';
import type { DragonflyError } from '../../core/errors.ts';
import { isSecretHeader, redact } from '../../core/redact.ts';
import { blobDigest, canonicalUrl, parseUrl } from '../../core/ids.ts';
import { isReserved, isSameContent, textForBundle, textForUrl } from '../../core/task-name.ts';
import { isKeptUrl } from '../../rpc/fields/kept-content.ts';
import { defaultFilteredQueryParams, signatureParams } from '../../core/net/signed-urls.ts';
import type { DownloadRequest } from './open-task.ts';

export interface IdentityRules {
  /** Query parameters that the operator ignores, besides the default ones. */
  readonly filteredQueryParams: readonly string[];
  /**
   * Headers count as well. Not at the proxy, where the origin decides for each caller, and where clients send many
   * headers that do not matter.
   */
  readonly headers: boolean;
}

/** Headers that change how content is sent, never which content. */
const harmlessHeaders: ReadonlySet<string> = new Set([
  'accept-encoding',
  'baggage',
  'cache-control',
  'connection',
  'keep-alive',
  'pragma',
  'te',
  'traceparent',
  'tracestate',
  'x-request-id',
]);

/** For tags and the like: no characters that could continue the preceding URL. */
const plainPart = /^[\w.@ -]*$/;

/** The same request, with a text from which its own id is computed, where needed. */
export function withOwnIdentity(request: DownloadRequest, rules: IdentityRules): DownloadRequest {
  const content = request.contentForCalculatingTaskId;
  if (content !== undefined) {
    // A text in the form of the formula for URLs would yield the id of that URL.
    if (!isReserved(content)) return request;
    return { ...request, contentForCalculatingTaskId: textFor(request, { content }, false) };
  }
  const digest = request.blobDigestAsId === false ? undefined : blobDigest(request.url);
  if (digest !== undefined) return request; // the digest determines the bytes, whatever else the request says
  const secrets = ownSecrets(request, rules);
  const hubAt = request.hub?.baseUrl ?? '';
  const filters = ownFilters(request, rules);
  const { tag = '', application = '', hub } = request;
  const odd = [tag, application, hub?.revision ?? ''].some((part) => !plainPart.test(part));
  if (secrets.length === 0 && filters.length === 0 && hubAt === '' && !odd && !request.bundle) return request;
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
    // The secrets stay on this node, so a seed would fetch something else.
    needBackToSource: request.needBackToSource === true || secrets.length > 0,
  };
}

/**
 * A separate identity for a request whose id belongs to a task of another URL: the formula joins tag and URL without a
 * separator.
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
  // The URL is stored without its secrets; requests that differ only in those have different ids anyway.
  if (redact(url) === redact(canonical(storedUrl))) return request;
  const { tag, application, hub, pieceLengthBytes } = request;
  const identity = { url, tag, application, hub: hub?.revision, piece: pieceLengthBytes };
  return { ...request, contentForCalculatingTaskId: textFor(request, identity, false) };
}

/** A separate identity for a request whose id other nodes use for other content. */
export function apartFromOthers(request: DownloadRequest): DownloadRequest {
  return apartFor(request, 'url');
}

/** An identity for what an origin gives to everybody, beside the restricted content under the request's own id. */
export function apartFromRestricted(request: DownloadRequest): DownloadRequest {
  return apartFor(request, 'all');
}

function apartFor(request: DownloadRequest, givenTo: string): DownloadRequest {
  const { tag, application, hub, pieceLengthBytes, contentForCalculatingTaskId: content } = request;
  const url = canonicalUrl(request.url, request.filteredQueryParams ?? defaultFilteredQueryParams);
  const identity = { url, tag, application, hub: hub?.revision, piece: pieceLengthBytes, content, givenTo };
  return { ...request, contentForCalculatingTaskId: textFor(request, identity, false) };
}

/** The request has credentials of its own for an origin that has refused others. */
export function mayAskItself(request: DownloadRequest, error: DragonflyError): boolean {
  const { header, objectStorage, hub, hdfs, disableBackToSource } = request;
  const credentials = objectStorage ?? hub?.token ?? hdfs ?? Object.keys(header).find(isSecretHeader);
  return error.code === 'SOURCE_STATUS' && credentials !== undefined && disableBackToSource !== true;
}

/** Query parameters that only this caller ignores. */
function ownFilters(request: DownloadRequest, rules: IdentityRules): string[] {
  if (request.filteredQueryParams === undefined) return [];
  const url = parseUrl(request.url);
  const common = new Set([...defaultFilteredQueryParams, ...rules.filteredQueryParams, ...signatureParams(url)]);
  const own = new Set(request.filteredQueryParams.filter((name) => !common.has(name)));
  return [...own].filter((name) => url.searchParams.has(name)).sort();
}

/** Pairs that may contain credentials. */
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
 * Other nodes see the text: a slow hash keeps passwords from being guessed from it. It costs milliseconds for each new
 * pair of URL and credentials.
 */
const stretched = { N: 2 ** 11, r: 8, p: 1 };
const maxRemembered = 1000;
const remembered = new Map<string, string>();

function textFor({ url, filteredQueryParams, bundle }: DownloadRequest, identity: object, secret: boolean): string {
  const params = filteredQueryParams ?? defaultFilteredQueryParams;
  const bound = (rest: string): string =>
    bundle ? textForBundle(url, params, { listDigest: bundle.listDigest, rest }) : textForUrl(url, params, rest);
  const plain = createHash('sha256').update(JSON.stringify(identity)).digest('hex');
  if (!secret) return bound(plain);
  let rest = remembered.get(plain);
  if (rest === undefined) {
    rest = scryptSync(plain, 'dragonfly task identity', 32, stretched).toString('hex');
    const [oldest] = remembered.keys();
    if (remembered.size >= maxRemembered && oldest !== undefined) remembered.delete(oldest);
    remembered.set(plain, rest);
  }
  return bound(rest);
}
