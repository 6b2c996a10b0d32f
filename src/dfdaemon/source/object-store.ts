/** What the sources of object stores share: keys in URLs, endpoints, trust, XML, and credentials of this process. */
import { createRequire } from 'node:module';
import type * as Xml from 'fast-xml-parser';
import { googleFileToken } from '../../core/credentials/google.ts';
import type { CredentialFinder, OwnCredentials } from '../../core/credentials/own-credentials.ts';
import { DragonflyError } from '../../core/errors.ts';
import type { OutboundProxies } from '../../core/net/outbound-proxy.ts';
import { reachesInnerAddresses, reachesLoopback } from '../../rpc/server/caller.ts';
import { callerOf } from './http.ts';
import type { HttpRequest } from './http/http-client.ts';
import { maxListedEntries, maxListedPages } from './limits.ts';
import type { SourceRequest } from './source.ts';
import { readAsCaller } from './user-file.ts';

export type StorageOptions = Readonly<Record<string, string | undefined>>;

/** Throws INVALID_ARGUMENT. */
export function keyOf(request: SourceRequest): {
  readonly scheme: string;
  readonly name: string;
  readonly key: string;
} {
  const given = new URL(request.url);
  const scheme = given.protocol.slice(0, -1);
  // URLs have no such segments: another object would be asked for.
  if (/\/(?:\.|%2e){1,2}(?:[/?#]|$)/i.test(request.url)) {
    throw new DragonflyError('INVALID_ARGUMENT', `${request.url} has a segment of dots, which no URL can name`);
  }
  if (given.host === '') {
    throw new DragonflyError('INVALID_ARGUMENT', `${request.url} names no bucket`, {
      hint: `Write ${scheme}://bucket/key.`,
    });
  }
  try {
    return { scheme, name: given.host, key: decodeURIComponent(given.pathname.slice(1)) };
  } catch (error) {
    throw new DragonflyError('INVALID_ARGUMENT', `${request.url} is not properly escaped`, {
      cause: error,
      hint: 'Write a percent sign in a key as %25.',
    });
  }
}

/** Throws INVALID_ARGUMENT. */
export function endpointUrl(text: string): URL {
  const withScheme = /^https?:\/\//.test(text) ? text : `https://${text}`;
  if (URL.canParse(withScheme)) return new URL(withScheme);
  throw new DragonflyError('INVALID_ARGUMENT', `"${text}" is not an endpoint`, {
    hint: 'Write for example https://host:port.',
  });
}

export function noEndpoint(scheme: string): DragonflyError {
  return new DragonflyError('INVALID_ARGUMENT', `${scheme}:// needs the endpoint of the object storage`, {
    hint: 'Give it, for example with --storage-endpoint.',
  });
}

/** The caller and the trust settings that a request is sent with. */
export function connectionOf(
  request: SourceRequest,
): Pick<HttpRequest, 'trust' | 'loopbackAllowed' | 'innerAllowed' | 'signal'> {
  const unverified = request.insecureSkipVerify === true || request.objectStorage?.['insecureSkipVerify'] === true;
  return {
    trust: { caPem: request.caPem, insecureSkipVerify: unverified },
    loopbackAllowed: reachesLoopback(callerOf(request)),
    innerAllowed: reachesInnerAddresses(callerOf(request)),
    signal: request.signal,
  };
}

export function conditions({
  range,
  suffixBytes,
  validator,
}: SourceRequest): Pick<SourceRequest, 'range' | 'suffixBytes' | 'validator'> {
  return { range, suffixBytes, validator };
}

/** Credentials for requests that bring none. */
export class StoreCredentials {
  readonly #find: CredentialFinder | undefined;
  readonly #proxies: OutboundProxies | undefined;
  readonly #files = new Map<string, () => Promise<string | undefined>>();

  /** @param find looks up credentials of this process; without it such requests are anonymous. */
  constructor(find: CredentialFinder | undefined, proxies: OutboundProxies | undefined) {
    this.#find = find;
    this.#proxies = proxies;
  }

  /** From the file that the request names, otherwise from this process. Throws PERMISSION_DENIED, UNAUTHENTICATED. */
  async for(scheme: string, request: SourceRequest): Promise<OwnCredentials | undefined> {
    const path = request.objectStorage?.['credentialPath'];
    if (scheme !== 'gs' || typeof path !== 'string' || path === '') return this.#find?.(scheme);
    const text = await readAsCaller(path, callerOf(request));
    const token = await this.#fileToken(path, text)();
    return token === undefined ? undefined : { authorization: `Bearer ${token}` };
  }

  #fileToken(path: string, text: string): () => Promise<string | undefined> {
    const known = this.#files.get(text);
    if (known) return known;
    const token = googleFileToken(text, path, { env: {}, proxies: this.#proxies });
    const [oldest] = this.#files.keys();
    if (oldest !== undefined && this.#files.size >= maxKnownFiles) this.#files.delete(oldest);
    this.#files.set(text, token);
    return token;
  }
}

const maxKnownFiles = 64;

/** Counts the pages of one listing, by what continues it. Throws PROTOCOL, RESOURCE_EXHAUSTED. */
export function pageLimit(name: string): (next: string) => void {
  let count = 0;
  let last: string | undefined;
  return (next) => {
    if (next === last)
      throw new DragonflyError('PROTOCOL', `${name} continues its listing with the same page over and over`);
    last = next;
    if ((count += 1) >= maxListedPages)
      throw new DragonflyError('RESOURCE_EXHAUSTED', `${name} lists more than ${maxListedPages} pages`);
  };
}

/** Counts the entries of one listing. Throws RESOURCE_EXHAUSTED. */
export function entryLimit(name: string, prefix: string): () => void {
  let count = 0;
  return () => {
    if ((count += 1) <= maxListedEntries) return;
    throw new DragonflyError(
      'RESOURCE_EXHAUSTED',
      `${name} holds more than ${maxListedEntries} entries below ${prefix}`,
    );
  };
}

let parser: Xml.XMLParser | undefined;

/** Loaded with the first listing. */
function xmlParser(): Xml.XMLParser {
  const { XMLParser } = createRequire(import.meta.url)('fast-xml-parser') as typeof Xml;
  return new XMLParser({
    parseTagValue: false,
    ignoreAttributes: (name) => name !== 'Encoded',
    htmlEntities: true, // numeric references, too
    isArray: (name) => ['CommonPrefixes', 'Contents', 'Blob', 'BlobPrefix'].includes(name),
  });
}

/** The root element of this name; '' when it is empty. Throws PROTOCOL. */
export function xmlRoot(xml: string, name: string): unknown {
  let parsed: Readonly<Record<string, unknown>>;
  try {
    parser ??= xmlParser();
    parsed = parser.parse(xml) as typeof parsed;
  } catch (cause) {
    throw malformedListing(cause);
  }
  if (parsed[name] === undefined) throw malformedListing();
  return parsed[name];
}

export function malformedListing(cause?: unknown): DragonflyError {
  return new DragonflyError('PROTOCOL', 'the listing of the object storage is malformed', { cause });
}
