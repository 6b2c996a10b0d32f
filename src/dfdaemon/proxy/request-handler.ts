/**
 * Decides how a client's request is answered.
 *
 * The checks, in order: rate, address, sign-in, target, white list, a free slot. After that, manifests of registries
 * are revalidated, requests that match a rule (on a mirror: all blobs) go through the peers, and all others are simply
 * forwarded.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import { RateLimiter } from '../../core/rate-limiter.ts';
import { isLoopback, plainAddress, type AccessGuard } from './access-guard.ts';
import { answerError } from './answers.ts';
import { bodyOfUpgrade } from './wire/client-server.ts';
import { ownConnections } from './wire/connection-sign-in.ts';
import { forwardDirectly } from './wire/direct.ts';
import type { Door } from './doors/door.ts';
import { newRecord, type ClientCall, type CallKind, type CallRecord } from './client-call.ts';
import { forwardedRequestHeader } from './wire/header.ts';
import { proxyLimits } from './limits.ts';
import type { Manifests } from './registry/manifests.ts';
import { registryBase } from './registry/mirror-target.ts';
import type { Pushes } from './registry/pushes.ts';
import type { PeerAnswers } from './content/peers.ts';
import type { ProxySettings } from './proxy-config.ts';
import type { ProxyMetrics } from './proxy-metrics.ts';
import { isRegistryControl, registryPath } from './registry/registry-path.ts';
import { answerHere, isForThisHop } from './wire/max-forwards.ts';
import { refuseUnsureFraming, requestFraming } from './wire/request-framing.ts';
import { readRequestOptions } from './request-options.ts';
import { hasForeignRange, isClearRange } from './wire/range-answer.ts';
import { isEquivalent, isExact, requestTarget, retargeted, type RequestTarget } from './wire/request-target.ts';
import type { ProxyRules, WhiteList } from './rules.ts';
import { Slots } from './slots.ts';
import type { Upstream } from './wire/upstream.ts';
import type { Trust } from '../source/trust-store.ts';
import { mayBeWebPage, type OwnNames } from './web-page.ts';

/** The host inside an intercepted tunnel. Its client was checked when the tunnel was opened. */
export interface TunnelTarget {
  readonly host: string;
  readonly port: number;
  readonly trust: Trust;
  /** True when the client is in another network namespace, so that its loopback is not ours. */
  readonly foreign?: boolean;
}

export interface RequestHandlerOptions {
  readonly mirror: ProxySettings['mirror'];
  readonly mirrorTrust: Trust;
  readonly rules: ProxyRules;
  readonly whiteList: WhiteList;
  readonly guard: AccessGuard;
  readonly maxConcurrency: number;
  readonly requestsPerSec: number;
  readonly upstream: Upstream;
  readonly manifests: Manifests;
  /** What is here is for everybody while its origin is away. */
  readonly servesWithoutOrigin: boolean;
  readonly peers: PeerAnswers;
  /** Undefined when pushes are only passed on. */
  readonly pushes: Pushes | undefined;
  /** Paths on this port that stand for services on the internet. */
  readonly doors: readonly Door[];
  readonly metrics: ProxyMetrics;
  readonly logger: Logger;
  /** This proxy's name in Via headers; a request that carries it has come back to us. */
  readonly pseudonym: string;
  readonly ownPort: () => number;
  readonly ownNames: OwnNames;
  /** True when clients are in another network namespace, so that their loopback is not ours. */
  readonly foreignClients: boolean;
}

const defaultTrust: Trust = {};

export class RequestHandler {
  readonly #options: RequestHandlerOptions;
  readonly #slots: Slots;
  readonly #rate: RateLimiter;
  /** One controller per request, because signals derived from a common one would outlive their requests. */
  readonly #running = new Set<AbortController>();

  constructor(options: RequestHandlerOptions) {
    this.#options = options;
    this.#slots = new Slots(options.maxConcurrency);
    this.#rate = new RateLimiter(options.requestsPerSec, options.requestsPerSec);
  }

  get runningCount(): number {
    return this.#running.size;
  }

  /** Aborts every request that is being answered. */
  stop(): void {
    for (const controller of this.#running) controller.abort(new DOMException('the proxy is stopping', 'AbortError'));
    this.#options.pushes?.[Symbol.dispose]();
  }

  /** Always answers and never rejects. @param tunnel the intercepted tunnel that the request came through. */
  async handle(request: IncomingMessage, response: ServerResponse, tunnel?: TunnelTarget): Promise<void> {
    const { metrics } = this.#options;
    const record = newRecord();
    const finish = metrics.begin(request.method ?? '');
    const controller = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) controller.abort(new DOMException('the client has gone', 'AbortError'));
    });
    response.on('error', () => undefined); // 'close' follows and is handled there
    this.#running.add(controller);
    try {
      await this.#answer(request, response, { tunnel, record, signal: controller.signal });
    } catch (error) {
      record.error = toDragonflyError(error);
      try {
        answerError(response, record.error, { kind: kindOf(request, tunnel), type: 'proxy' });
      } catch {
        response.destroy(); // the fields set before this cannot be sent either
      }
    } finally {
      this.#running.delete(controller);
      finish(record);
      this.#log(request, response, record);
    }
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    context: { tunnel: TunnelTarget | undefined; record: CallRecord; signal: AbortSignal },
  ): Promise<void> {
    const { tunnel, record, signal } = context;
    const kind = kindOf(request, tunnel);
    if (!this.#rate.tryAcquire(1)) {
      throw new DragonflyError('RESOURCE_EXHAUSTED', 'more requests a second than the proxy may take', {
        hint: 'Raise proxy.server.requestRateLimit, or try again in a second.',
      });
    }
    if (!tunnel && !this.#admitted(request, response, kind, record)) return;
    refuseUnsureFraming(request, response);
    if (isForThisHop(request)) return answerHere(request, response);
    const options = readRequestOptions(request.headers);
    const door = tunnel ? undefined : this.#options.doors.find((each) => each.target(request.url ?? '') !== undefined);
    const asked: RequestTarget =
      door?.target(request.url ?? '') ??
      requestTarget(request, {
        registry: options.registry,
        mirror: {
          ...this.#options.mirror,
          dynamic: this.#options.mirror.dynamic ?? (this.#isLocal(request, tunnel) ? true : 'refused'),
        },
        tunnel,
      });
    const { url, target, authority, naming } = asked;
    this.#refuseLoop(request, url);
    if (kind === 'forward') this.#requireListed(url);
    const loopbackAllowed = this.#isLocal(request, tunnel) || door !== undefined || this.#isConfiguredMirror(url);
    const address = plainAddress(request.socket.remoteAddress ?? '');
    const call: ClientCall = {
      kind,
      request,
      response,
      url,
      target,
      authority,
      naming,
      header: { ...forwardedRequestHeader(request.headers), via: this.#via(request) },
      options,
      trust: tunnel?.trust ?? (kind === 'mirror' && !door ? this.#options.mirrorTrust : defaultTrust),
      loopbackAllowed,
      caller: { kind: 'proxy', address, onThisMachine: loopbackAllowed },
      signal,
      record,
    };
    const waitMs = kind === 'mirror' ? proxyLimits.mirrorQueueMs : proxyLimits.forwardQueueMs;
    if (!(await this.#slots.take(waitMs, signal))) {
      record.error = new DragonflyError('UNAVAILABLE', 'the proxy has as many requests as it may work on');
      return answerError(response, record.error, { kind, type: 'proxy', header: { 'retry-after': '1' } });
    }
    try {
      await (door ? door.answer(call) : this.#route(call));
    } finally {
      this.#slots.release();
    }
  }

  async #route(call: ClientCall): Promise<void> {
    const { peers, manifests, upstream, mirror, rules } = this.#options;
    const { request, kind, options } = call;
    const verdict = kind !== 'mirror' || mirror.useRules ? rules.match(call.url) : undefined;
    const target = verdict ? retargeted(call, verdict.url) : call;
    const { url } = target;
    const isSafe = safeMethods.has(request.method ?? '');
    const changes = (message: IncomingMessage): void => noteChange(target, message, peers);
    if (ownConnections(request, url)) return forwardDirectly(target, upstream, isSafe ? {} : { observe: changes });
    const exact = isExact(target); // otherwise only the origin itself can tell what is meant
    // A request with a body, or for another protocol, must go to the origin as well.
    const plain = isEquivalent(target) && requestFraming(request) === 'none' && bodyOfUpgrade(request) === undefined;
    const path = exact ? registryPath(url.pathname) : undefined;
    const reads = exact && plain && (request.method === 'GET' || request.method === 'HEAD');
    if (reads && path?.kind === 'manifest') return manifests.answer(target, path);
    if (path?.kind === 'manifest' && !isSafe) manifests.forget(url, path);
    const blob = kind === 'mirror' && !mirror.useRules && path?.kind === 'blob';
    const wanted = options.usePeers ?? (verdict?.peers === true || blob);
    const allowed = !(kind === 'mirror' && mirror.direct) && !isRegistryControl(url);
    const isRangeKnown = isClearRange(call.header['range']) && !hasForeignRange(request.headers);
    if (request.method === 'GET' && plain && wanted && allowed && isRangeKnown)
      return peers.answer(target, verdict?.filteredQueryParams);
    if (!isSafe) {
      const pushed = exact ? this.#options.pushes?.watch(target) : undefined;
      const observe = (message: IncomingMessage): void => {
        changes(message);
        pushed?.(message);
      };
      return forwardDirectly(target, upstream, { observe });
    }
    const bare = kind === 'mirror' && /^\/v2\/?$/.test(request.url ?? '') && options.registry === undefined;
    const ping = bare || (this.#options.servesWithoutOrigin && /^\/v2\/?$/.test(url.pathname));
    const isHead = request.method === 'HEAD' && plain && wanted && allowed;
    const described = isHead ? peers.described(target, verdict?.filteredQueryParams) : undefined;
    return forwardDirectly(target, upstream, {
      ...(described && { whenUnreachable: described }),
      ...(ping && { whenUnreachable: answerPing }),
    });
  }

  #admitted(request: IncomingMessage, response: ServerResponse, kind: CallKind, record: CallRecord): boolean {
    const refusal = signInRefusal(this.#options.guard, request);
    if (!refusal) return true;
    record.error = refusal.error;
    answerError(response, refusal.error, { kind, type: 'proxy', status: refusal.status, header: refusal.header });
    return false;
  }

  #refuseLoop(request: IncomingMessage, url: URL): void {
    const { pseudonym, ownPort } = this.#options;
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const own = host === 'localhost' || isLoopback(host) || host === plainAddress(request.socket.localAddress ?? '');
    const backAgain = (request.headers.via ?? '').includes(pseudonym);
    if (!backAgain && !(own && Number(url.port || '80') === ownPort())) return;
    throw new DragonflyError('FAILED_PRECONDITION', `the request for ${url.host} leads back to this proxy`, {
      hint: 'Name the registry itself in X-Dragonfly-Registry, not the proxy.',
    });
  }

  #requireListed(url: URL): void {
    const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
    if (this.#options.whiteList.allows(url.hostname, port) !== false) return;
    throw new DragonflyError('UNAUTHENTICATED', `${url.host} is not on the white list of the proxy`, {
      hint: 'Add it to proxy.whiteList.',
    });
  }

  #via(request: IncomingMessage): string {
    const mine = `${request.httpVersion} ${this.#options.pseudonym}`;
    return request.headers.via === undefined ? mine : `${request.headers.via}, ${mine}`;
  }

  #isLocal(request: IncomingMessage, tunnel: TunnelTarget | undefined): boolean {
    if (tunnel?.foreign ?? this.#options.foreignClients) return false;
    return (
      isLocalClient(request) && (kindOf(request, tunnel) !== 'mirror' || !mayBeWebPage(request, this.#options.ownNames))
    );
  }

  #isConfiguredMirror(url: URL): boolean {
    return url.origin === registryBase(this.#options.mirror.url).origin;
  }

  #log(request: IncomingMessage, response: ServerResponse, record: CallRecord): void {
    const { logger } = this.#options;
    const line = {
      client: request.socket?.remoteAddress,
      method: request.method,
      url: (request.url ?? '').split('?', 1)[0],
      status: response.headersSent ? response.statusCode : undefined,
      way: record.way,
      bytes: record.bytes,
      firstByteMs: record.firstByteMs === undefined ? undefined : Math.round(record.firstByteMs),
      ms: Math.round(performance.now() - record.startedMs),
      task: record.taskId,
      receipt: record.peerId,
      error: record.error?.message,
    };
    if (record.error && record.error.code !== 'CANCELLED') logger.warn(line, 'proxied');
    else logger.info(line, 'proxied');
  }
}

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** The content stored for this URL, and for the URLs that the answer names on the same host, may have changed (RFC 9111 §4.4). */
function noteChange(
  { url, request }: ClientCall,
  { statusCode = 502, headers }: IncomingMessage,
  peers: PeerAnswers,
): void {
  if (statusCode >= 400) return;
  for (const text of ['', headers.location, headers['content-location']]) {
    if (text === undefined || !URL.canParse(text, url.href)) continue;
    const changed = new URL(text, url);
    if (changed.host === url.host) peers.changed(changed, request.method);
  }
}

/**
 * podman and CRI-O ping a mirror before they tell it, by the path, which registry they mean. The configured one being
 * away says nothing about that. Others ping the registry itself, and would not ask for what nodes have of it.
 */
function answerPing(response: ServerResponse): boolean {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': 2 });
  response.end('{}');
  return true;
}

/** Undefined when the client may use the proxy. Used for CONNECT as well. */
export function signInRefusal(
  guard: AccessGuard,
  request: IncomingMessage,
): { error: DragonflyError; status: number; header: Record<string, string> } | undefined {
  const { remoteAddress = '', localAddress } = request.socket;
  if (!guard.admits(remoteAddress, localAddress)) {
    const error = new DragonflyError('PERMISSION_DENIED', `${plainAddress(remoteAddress)} may not use this proxy`, {
      hint: 'Add its network to proxy.allowedNetworks.',
    });
    return { error, status: 403, header: {} };
  }
  const verdict = guard.signIn(request.headers['proxy-authorization'], remoteAddress);
  switch (verdict) {
    case 'ok':
      return undefined;
    case 'missing':
      return {
        error: new DragonflyError('UNAUTHENTICATED', 'the proxy needs a name and a password'),
        status: 407,
        header: { 'proxy-authenticate': 'Basic realm="dragonfly"' },
      };
    case 'wrong':
      return {
        error: new DragonflyError('UNAUTHENTICATED', 'the name or the password for the proxy is wrong'),
        status: 401,
        header: {},
      };
    case 'blocked':
      return {
        error: new DragonflyError('RESOURCE_EXHAUSTED', 'too many failed sign-ins from this address'),
        status: 429,
        header: { 'retry-after': String(proxyLimits.failedSignInWindowMs / 1000) },
      };
  }
}

export function isLocalClient(request: IncomingMessage): boolean {
  const { remoteAddress = '', localAddress = '' } = request.socket;
  return isLoopback(plainAddress(remoteAddress)) || plainAddress(remoteAddress) === plainAddress(localAddress);
}

function kindOf(request: IncomingMessage, tunnel: TunnelTarget | undefined): CallKind {
  if (tunnel) return 'intercepted';
  return (request.url ?? '').startsWith('/') ? 'mirror' : 'forward';
}
