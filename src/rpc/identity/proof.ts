/** Metadata of `security.Certificate/IssueCertificate` in which the caller proves that it belongs to the cluster. */

/** A join token, without the fingerprint that may follow it. */
export const joinTokenHeader = 'x-dragonfly-join-token';
/** A certificate of this cluster, DER, and a signature with its key over the request (SHA-256). */
export const certificateHeader = 'x-dragonfly-certificate-bin';
export const signatureHeader = 'x-dragonfly-signature-bin';

export interface JoinToken {
  /** The part that is sent to the manager. */
  readonly secret: string;
  /** SHA-256 of the manager's authority, lower-case hexadecimal, by which a new member verifies the manager. */
  readonly authorityFingerprint: string | undefined;
}

/** `SECRET`, or `SECRET.FINGERPRINT` as the manager issues it. */
export function parseJoinToken(text: string): JoinToken {
  const match = /^(?<secret>.+)\.(?<fingerprint>[0-9a-f]{64})$/s.exec(text.trim());
  return { secret: match?.groups?.['secret'] ?? text.trim(), authorityFingerprint: match?.groups?.['fingerprint'] };
}

export function formatJoinToken(secret: string, authorityFingerprint: string): string {
  return `${secret}.${authorityFingerprint}`;
}
