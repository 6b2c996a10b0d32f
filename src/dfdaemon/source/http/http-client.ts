/**
 * HTTP/1.1 client for origins: bounded connection pool, verified TLS, egress policy on every connection. It neither
 * follows redirects nor knows ranges; http-object.ts does that.
 */
import assert from 'node:assert/strict';
import { lookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { unzipSync } from 'node:zlib';
import { refuseService } from '../../../core/net/no-origin.ts';
import { hopKey, type ProxyHop } from '../../../core/net/outbound-proxy.ts';
import { BlockPool } from './block-writer.ts';
import { ConnectionPool } from './connection-pool.ts';
import type { EgressPolicy } from '../egress-policy.ts';
import { HttpConnection } from './http-connection.ts';
import { connectionError } from './http-errors.ts';
import { protocolError, type ResponseHead } from './http-head.ts';
import { maxErrorBodyBytes, maxTextBytes } from '../limits.ts';
import type { ByteSink } from '../source.ts';
import type { Trust, TrustStore } from '../trust-store.ts';
import { wayOut } from './way-out.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD';
  readonly url: URL;
  /** Complete except for Host; lower-case names, no line breaks. */
  readonly header: Readonly<Record<string, string>>;
  readonly trust: Trust;
  /** False for remote callers, and after a redirect from another machine, so that neither reaches this machine. */
  readonly loopbackAllowed: boolean;
  /** False for remote members of the cluster: see EgressRules. True by default. */
  readonly innerAllowed?: boolean;
  readonly signal: AbortSignal;
}

export interface HttpResponse extends ResponseHead {
  /** True when the answer came from this very machine. */
  readonly fromLoopback: boolean;
  /** Delivers the body, once. */
  readTo(sink: ByteSink): Promise<void>;
  /** The whole body as text; PROTOCOL when it is longer than the limit. */
  text(): Promise<string>;
  /** Drops the body. A short one is read to its end, so that the connection stays usable. */
  discard(): void;
}

export class HttpClient {
  readonly #policy: EgressPolicy;
  readonly #trust: TrustStore;
  readonly #pool = new ConnectionPool();
  readonly #blocks: BlockPool;

  /** @param poolBytes memory for bodies being read; by default `blockPoolBytes`. */
  constructor(policy: EgressPolicy, trust: TrustStore, poolBytes?: number) {
    this.#policy = policy;
    this.#trust = trust;
    this.#blocks = new BlockPool(poolBytes);
  }

  get bufferedBytes(): number {
    return this.#blocks.bufferedBytes;
  }

  /** Resolves with the answer's header. Errors: SOURCE_UNREACHABLE, PROTOCOL, PERMISSION_DENIED (egress), CANCELLED. */
  async send(request: HttpRequest): Promise<HttpResponse> {
    try {
      return await this.#send(request);
    } catch (error) {
      throw connectionError(request.url.host, error, request.signal);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#pool.close();
    return Promise.resolve();
  }

  async #send(request: HttpRequest): Promise<HttpResponse> {
    const { url, method, signal } = request;
    const hop = await wayOut(this.#policy, url, this.#judge(request));
    const text = requestText(request, hop);
    for (;;) {
      const { connection, reused } = await this.#connection(request, hop);
      try {
        const head = await connection.request(text, method, signal);
        refuseService(url.host, head.header);
        return this.#response(connection, head, request);
      } catch (error) {
        connection.destroy();
        // The origin closed a kept-alive connection while we wrote to it, so a new one is tried.
        const stale = reused && connection.unanswered && !signal.aborted;
        if (!stale) throw error;
        this.#pool.dropIdle(this.#key(url, request.trust, hop));
      }
    }
  }

  /** Throws PERMISSION_DENIED for an address that this request must not connect to. */
  #judge({ url, loopbackAllowed, innerAllowed }: HttpRequest): (address: string) => void {
    const { host, port } = placeOf(url);
    return (address) => this.#policy.check(host, { address, port, loopbackAllowed, innerAllowed });
  }

  #connection(
    request: HttpRequest,
    hop: ProxyHop | undefined,
  ): Promise<{ connection: HttpConnection; reused: boolean }> {
    const { url, trust, signal } = request;
    const { host, port } = placeOf(url);
    const allow = this.#judge(request);
    if (isIP(host)) allow(host);
    return this.#pool.acquire(this.#key(url, trust, hop), signal, {
      check: (connection) => (hop ? undefined : allow(connection.remoteAddress)),
      connect: () =>
        HttpConnection.connect({
          host,
          port,
          signal,
          tls: url.protocol === 'https:' ? this.#trust.connectionOptions(host, port, trust) : undefined,
          lookup: checkedLookup(allow),
          by: hop && { hop, tls: this.#trust.connectionOptions(hop.host, hop.port, {}) },
        }),
    });
  }

  #key(url: URL, trust: Trust, hop: ProxyHop | undefined): string {
    return `${url.protocol}//${url.host} ${url.protocol === 'https:' ? this.#trust.keyOf(trust) : ''}${hopKey(hop)}`;
  }

  #response(connection: HttpConnection, head: ResponseHead, { url, signal }: HttpRequest): HttpResponse {
    // After its body the connection belongs to the next request, which a late cancel must not affect.
    let state: 'unread' | 'reading' | 'done' = 'unread';
    const read = async (sink: ByteSink): Promise<void> => {
      assert.equal(state, 'unread', 'a body is read once');
      state = 'reading';
      try {
        await connection.readBody(sink, this.#blocks);
      } catch (error) {
        throw connection.sinkFailed ? error : connectionError(url.host, error, signal);
      } finally {
        state = 'done';
      }
    };
    return {
      ...head,
      fromLoopback: connection.remoteAddress !== '' && this.#policy.isLoopback(connection.remoteAddress),
      readTo: read,
      text: async () => {
        const parts: Buffer[] = [];
        let length = 0;
        await read((block) => {
          length += block.length;
          if (length > maxTextBytes) throw protocolError(`its answer is longer than ${maxTextBytes} bytes`);
          parts.push(Buffer.from(block));
        });
        return uncoded(Buffer.concat(parts), head.header['content-encoding']).toString('utf8');
      },
      discard: () => {
        if (state === 'done') return;
        const short = typeof head.framing === 'number' && head.framing <= maxErrorBodyBytes;
        if (state === 'unread' && short)
          read(() => {}).catch(() => {}); // reading the rest only serves to free the connection
        else connection.destroy();
        state = 'done';
      },
    };
  }
}

/** Some servers compress without being asked. Throws PROTOCOL. */
function uncoded(body: Buffer, coding = 'identity'): Buffer {
  if (!/^(?:x-)?gzip$|^deflate$/i.test(coding)) return body;
  try {
    return unzipSync(body, { maxOutputLength: maxTextBytes });
  } catch {
    throw protocolError(`it is not what it says, ${coding}, or longer than ${maxTextBytes} bytes`);
  }
}

function placeOf(url: URL): { readonly host: string; readonly port: number } {
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
  };
}

function requestText({ method, url, header }: HttpRequest, hop: ProxyHop | undefined): string {
  const absolute = hop && url.protocol === 'http:';
  const login = absolute && hop.authorization !== undefined ? { 'proxy-authorization': hop.authorization } : {};
  const lines = Object.entries({ host: url.host, ...header, ...login }).map(([name, value]) => `${name}: ${value}\r\n`);
  const target = `${absolute ? url.origin : ''}${url.pathname}${url.search}`;
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** Resolves a name and keeps only addresses that the policy allows, so that the checked address is the one connected to. */
function checkedLookup(allow: (address: string) => void): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0);
      let denial: unknown;
      const allowed = addresses.filter(({ address }) => {
        try {
          allow(address);
          return true;
        } catch (reason) {
          denial = reason;
          return false;
        }
      });
      const [first] = allowed;
      if (!first) return callback(denial as Error, '', 0);
      if (options.all) return (callback as (error: null, addresses: LookupAddress[]) => void)(null, allowed);
      return callback(null, first.address, first.family);
    });
  };
}
