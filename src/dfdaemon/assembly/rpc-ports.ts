/** The two gRPC ports: one for other nodes, one for programs of this node. */
import { dirname } from 'node:path';
import { requireSocketDirectory } from '../../core/files/private-file.ts';
import { swarmFeature } from '../../rpc/features.ts';
import type { Host } from '../../../gen/common/v2/common.ts';
import { DfdaemonDownloadDefinition, DfdaemonUploadDefinition } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { DfdaemonLocalDefinition } from '../../../gen/dfdaemon/v2/local.ts';
import { ManagerReleasesDefinition } from '../../../gen/manager/v2/release.ts';
import { ManagerClient } from '../../rpc/manager-client.ts';
import { RpcServer } from '../../rpc/server/server.ts';
import { listenHost, socketPath } from '../config.ts';
import { localHandlers } from '../rpc/local-service.ts';
import type { S3Buckets } from '../proxy/doors/s3/s3-buckets.ts';
import { createPeerServer } from '../rpc/peer-server.ts';
import { releaseRelay } from '../rpc/release-relay.ts';
import { downloadHandlers, uploadHandlers, type ServiceOptions } from '../rpc/services.ts';
import { uploadAccess } from '../rpc/upload-access.ts';
import type { Schedulers } from '../cluster/schedulers.ts';
import type { TaskStore } from '../storage/task-store.ts';
import type { Downloads } from './downloads.ts';
import type { KeptParts } from './kept.ts';
import type { DaemonNode } from './node.ts';
import type { Uploads } from './uploads.ts';
import { Entitlement } from '../task/entitlement.ts';

export interface RpcPorts {
  /** For other nodes. */
  readonly peerPort: number;
  /** Path of the unix socket. */
  readonly socket: string;
}

export interface RpcPortParts extends KeptParts {
  readonly store: TaskStore;
  readonly schedulers: Schedulers;
  readonly downloads: Downloads;
  readonly uploads: Uploads;
  readonly buckets: S3Buckets;
  readonly readHost: () => Promise<Host>;
}

/**
 * The health service of the peer port reports SERVING as soon as a scheduler has accepted this host, or when no scheduler is
 * configured. Throws IN_USE, PERMISSION_DENIED.
 */
export async function openRpcPorts(node: DaemonNode, parts: RpcPortParts): Promise<RpcPorts> {
  const services = serviceOptions(node, parts);
  const peerPort = await openPeerPort(node, services, parts.uploads);
  return { peerPort, socket: await openSocket(node, services, parts.downloads) };
}

function serviceOptions({ config, identity, security }: DaemonNode, parts: RpcPortParts): ServiceOptions {
  const { store, schedulers, downloads, uploads, buckets, kept, persistent, pendingUploads, readHost } = parts;
  const { outputRoots, filteredQueryParams } = config.download;
  return {
    engine: downloads.engine,
    store,
    schedulers,
    sources: downloads.sources,
    uploads: uploads.desk,
    guard: uploads.guard,
    lend: (request) => buckets.lend(request),
    kept,
    persistent,
    pendingUploads,
    blockList: downloads.blockList,
    entitlement: new Entitlement({ store, sources: downloads.sources }),
    outputRoots,
    hostId: identity.hostId,
    filteredQueryParams,
    readHost,
    piecePort: () => ({
      ip: identity.ip,
      port: config.upload.advertisePort ?? uploads.pieceServer.port,
      tls: security.pieceServer !== undefined,
    }),
  };
}

async function openPeerPort(node: DaemonNode, services: ServiceOptions, { pieceServer }: Uploads): Promise<number> {
  const { config, identity, managers, owned, logger, controlPlane, security, certificate } = node;
  const { schedulers } = services;
  const server = createPeerServer(config, {
    logger,
    tls: security.peerServer,
    ip: identity.ip,
    certified: certificate !== undefined,
    controlPlane,
    pieceServer,
  });
  server.health.setReady(managers.length === 0 && config.scheduler.netAddrs.length === 0);
  schedulers.listen({
    changed: () =>
      server.health.setReady(
        schedulers.announcedCount > 0 || (managers.length === 0 && schedulers.addresses.length === 0),
      ),
  });
  server.addService(DfdaemonUploadDefinition, uploadHandlers(services), uploadAccess);
  await server.start();
  owned.add('peer gRPC server', server);
  controlPlane.addOwnPort(server.port, listenHost(config, config.download.peerGRPC.tcpListen.listen));
  return server.port;
}

async function openSocket(
  { config, owned, logger, identity, managers, managerChannels }: DaemonNode,
  services: ServiceOptions,
  { receipts }: Downloads,
): Promise<string> {
  const socket = socketPath(config);
  requireSocketDirectory(dirname(socket));
  const server = RpcServer.create({ socketPath: socket, mode: 0o660 }, { logger, features: [swarmFeature] });
  server.addService(DfdaemonDownloadDefinition, downloadHandlers(services));
  server.addService(DfdaemonLocalDefinition, localHandlers({ ...services, receipts }));
  const manager = managers.length > 0 ? new ManagerClient(managerChannels, managers, logger) : undefined;
  server.addService(ManagerReleasesDefinition, releaseRelay({ manager, hostId: identity.hostId }));
  await server.start();
  owned.add('download gRPC server', server);
  return socket;
}
