/** Certificates that both ends of an encrypted connection present and trust, and their renewal at run time. */
import type { X509Certificate } from 'node:crypto';
import { checkServerIdentity, type PeerCertificate, type TLSSocket } from 'node:tls';
import { longestTimerMs } from './limits.ts';
import { identityOf } from './member-identity.ts';
import type { MemberRole } from './server/caller.ts';

/** PEM. After a renewal the same object has new values and notifies its listeners. */
export interface TlsMaterial {
  /** Authorities that sign the peer's certificate. */
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly onRenewed?: (listener: () => void) => void;
  /** Certificates that must not be trusted although they have not expired; absent when unknown. */
  readonly revocations?: Revocations;
}

/** The complete material of a cluster member. */
export type OwnMaterial = Required<TlsMaterial>;

/** How one end uses this node's certificates; always the newest ones. */
export function liveTls<T extends object>(material: OwnMaterial, use: T): OwnMaterial & T {
  return Object.assign(
    {
      get ca() {
        return material.ca;
      },
      get cert() {
        return material.cert;
      },
      get key() {
        return material.key;
      },
      onRenewed: material.onRenewed,
      revocations: material.revocations,
    },
    use,
  );
}

export interface Revocations {
  /** @param serial hexadecimal, in either case. */
  has(serial: string): boolean;
  /** Called when more certificates were revoked. */
  onChange(listener: () => void): void;
}

export interface ServerTls extends TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Takes plain text on the same port too. */
  readonly acceptPlain?: boolean;
  /**
   * With `ca`: whether callers must present a certificate signed by it. Optional admits callers without one, so that
   * the server decides per call; an invalid one is always rejected. Required by default.
   */
  readonly clientCertificates?: 'required' | 'optional';
}

export interface ClientTls extends TlsMaterial {
  /** Name that the server's certificate must carry, if it is not the dialled host. */
  readonly serverName?: string;
}

/**
 * For the TLS of Node: as usual, and refuses a server whose certificate was revoked, or says that its holder is something else in
 * the cluster. One that says nothing of that was not given to a member.
 */
export function serverIdentityCheck(
  { revocations }: Pick<TlsMaterial, 'revocations'>,
  role?: MemberRole,
): (host: string, certificate: PeerCertificate) => Error | undefined {
  return (host, certificate) => {
    const wrong = checkServerIdentity(host, certificate);
    if (wrong) return wrong;
    if (revocations?.has(certificate.serialNumber) === true)
      return refused('its certificate was revoked', 'CERT_REVOKED');
    const shown = identityOf(certificate.subjectaltname)?.role;
    if (role === undefined || shown === undefined || shown === role) return undefined;
    return refused(`its certificate is that of a ${shown}, not of a ${role}`, 'CERT_ROLE');
  };
}

function refused(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}

/** A connection is valid as long as the certificate that its other end presented; after a renewal, clients reconnect. */
export function endWithCertificate(socket: TLSSocket): void {
  const { valid_to: until } = socket.getPeerCertificate() as { readonly valid_to?: string };
  if (until === undefined) return;
  const untilMs = Date.parse(until);
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    const leftMs = untilMs - Date.now();
    if (leftMs <= 0) return void socket.destroy();
    timer = setTimeout(look, Math.min(leftMs, longestTimerMs)).unref();
  };
  look();
  socket.once('close', () => clearTimeout(timer));
}

/** SHA-256 of the certificate in lower-case hexadecimal without colons. */
export function fingerprintOf(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}
