/** Requests to registries: token authentication, redirects and TLS as the registry protocol has them. */
import type { Readable } from 'node:stream';
import type * as Undici from 'undici';
import { headerTowards } from '../../core/net/credential-routes.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { proxyUrl, type OutboundProxies, type ProxyHop } from '../../core/net/outbound-proxy.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import { maxConnections, maxRedirects, maxRegistries } from './limits.ts';
import { portOf, type Egress } from './egress.ts';
import { headerOf, readAnswer, type RegistryAnswer, type RegistryReader } from './registry-answer.ts';
import type { RegistryCredential } from './registry-credential.ts';

export interface RegistryOptions {
  readonly egress: Egress;
  readonly timeoutMs: number;
  /** PEM of further authorities. */
  readonly ca?: string | undefined;
  readonly insecure: (url: URL) => boolean;
  /** The company's proxies for outgoing requests. */
  readonly outbound?: OutboundProxies | undefined;
}

interface Followed {
  /** The final URL after redirects. */
  readonly url: URL;
  readonly response: Undici.Dispatcher.ResponseData;
  readonly foreign: boolean;
}

type Method = 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';

interface Sent {
  readonly method?: Method;
  readonly body?: Readable | string | undefined;
  /** Content of any length: only silence has a bound. */
  readonly isLong?: boolean;
}

/** Content as it comes. Its reader ends it. */
export interface RegistryBody {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  readonly content: Readable;
}

/** Loaded with the first request: most services never use a registry, and it takes 30 MiB. */
const loadUndici = (): Promise<typeof Undici> => import('undici');

export class RegistryClient implements RegistryReader, Closable {
  readonly #options: RegistryOptions;
  readonly #agents = new Map<string, Undici.Dispatcher>();

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  /** GET with redirects; headers that may be secret are only sent to the first origin. */
  async get(text: string, header: Readonly<Record<string, string>>, signal: AbortSignal): Promise<RegistryAnswer> {
    return this.#ask('GET', text, header, signal);
  }

  async #ask(
    method: Method,
    text: string,
    header: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<RegistryAnswer> {
    const { url, response, foreign } = await this.#follow(text, header, signal, { method });
    return readAnswer(url, response, { foreign });
  }

  /**
   * Content length at the address in bytes, found by requesting the first byte, since many servers answer HEAD
   * differently. Undefined when the origin does not tell.
   */
  async contentLength(
    text: string,
    header: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const first = { ...header, range: 'bytes=0-0', 'accept-encoding': 'identity' };
    const { response } = await this.#follow(text, first, signal);
    response.body.on('error', () => undefined).destroy();
    const { 'content-range': range, 'content-length': length } = response.headers;
    const told =
      response.statusCode === 206 ? /\/(\d+)$/.exec(String(range))?.[1] : response.statusCode === 200 && length;
    return typeof told === 'string' ? Number(told) : undefined;
  }

  async #follow(
    text: string,
    header: Readonly<Record<string, string>>,
    signal: AbortSignal,
    sending: Sent = {},
  ): Promise<Followed> {
    let url = new URL(text);
    let sent = header;
    let foreign = false;
    for (let hop = 0; hop <= maxRedirects; hop += 1) {
      const response = await this.#send(url, sent, signal, sending);
      const location = response.headers['location'];
      if (response.statusCode < 300 || response.statusCode >= 400 || typeof location !== 'string')
        return { url, response, foreign };
      await response.body.dump();
      const next = new URL(location, url);
      if (!/^https?:$/.test(next.protocol) || (url.protocol === 'https:' && next.protocol === 'http:')) {
        throw new DragonflyError(
          'PROTOCOL',
          `${url.host} redirects to ${next.protocol}//${next.host}, which is not followed`,
        );
      }
      foreign ||= next.origin !== url.origin;
      sent = headerTowards(next, url, sent);
      url = next;
    }
    throw new DragonflyError('PROTOCOL', `${text} redirects more than ${maxRedirects} times`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#agents.values()].map((agent) => agent.destroy()));
  }

  /** Repeats the request with fresh credentials when the registry rejects the current ones. */
  async getAuthorized(
    url: string,
    header: Readonly<Record<string, string>>,
    credential: RegistryCredential,
    signal: AbortSignal,
  ): Promise<RegistryAnswer> {
    return authorized((sent) => this.get(url, sent, signal), header, credential, signal);
  }

  /** The same with HEAD, which registries do not count as a pull. */
  async headAuthorized(
    url: string,
    header: Readonly<Record<string, string>>,
    credential: RegistryCredential,
    signal: AbortSignal,
  ): Promise<RegistryAnswer> {
    return authorized((sent) => this.#ask('HEAD', url, sent, signal), header, credential, signal);
  }

  /** GET of content of any length, with redirects. Throws SOURCE_UNREACHABLE, PERMISSION_DENIED (egress), PROTOCOL. */
  async openAuthorized(
    text: string,
    header: Readonly<Record<string, string>>,
    credential: RegistryCredential,
    signal: AbortSignal,
  ): Promise<RegistryBody> {
    const open = async (sent: Readonly<Record<string, string>>) => {
      const { response, foreign } = await this.#follow(text, sent, signal, { isLong: true });
      return { status: response.statusCode, header: headerOf(response), foreign, content: response.body };
    };
    return authorized(open, header, credential, signal);
  }

  /**
   * What changes something at a registry: never by a redirect. A stream is sent once: the answer is 401 when the credential at hand
   * was not enough, and the next call has a fresh one.
   */
  async writeAuthorized(
    method: 'POST' | 'PATCH' | 'PUT' | 'DELETE',
    url: URL,
    { header, body }: { readonly header: Readonly<Record<string, string>>; readonly body?: Readable | string },
    credential: RegistryCredential,
    signal: AbortSignal,
  ): Promise<RegistryAnswer> {
    const write = async (sent: Readonly<Record<string, string>>): Promise<RegistryAnswer> => {
      const isLong = typeof body === 'object';
      const response = await this.#send(url, sent, signal, { method, body, isLong });
      return readAnswer(url, response, { foreign: false });
    };
    if (typeof body !== 'object') return authorized(write, header, credential, signal);
    const known = await credential.authorization(signal);
    const answer = await write(known === undefined ? header : { ...header, authorization: known });
    if (answer.status === 401) await credential.challenged(answer.header('www-authenticate') ?? '', signal);
    return answer;
  }

  async #send(
    url: URL,
    header: Readonly<Record<string, string>>,
    signal: AbortSignal,
    { method = 'GET', body, isLong = false }: Sent,
  ): Promise<Undici.Dispatcher.ResponseData> {
    const { timeoutMs, egress, outbound } = this.#options;
    egress.checkUrl(url);
    const hop = outbound?.for(url);
    if (hop) await egress.checkKnown(url);
    try {
      const undici = await loadUndici();
      return await undici.request(url, {
        method,
        dispatcher: this.#agent(undici, url, hop),
        headers: { 'user-agent': 'dragonfly', ...header },
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
        signal: isLong ? signal : AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
        ...(body !== undefined && { body }),
      });
    } catch (error) {
      if (error instanceof DragonflyError || signal.aborted)
        throw toDragonflyError(signal.aborted ? signal.reason : error);
      throw new DragonflyError('SOURCE_UNREACHABLE', `${url.host} cannot be reached: ${(error as Error).message}`, {
        cause: error,
        hint: 'Check the address; a certificate of an own authority goes into job.preheat.tls.caCert.',
      });
    }
  }

  /** One agent per origin, because the egress check needs the port. */
  #agent({ Agent, ProxyAgent }: typeof Undici, url: URL, hop: ProxyHop | undefined): Undici.Dispatcher {
    const { egress, ca, insecure, timeoutMs } = this.#options;
    const known = this.#agents.get(url.origin);
    if (known) return known;
    const tls = { ...(ca === undefined ? {} : { ca }), rejectUnauthorized: !insecure(url) };
    const agent = hop
      ? new ProxyAgent({
          uri: proxyUrl(hop),
          ...(hop.authorization !== undefined && { token: hop.authorization }),
          proxyTunnel: false,
          connections: maxConnections,
          requestTls: { ...tls, timeout: timeoutMs },
          proxyTls: { timeout: timeoutMs },
        })
      : new Agent({
          connections: maxConnections,
          connect: { ...tls, lookup: egress.lookupFor(portOf(url)), timeout: timeoutMs },
        });
    if (this.#agents.size >= maxRegistries) {
      const [oldest] = this.#agents.keys();
      void this.#agents.get(oldest ?? '')?.close();
      this.#agents.delete(oldest ?? '');
    }
    this.#agents.set(url.origin, agent);
    return agent;
  }
}

interface Answered extends Pick<RegistryAnswer, 'status' | 'header' | 'foreign'> {
  /** Of an answer that is not read. */
  readonly content?: Undici.Dispatcher.ResponseData['body'];
}

async function authorized<A extends Answered>(
  ask: (header: Readonly<Record<string, string>>) => Promise<A>,
  header: Readonly<Record<string, string>>,
  credential: RegistryCredential,
  signal: AbortSignal,
): Promise<A> {
  const known = await credential.authorization(signal);
  const first = await ask(known === undefined ? header : { ...header, authorization: known });
  if (first.status !== 401 || first.foreign) return first; // another server's challenge is not answered
  const fresh = await credential.challenged(first.header('www-authenticate') ?? '', signal);
  if (fresh === undefined) return first;
  await first.content?.dump();
  return ask({ ...header, authorization: fresh });
}
