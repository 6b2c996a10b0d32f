/** Opens the certificate authority and everything that belongs to it. */
import type { Access } from '../access/access.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { ManagerConfig } from '../config.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import { maxCertificateLifeMs } from '../limits.ts';
import type { Authority } from './authority.ts';
import { Certificates } from './certificates.ts';
import { CertificateIssuer } from './issuer.ts';
import { JoinTokens } from './join-tokens.ts';
import { OwnCertificate } from './own-certificate.ts';

export interface Ca {
  readonly certificates: Certificates;
  readonly joinTokens: JoinTokens;
  /** Undefined while security.autoIssueCert is off. */
  readonly authority: Authority | undefined;
  readonly issuer: CertificateIssuer | undefined;
  /** The manager's own certificate, issued by that authority. */
  readonly own: OwnCertificate | undefined;
}

export async function openCa(
  { security, server }: ManagerConfig,
  {
    database,
    changes,
    access,
    joinToken,
    logger,
  }: { database: Database; changes: ChangeFeed; access: Access; joinToken: string | undefined; logger: Logger },
): Promise<Ca> {
  const certificates = new Certificates(database, changes);
  const joinTokens = new JoinTokens(database, access.sealer, joinToken ?? security.joinToken);
  if (!security.autoIssueCert) {
    return { certificates, joinTokens, authority: undefined, issuer: undefined, own: undefined };
  }
  // Loaded only when needed, because the certificate library takes 10 MiB.
  const { Authority: Opened } = await import('./authority.ts');
  const authority = await Opened.open(access.secrets, {
    cert: security.caCert || undefined,
    key: security.caKey || undefined,
  });
  const { dnsNames, ipAddresses, validityPeriod } = security.certSpec;
  const names = [
    ...dnsNames,
    ...ipAddresses,
    ...(server.grpc.advertiseIP === undefined ? [] : [server.grpc.advertiseIP]),
  ];
  const own = await OwnCertificate.create({ authority, certificates, changes, names, logger });
  const issuer = new CertificateIssuer({
    authority,
    certificates,
    joinTokens,
    database,
    sharedNames: [...dnsNames, ...ipAddresses],
    // The original's configurations ask for ten years.
    maxLifeMs: Math.min(validityPeriod, maxCertificateLifeMs),
  });
  return { certificates, joinTokens, authority, issuer, own };
}
