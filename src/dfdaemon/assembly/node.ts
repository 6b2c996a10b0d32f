/** Shared by every part of a daemon: the identity of this node, its credentials, and its connections to other nodes. */
import { readFile } from 'node:fs/promises';
import type { Metadata } from '@grpc/grpc-js';
import type { Owned } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import { createRegistry, type Registry } from '../../core/metrics.ts';
import { OutboundProxies } from '../../core/net/outbound-proxy.ts';
import { outwardAddress } from '../../core/net/outward-address.ts';
import { isOwnAddress } from '../../core/net/own-address.ts';
import { Channels } from '../../rpc/channels.ts';
import type { ClientTls } from '../../rpc/tls.ts';
import type { NodeIdentity } from '../../rpc/identity/node-identity.ts';
import { openIdentity } from '../../rpc/identity/open-identity.ts';
import { seedPeerConfig, shareMemory, type DfdaemonConfig } from '../config.ts';
import { ControlPlane } from '../cluster/control-plane.ts';
import { hostIdentity, type HostIdentity } from '../cluster/host-info.ts';
import { createDaemonMetrics, type BufferKind, type DaemonMetrics } from '../metrics.ts';
import type { EgressRules } from '../source/egress-policy.ts';
import type { TrustOptions } from '../source/trust-store.ts';
import { loadTransportSecurity, type TransportSecurity } from '../transport-security.ts';

export interface DaemonNode {
  readonly config: DfdaemonConfig;
  readonly logger: Logger;
  /** Closes what was opened, in reverse. */
  readonly owned: Owned;
  readonly identity: HostIdentity;
  /** Addresses of the managers; empty when the daemon runs without one. */
  readonly managers: readonly string[];
  readonly registry: Registry;
  readonly metrics: DaemonMetrics;
  readonly controlPlane: ControlPlane;
  /** The certificate issued by the manager; undefined when this node is identified by files or not at all. */
  readonly certificate: NodeIdentity | undefined;
  readonly security: TransportSecurity;
  readonly channels: Channels;
  /** For managers: a node with a certificate always presents it to them, whatever policy it uses for other nodes. */
  readonly managerChannels: Channels;
  /** Where downloads and the proxy may connect to. */
  readonly egress: EgressRules;
  /** Which origins to trust, both for downloads and for requests that the proxy forwards. */
  readonly trust: TrustOptions;
  /** The size of the buffers in bytes, by use. */
  readonly memory: Readonly<Record<BufferKind, number>>;
}

/** Throws CONFIG_INVALID for certificates and keys that cannot be read; then only what `owned` holds stays open. */
export async function openNode(config: DfdaemonConfig, owned: Owned, logger: Logger): Promise<DaemonNode> {
  const identity = hostIdentity(config, config.host.advertiseIP ?? (await outwardAddress(config.network)));
  const { manager } = config.scheduler;
  const managers = manager.enable ? manager.netAddrs.map(({ addr }) => addr) : [];
  const certificate = await openIdentity({
    security: config.security,
    directory: config.workHome,
    managers,
    hostname: identity.hostname,
    ip: identity.ip,
    role: identity.isSeed ? 'seed' : 'peer',
    hostId: identity.hostId,
    clusterId: identity.isSeed ? seedPeerConfig(config).clusterID : identity.schedulerClusterId,
    logger,
  });
  if (certificate) owned.add('certificate of this node', certificate);
  const security = await loadTransportSecurity(config, certificate);
  const controlPlane = new ControlPlane(logger);
  const registry = createRegistry();
  const onMetadata = (address: string, metadata: Metadata): void => controlPlane.heard(address, metadata);
  const channelsTo = (whom: string, tls: ClientTls | undefined): Channels =>
    owned.add(`connections to ${whom}`, new Channels({ tls, onMetadata }));
  return {
    config,
    logger,
    owned,
    identity,
    managers,
    registry,
    metrics: createDaemonMetrics(registry, identity),
    controlPlane,
    certificate,
    security,
    channels: channelsTo('schedulers and nodes', security.grpcClient),
    managerChannels: channelsTo('managers', security.grpcClient ?? certificate),
    egress: {
      ...config.download.egress,
      controlPlane,
      outbound: new OutboundProxies(config.download.outboundProxy),
      isInner: (address: string) => address !== identity.ip && isOwnAddress(address),
    },
    trust: await readTrust(config),
    memory: shareMemory(config.bufferMemory),
  };
}

async function readTrust({ download: { sourceCA, insecureSources } }: DfdaemonConfig): Promise<TrustOptions> {
  return { caPem: await Promise.all(sourceCA.map((path) => readFile(path, 'utf8'))), insecureHosts: insecureSources };
}
