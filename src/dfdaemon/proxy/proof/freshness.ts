/**
 * How long an answer may be reused without asking, and for whom: RFC 9111 for a shared cache, as http-cache-semantics
 * implements it, but stricter in two points. Nothing is fresh unless the origin calls it so, and an answer to a request
 * with credentials is fresh only for the same credentials.
 */
import CachePolicy from 'http-cache-semantics';
import { callerKey, hasCredentials } from './caller.ts';
import { isCoded, type FlatHeader } from './representation.ts';

export interface AskedAnswer {
  readonly url: URL;
  readonly requestHeader: FlatHeader;
  readonly statusCode: number;
  readonly header: FlatHeader;
}

export class Freshness {
  readonly #asked: AskedAnswer;
  readonly #policy: CachePolicy;

  /** @param asked a GET and its answer, just received */
  constructor(asked: AskedAnswer) {
    this.#asked = asked;
    this.#policy = new CachePolicy(
      requestOf(asked.url, asked.requestHeader),
      { status: asked.statusCode, headers: { ...asked.header, ...freshnessFields(asked.header) } },
      { shared: true, cacheHeuristic: 0, immutableMinTimeToLive: 0 },
    );
  }

  /** A shared cache may keep the answer. */
  get storable(): boolean {
    return this.#policy.storable();
  }

  /** The request has the same values in the fields that the answer varies by, and the same credentials if either has any. */
  isFor(url: URL, requestHeader: FlatHeader): boolean {
    const { requestHeader: before, header, url: asked } = this.#asked;
    const names = (header['vary'] ?? '')
      .toLowerCase()
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '');
    if (names.includes('*') || url.href !== asked.href) return false;
    const signedIn = hasCredentials(requestHeader) || hasCredentials(before);
    if (signedIn && callerKey(requestHeader) !== callerKey(before)) return false;
    // Many origins compress answers without saying that this depends on the request.
    if (isCoded(header)) names.push('accept-encoding');
    return names.every((name) => words(before[name]) === words(requestHeader[name]));
  }

  /** The answer may be reused for this request without asking. */
  isFresh(url: URL, requestHeader: FlatHeader): boolean {
    const demanded = directives(requestHeader['cache-control']);
    if (demanded.has('no-store') || demanded.get('max-age') === '0') return false;
    if (!this.isFor(url, requestHeader)) return false;
    // A client may ask for stale answers, which are still not those of another client.
    const asked = this.#mayBeAskedForStale
      ? requestHeader
      : { ...requestHeader, 'cache-control': withoutStale(demanded) };
    return this.#policy.satisfiesWithoutRevalidation(requestOf(url, asked));
  }

  /** The answer may be used when the origin cannot be asked (RFC 9111 §4.2.4). */
  get mayBeUsedStale(): boolean {
    const told = directives(this.#asked.header['cache-control']);
    return !['no-cache', 'must-revalidate', 'proxy-revalidate', 's-maxage'].some((name) => told.has(name));
  }

  get #mayBeAskedForStale(): boolean {
    const { header } = this.#asked;
    return (
      this.mayBeUsedStale && header['set-cookie'] === undefined && !directives(header['cache-control']).has('private')
    );
  }

  /** The Age of an answer that is reused, in whole seconds. */
  get ageSeconds(): number {
    return Math.max(0, Math.floor(this.#policy.age()));
  }
}

/** The client accepts stored content only. */
export function onlyIfCached(requestHeader: FlatHeader): boolean {
  return directives(requestHeader['cache-control']).has('only-if-cached');
}

function requestOf(url: URL, header: FlatHeader): CachePolicy.Request {
  const cacheControl = header['cache-control'];
  const normal = cacheControl === undefined ? {} : { 'cache-control': normalized(cacheControl) };
  // `isFor` judges `vary`, so the request needs no other field
  const { pragma, authorization } = header;
  return {
    url: url.href,
    method: 'GET',
    headers: { host: url.host, ...(pragma && { pragma }), ...(authorization && { authorization }), ...normal },
  };
}

/** Normalised for the library. */
function freshnessFields(header: FlatHeader): Record<string, string> {
  const { age, 'cache-control': cacheControl } = header;
  return {
    vary: '',
    ...(cacheControl !== undefined && { 'cache-control': normalized(cacheControl) }),
    ...(age !== undefined && { age: ageOf(age) }),
  };
}

/**
 * Of several values in one line the first counts (RFC 9111 §5.1). Several lines, which arrive here joined by comma and
 * blank, and unreadable values mean an unknown age.
 */
function ageOf(text: string): string {
  return /^(\d+)(?:,\d+)*$/.exec(text)?.[1] ?? String(2 ** 31);
}

/** Directives about stale answers, which are judged here; the library would take them for orders to ask each time. */
const aboutStale: ReadonlySet<string> = new Set(['must-revalidate', 'proxy-revalidate']);

/** What is longer says no more than that nothing may be kept. */
const maxDirectivesLength = 4096;

/** Names are lower-case; a quoted value cannot hide a directive. Of several equal directives the first counts. */
function directives(text: string | undefined): ReadonlyMap<string, string | undefined> {
  const found = new Map<string, string | undefined>();
  // Of quotes that nobody closes each would be read to the end.
  if (text !== undefined && text.length > maxDirectivesLength) return found.set('no-store', undefined);
  for (const [, name = '', value] of (text ?? '').matchAll(/([^\s,=]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^,]*))?/g)) {
    const key = name.toLowerCase();
    if (!found.has(key)) found.set(key, value?.trim());
  }
  return found;
}

function withoutStale(demanded: ReadonlyMap<string, string | undefined>): string {
  const kept = [...demanded].filter(([name]) => name !== 'max-stale');
  return kept.map(([name, value]) => (value === undefined ? name : `${name}=${value}`)).join(', ');
}

function normalized(cacheControl: string): string {
  const said = [...directives(cacheControl)].filter(([name]) => !aboutStale.has(name));
  const parts = said.map(([name, value]) =>
    value !== undefined && /^"?[\w.-]+"?$/.test(value) ? `${name}=${value}` : name,
  );
  return parts.join(', ');
}

function words(value: string | undefined): string | undefined {
  return value
    ?.split(',')
    .map((word) => word.trim())
    .join(',');
}
