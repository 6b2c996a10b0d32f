/**
 * The HTTP proxy of a dfdaemon: registry mirror, forward proxy and CONNECT on one port.
 *
 * ProxyServer owns the listener and everything with the same lifetime. RequestHandler decides how a request is
 * answered; PeerAnswers, Manifests and forwardDirectly answer it; Tunnels handles CONNECT. No other directory knows
 * about HTTP clients.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { ServerOptions as TlsServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { DragonflyError } from '../../core/errors.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { Registry } from '../../core/metrics.ts';
import { pemOf } from '../../core/files/pem.ts';
import type { ClientMetrics } from '../client-metrics.ts';
import type { EgressRules } from '../source/egress-policy.ts';
import { TrustStore, type Trust, type TrustOptions } from '../source/trust-store.ts';
import type { PushedContent } from '../imports/pushed-content.ts';
import { BlockPool } from '../transport/block-pool.ts';
import { AccessGuard } from './access-guard.ts';
import type { CertificateAuthority } from './interception/certificate-authority.ts';
import { createClientServer } from './wire/client-server.ts';
import { downloadRequestFor, type DownloadDefaults } from './content/download-request.ts';
import { BlobSizes } from './registry/blob-sizes.ts';
import { heldManifest } from './registry/held-manifest.ts';
import { Interception } from './interception/interception.ts';
import type { DoorsConfig } from './doors/doors-config.ts';
import { openDoors } from './doors/open-doors.ts';
import type { StoredContent } from './doors/xet/xorb-ranges.ts';
import { proxyLimits } from './limits.ts';
import { listenOn } from './wire/listener.ts';
import { Manifests } from './registry/manifests.ts';
import { openPushes } from './registry/open-pushes.ts';
import { OriginAccess } from './proof/origin-access.ts';
import { PeerAnswers } from './content/peers.ts';
import type { Origins, TaskOpener } from './content/task-answers.ts';
import { registryBase } from './registry/mirror-target.ts';
import { Possession } from './proof/possession.ts';
import type { SharedProofs } from './proof/shared-proofs.ts';
import { proxySettings, type ProxyConfig, type ProxySettings } from './proxy-config.ts';
import { ProxyMetrics } from './proxy-metrics.ts';
import { RequestHandler } from './request-handler.ts';
import { ProxyRules, WhiteList } from './rules.ts';
import { SniListener } from './interception/sni-listener.ts';
import { Tunnels } from './interception/tunnels.ts';
import { readOwnNames } from './web-page.ts';
import { Upstream } from './wire/upstream.ts';

export interface ProxyServerOptions {
  readonly config: ProxyConfig;
  /** Query parameters that this cluster removes from every URL. */
  readonly filteredQueryParams: readonly string[];
  readonly engine: TaskOpener;
  readonly sources: Origins;
  readonly egress?: EgressRules | undefined;
  readonly trust?: TrustOptions | undefined;
  /** What is known of other nodes; undefined when there are none. */
  readonly swarm?: { readonly exists: boolean } | undefined;
  /** Where layers that clients push are kept; undefined when they are not kept. */
  readonly pushed?: PushedContent | undefined;
  /** Proofs of access that other nodes got from origins. */
  readonly shared: SharedProofs;
  readonly registry: Registry;
  readonly clientMetrics?: ClientMetrics;
  readonly logger: Logger;
  /** The directory for the interception authority: `<stateDir>/proxy-ca`. */
  readonly stateDir: string;
  /** Memory for content that is sent to clients without sendfile. */
  readonly bodyMemory?: BodyMemory | undefined;
  /** The address shown to clients. */
  readonly serverIp: string;
  /** What this host is called. */
  readonly hostname: string;
  readonly doors?: DoorsConfig | undefined;
  /** The content on disk; undefined when it cannot be looked up. */
  readonly stored?: StoredContent | undefined;
  /** Where the S3 door listens; undefined when it is closed. */
  readonly s3Door?: { readonly host: string; readonly port: number } | undefined;
}

export class ProxyServer implements Closable {
  readonly #settings: ProxySettings;
  readonly #server: Server;
  readonly #rules: ProxyRules;
  readonly #tunnels: Tunnels;
  readonly #sniListeners: readonly SniListener[];
  readonly #interception: Interception | undefined;
  readonly #handler: RequestHandler;
  readonly #upstream: Upstream;
  readonly #owned: DisposableStack;
  #closing: Promise<void> | undefined;

  private constructor(parts: {
    settings: ProxySettings;
    server: Server;
    rules: ProxyRules;
    tunnels: Tunnels;
    sniListeners: readonly SniListener[];
    interception: Interception | undefined;
    handler: RequestHandler;
    upstream: Upstream;
    owned: DisposableStack;
  }) {
    this.#settings = parts.settings;
    this.#server = parts.server;
    this.#rules = parts.rules;
    this.#tunnels = parts.tunnels;
    this.#sniListeners = parts.sniListeners;
    this.#interception = parts.interception;
    this.#handler = parts.handler;
    this.#upstream = parts.upstream;
    this.#owned = parts.owned;
    this.#server.on('connect', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      void this.#tunnels.connect(request, socket, head);
    });
  }

  /** Reads the certificates; the proxy listens only after `start`. Throws CONFIG_INVALID for a file that cannot be used. */
  static async create(options: ProxyServerOptions): Promise<ProxyServer> {
    const { config, logger } = options;
    const settings = proxySettings(config);
    const upstream = new Upstream(options.egress ?? {}, new TrustStore(options.trust ?? {}, logger));
    requireNoSignInBySni(settings);
    const { shared } = options;
    const access = new OriginAccess({ ttlMs: config.access.ttl, whenOriginDown: config.access.whenOriginDown });
    const metrics = new ProxyMetrics(options.registry, options.clientMetrics);
    const guard = new AccessGuard({ allowedNetworks: config.allowedNetworks, basicAuth: settings.basicAuth });
    const whiteList = new WhiteList(config.whiteList);
    const rules = new ProxyRules(settings.rules);
    const owned = new DisposableStack();
    const foreignClients = settings.listen.namespace !== undefined;
    const tls = config.security.insecure ? undefined : await ownTls(config.security);
    const server = createClientServer((request, response) => void handler.handle(request, response), tls);
    server.maxConnections = proxyLimits.connections;
    const defaults = downloadDefaults(config, settings, options.filteredQueryParams);
    const sizes = new BlobSizes();
    const peers = peerAnswers(options, { settings, upstream, access, shared, sizes, metrics, defaults });
    const handler = new RequestHandler({
      mirror: settings.mirror,
      mirrorTrust: await trustOf(settings.mirror, 'proxy.registryMirror.certs'),
      rules,
      whiteList,
      guard,
      maxConcurrency: config.maxConcurrency,
      requestsPerSec: settings.requestsPerSec,
      upstream,
      manifests: new Manifests({
        upstream,
        access,
        shared,
        sizes,
        held: (call, path) => {
          const request = downloadRequestFor(call, undefined, defaults);
          const isHere = options.engine.headOf(options.engine.taskIdOf(request)) !== undefined;
          if (!isHere && options.swarm?.exists !== true) return Promise.resolve(undefined);
          return heldManifest(options.engine, request, { reference: path.reference, signal: call.signal });
        },
      }),
      servesWithoutOrigin: access.servesEverybodyWithoutOrigin,
      peers,
      pushes: openPushes(options, { mirror: settings.mirror, rules, defaults }),
      doors: await openDoors(options, {
        owned,
        signIn: settings.basicAuth !== undefined,
        peers,
        upstream,
        defaults,
        shared,
      }),
      metrics,
      logger,
      pseudonym: `dragonfly-${randomBytes(6).toString('hex')}`,
      ownNames: await readOwnNames(options.hostname, tls?.cert),
      ownPort: () => (server.address() as AddressInfo | null)?.port ?? 0,
      foreignClients,
    });
    const authority = await authorityOf(settings, options.stateDir);
    const interception = authority && (await interceptionBy(authority, settings, handler));
    if (settings.mirror.insecure) {
      logger.warn({ key: 'proxy.registryMirror.insecure' }, 'certificates of mirrored registries are not verified');
    }
    const { connectPorts } = config;
    const tunnels = new Tunnels({
      interception,
      connectPorts,
      whiteList,
      guard,
      upstream,
      metrics,
      logger,
      foreignClients,
    });
    const sniListeners =
      interception === undefined
        ? []
        : (settings.interception?.sni ?? []).map(
            (listen) => new SniListener({ listen, interception, guard, whiteList }),
          );
    return new ProxyServer({
      owned,
      settings,
      server,
      rules,
      tunnels,
      sniListeners,
      interception,
      handler,
      upstream,
    });
  }

  async start(): Promise<void> {
    await listenOn(this.#server, this.#settings.listen);
    for (const listener of this.#sniListeners) await listener.start();
  }

  /** Applies the rules of this configuration from the next request on; all other settings stay as they were at the start. */
  useRules(config: ProxyConfig): void {
    this.#rules.replace(proxySettings(config).rules);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ports of the SNI listeners, in the order of the configuration. */
  get sniPorts(): readonly number[] {
    return this.#sniListeners.map(({ port }) => port);
  }

  /** Ports at this host's addresses; those in other network namespaces are not included. */
  get ownPorts(): readonly { readonly port: number; readonly address: string }[] {
    const listeners = [{ listen: this.#settings.listen, port: this.port }, ...this.#sniListeners];
    return listeners.flatMap(({ listen, port }) =>
      listen.namespace === undefined ? [{ port, address: listen.host }] : [],
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Accepts no new connections, lets running answers finish until the deadline, then cuts everything. */
  async #close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#server.closeIdleConnections();
    if (this.#handler.runningCount > 0) {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, proxyLimits.drainMs);
      await Promise.race([closed, late]);
      clearTimeout(timer);
    }
    this.#handler.stop();
    this.#tunnels[Symbol.dispose]();
    for (const listener of this.#sniListeners) listener[Symbol.dispose]();
    this.#interception?.[Symbol.dispose]();
    this.#server.closeAllConnections();
    this.#upstream[Symbol.dispose]();
    this.#owned.dispose();
    await closed;
  }
}

export type BodyMemory = BlockPool;

export function bodyMemory(bytes: number): BodyMemory {
  return new BlockPool(proxyLimits.bodyBlockBytes, bytes);
}

function peerAnswers(
  options: ProxyServerOptions,
  parts: {
    settings: ProxySettings;
    upstream: Upstream;
    access: OriginAccess;
    shared: SharedProofs;
    sizes: BlobSizes;
    metrics: ProxyMetrics;
    defaults: DownloadDefaults;
  },
): PeerAnswers {
  const { engine, sources, logger, serverIp, bodyMemory: pool = bodyMemory(proxyLimits.bodyPoolBytes) } = options;
  const { upstream, settings } = parts;
  const trusted = trustedRegistries(settings.mirror);
  return new PeerAnswers({
    engine,
    sources,
    pool,
    logger,
    serverIp,
    upstream,
    possession: new Possession({ upstream, engine, isTrusted: (url) => trusted.has(url.origin) }),
    hasSwarm: () => options.swarm?.exists === true,
    access: parts.access,
    shared: parts.shared,
    sizes: parts.sizes,
    metrics: parts.metrics,
    defaults: parts.defaults,
  });
}

/** Origins whose statements about a blob are trusted, because the operator has configured them. */
function trustedRegistries(mirror: ProxySettings['mirror']): ReadonlySet<string> {
  return new Set([mirror.url, ...mirror.registries].map((registry) => registryBase(registry).origin));
}

/** TLS without CONNECT has no place for a name and a password, so it would bypass the sign-in. */
function requireNoSignInBySni({ basicAuth, interception }: ProxySettings): void {
  if (basicAuth === undefined || !interception?.sni.length) return;
  throw new DragonflyError('CONFIG_INVALID', 'proxy.basicAuth cannot be asked of the clients of hijackHTTPS.sni', {
    hint: 'Remove one of the two; proxy.allowedNetworks decides who may use the proxy without a password.',
  });
}

async function ownTls(security: ProxyConfig['security']): Promise<TlsServerOptions & { readonly cert: string }> {
  if (security.cert === undefined || security.key === undefined) {
    throw new DragonflyError('CONFIG_INVALID', 'proxy.security.insecure is false, but cert and key are not both given');
  }
  const ca = security.caCert === undefined ? undefined : await pemOf(security.caCert, 'proxy.security.caCert');
  const verify = security.tlsVerify && ca !== undefined;
  return {
    cert: await pemOf(security.cert, 'proxy.security.cert'),
    key: await pemOf(security.key, 'proxy.security.key'),
    ...(ca === undefined ? {} : { ca }),
    requestCert: verify,
    rejectUnauthorized: verify,
    minVersion: 'TLSv1.2',
  };
}

async function authorityOf(settings: ProxySettings, stateDir: string): Promise<CertificateAuthority | undefined> {
  const { interception } = settings;
  if (!interception) return undefined;
  const { CertificateAuthority } = await import('./interception/certificate-authority.ts');
  if (interception.cert === '') return CertificateAuthority.keptIn(join(stateDir, 'proxy-ca'));
  return CertificateAuthority.configured(interception.cert, interception.key);
}

async function interceptionBy(
  authority: CertificateAuthority,
  settings: ProxySettings,
  handler: RequestHandler,
): Promise<Interception> {
  const hosts = settings.interception?.hosts ?? [];
  return new Interception(
    authority,
    await Promise.all(
      hosts.map(async (host) => ({ regx: host.regx, trust: await trustOf(host, 'proxy.hijackHTTPS.hosts[].certs') })),
    ),
    handler,
  );
}

async function trustOf(
  config: { readonly insecure: boolean; readonly certs: readonly string[] },
  key: string,
): Promise<Trust> {
  return {
    insecureSkipVerify: config.insecure,
    caPem: await Promise.all(config.certs.map((cert) => pemOf(cert, key))),
  };
}

function downloadDefaults(
  config: ProxyConfig,
  settings: ProxySettings,
  clusterFilteredQueryParams: readonly string[],
): DownloadDefaults {
  return {
    tag: config.defaultTag || undefined,
    application: config.defaultApplication || undefined,
    priority: config.defaultPriority,
    filteredQueryParams: config.defaultFilter.split('&').filter((name) => name !== ''),
    clusterFilteredQueryParams,
    prefetch: config.prefetch,
    disableBackToSource: config.disableBackToSource,
    blobDigestAsId: settings.mirror.blobDigestAsId,
  };
}
