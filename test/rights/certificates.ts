/** A certificate of a running manager's authority, for whatever role: also of a manager, which nobody can ask for. */
import { X509Certificate } from 'node:crypto';
import { openSecrets } from '../../src/manager/access/access.ts';
import { Authority } from '../../src/manager/ca/authority.ts';
import { parseCertificateRequest } from '../../src/manager/ca/certificate-request.ts';
import type { ManagerConfig } from '../../src/manager/config.ts';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import type { MemberRole } from '../../src/rpc/server/caller.ts';
import { createCertificateRequest } from '../../src/rpc/identity/certificate-request.ts';
import { operator } from '../manager/support/manager-fixture.ts';

export interface Pem {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Longer than any test runs: a connection ends with the certificate that was shown on it. */
const lifeMs = 24 * 3_600_000;

export async function certificateFor(
  role: MemberRole,
  address: string,
  { manager, config }: { readonly manager: ManagerService; readonly config: ManagerConfig },
): Promise<Pem> {
  const { secrets } = await openSecrets(config, manager.database, operator);
  const authority = await Authority.open(secrets, {});
  const hostId = `${address}-${role}${role === 'seed' ? '-seed' : ''}`;
  const { csr, key } = await createCertificateRequest({
    commonName: role,
    dnsNames: [role],
    ipAddresses: [address],
    identity: { role, hostId, clusterId: 1 },
  });
  const { chain } = await authority.issue(await parseCertificateRequest(csr), lifeMs);
  const [der = Buffer.alloc(0)] = chain;
  const cert = new X509Certificate(der).toString();
  return { ca: Buffer.from(authority.certificatePem), cert: Buffer.from(cert), key: Buffer.from(key) };
}
