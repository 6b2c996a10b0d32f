/** Builds the gRPC server for other nodes, with caller identification and TLS. It does not listen yet. */
import { hostPort } from '../../core/net/host-port.ts';
import type { Logger } from '../../core/process/logger.ts';
import { swarmFeature } from '../../rpc/features.ts';
import { RpcServer } from '../../rpc/server/server.ts';
import type { ServerTls } from '../../rpc/tls.ts';
import { listenHost, portNumber, type DfdaemonConfig } from '../config.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import type { PieceServer } from '../transport/piece-server.ts';
import { looksLikeRequest } from '../transport/vortex.ts';
import { recognizeMember } from './recognize-member.ts';

export interface PeerServerOptions {
  readonly logger: Logger;
  readonly tls: ServerTls | undefined;
  /** The address that other nodes dial. */
  readonly ip: string;
  /** True when the manager has given this node a certificate. */
  readonly certified: boolean;
  readonly controlPlane: ControlPlane;
  readonly pieceServer: PieceServer;
}

export function createPeerServer(
  config: DfdaemonConfig,
  { logger, tls, ip, certified, controlPlane, pieceServer }: PeerServerOptions,
): RpcServer {
  const { listen, port } = config.download.peerGRPC.tcpListen;
  const ownAddress = (): string => hostPort(ip, config.host.advertisePort ?? server.port);
  const server: RpcServer = RpcServer.create(
    { host: listenHost(config, listen), port: portNumber(port) },
    {
      logger,
      features: [swarmFeature],
      tls,
      other: { begins: looksLikeRequest, take: (socket) => pieceServer.take(socket) },
      identityRequired: certified && config.security.tlsPolicy === 'force',
      recognize: (facts) => recognizeMember(facts, { controlPlane, ownAddress: ownAddress() }),
    },
  );
  return server;
}
