/** The identity that a service is configured to have, for its ports and connections. */
import { pemOf } from '../../core/files/pem.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { MemberRole } from '../server/caller.ts';
import { liveTls, type ClientTls, type ServerTls } from '../tls.ts';
import { identityPath } from './identity-file.ts';
import { NodeIdentity } from './node-identity.ts';
import type { MemberSecurity } from './security-config.ts';

export interface MemberPlace {
  readonly security: MemberSecurity;
  /** Directory of this service, which contains the certificate. */
  readonly directory: string;
  /** Addresses of the managers, `host:port` each. */
  readonly managers: readonly string[];
  readonly hostname: string;
  /** Address at which others reach this service. */
  readonly ip: string;
  /** What this service is. */
  readonly role: MemberRole;
  /** The protocol's host id for daemons; `ip-hostname` for others. */
  readonly hostId: string;
  readonly clusterId: number;
  readonly logger: Logger;
}

/** Undefined unless `autoIssueCert` is on. Throws CONFIG_INVALID, UNAVAILABLE, and the manager's errors. */
export async function openIdentity(place: MemberPlace): Promise<NodeIdentity | undefined> {
  const { security, directory, managers, hostname, ip, role, hostId, clusterId, logger } = place;
  if (!security.autoIssueCert) return undefined;
  const { dnsNames, ipAddresses, validityPeriod } = security.certSpec;
  return NodeIdentity.open({
    path: identityPath(directory),
    managers,
    joinToken: security.joinToken,
    authorityPem: security.caCert === '' ? undefined : await pemOf(security.caCert, 'security.caCert'),
    lifeMs: validityPeriod,
    names: {
      commonName: hostname.slice(0, 64),
      dnsNames: [...new Set([hostname, ...dnsNames].map((name) => name.toLowerCase()))],
      ipAddresses: [...new Set([ip, '127.0.0.1', ...ipAddresses])],
      identity: { role, hostId, clusterId },
    },
    logger,
  });
}

/** Of the gRPC port. */
export function serverTls(
  identity: NodeIdentity | undefined,
  policy: MemberSecurity['tlsPolicy'],
): ServerTls | undefined {
  return identity && liveTls(identity, { acceptPlain: policy !== 'force' });
}

/** TLS for connections to other members. Undefined: plain text. */
export function clientTls(
  identity: NodeIdentity | undefined,
  policy: MemberSecurity['tlsPolicy'],
): ClientTls | undefined {
  return policy === 'default' ? undefined : identity;
}
